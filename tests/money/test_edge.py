"""256 calls at the same moment, at the edge of five budgets that nest and overlap, over four workers."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count as numbers
from typing import Any

import pytest

from tests.conftest import Count, Size
from tests.durability.crowd import Seen
from tests.money.burst import Wish, burst
from tests.money.house import DOLLAR, READ, WRITTEN, House
from tests.support.accountant import read_books, repeated

AT_ONCE = 256
# A stream's piece: 64 tokens, 192 bytes. The published bound is one piece, at least 64 tokens, for every live stream.
EACH = 64
PIECE = " abc" * 48
STREAM: dict[str, Any] = {"chunks": 30, "each": EACH, "piece": PIECE, "interval": 0.02}
# On a machine that is too slow to ask the keeper in time, some are told to try again.
BUSY = {"unavailable"}
_NUMBERS = numbers()
BOUND = AT_ONCE * EACH * WRITTEN


@dataclass
class Town:
    """An organisation with two projects, three keys and five budgets. Who is charged where: the organisation always."""

    name: str
    keys: list[str] = field(default_factory=list)


def found(house: House, name: str, rng: random.Random, need: int, *options: str) -> Town:
    """Budgets of which any may be the tightest, for calls that need so much (nano-dollars) in all."""

    def budget(share: float, period: str) -> tuple[str, ...]:
        amount = int(need * share * rng.uniform(0.4, 0.9))
        return ("--budget", f"{amount // DOLLAR}.{amount % DOLLAR:09d}{period}", *options)

    town = Town(name)
    house.organisation(name, *budget(1.0, ""))
    house.project(f"{name}-p", name, *budget(0.67, "/month"))
    house.project(f"{name}-q", name, *budget(0.4, "/day"))
    town.keys.append(house.key(f"{name}-a", f"{name}-p", *budget(0.4, "")))
    town.keys.append(house.key(f"{name}-b", f"{name}-p"))
    town.keys.append(house.key(f"{name}-c", f"{name}-q", *budget(0.4, "/week")))
    return town


def wishes(town: Town, rng: random.Random, wave: int, calls: int, behave: dict[str, Any], **more: Any) -> list[Wish]:
    """So many calls by any of its keys; a third are no streams if `whole` is among `more`."""
    whole = more.pop("whole", False)
    return [
        Wish(
            f"{town.name}w{wave}x{number}",
            rng.choice(town.keys),
            not (whole and rng.random() < 0.33),
            behave=behave,
            more=more,
        )
        for number in range(calls)
    ]


def pieces(nonce: str, tokens: int) -> int:
    """Bytes of content that may have been received when so many tokens were sent."""
    return len(f"token:{nonce}") + len(PIECE) * (tokens // EACH)


def one_by_one(house: House, name: str, key: str, most: int) -> list[Seen]:
    """Calls until one is refused, with nobody beside them."""
    seen: list[Seen] = []
    while not seen or seen[-1].end == "whole" or seen[-1].code in BUSY:
        assert len(seen) < 300, "the budgets are never spent"
        wish = Wish(f"{name}y{next(_NUMBERS)}", key, behave={"chunks": most}, more={"max_tokens": most})
        seen += burst(house.gateway.port, [wish])
    return seen


def tally(seen: list[Seen]) -> Counter[str]:
    """How the calls ended."""
    return Counter(one.end if one.end != "error" else one.code for one in seen)


def left(house: House, since: int) -> dict[int, int]:
    """What each budget made after `since` has left."""
    books, posted = read_books(house.gateway.store), house.posted()
    limits = {number: limit for number, limit in books.limits.items() if number > since and limit["kind"] == "budget"}
    return {number: limit["amount"] - posted.get(number, 0) for number, limit in limits.items()}


def last_limit(house: House) -> int:
    """The id of the newest one."""
    return max(read_books(house.gateway.store).limits, default=0)


@pytest.mark.parametrize("interval", [0, 0.001], ids=["at once", "slowly"])
@pytest.mark.parametrize("each", [1, EACH])
def test_streams_go_on(house: House, each: int, interval: float) -> None:
    """What a stream is held at is no bound of its length: it takes more, and nobody sees where."""
    key = house.keys.get("plain") or house.key("plain", "default", "--budget", "1000")
    behave: dict[str, Any] = {
        "chunks": 2600 // each,
        "each": each,
        "piece": PIECE if each > 1 else " a",
        "interval": interval * each,
    }
    made = [Wish(f"g{next(_NUMBERS)}", key, behave=behave) for _ in range(8)]
    seen = burst(house.gateway.port, made)
    assert tally(seen) == {"whole": len(made)}
    sizes = {one.content - len(one.nonce) for one in seen}
    assert sizes == {len("token:") + len(behave["piece"]) * (behave["chunks"] - 1)}


def test_strict(house: House, size: Size, count: Count) -> None:
    """Nothing is overspent, whoever comes first; and what is refused in the end did not fit any more: no allowance is
    stranded with a worker that does not use it."""
    for seed in range(size(2, soak=20)):
        rng, before = random.Random(seed), last_limit(house)
        most = 40
        one = 100 * READ + most * WRITTEN
        town = found(house, f"s{seed}", rng, AT_ONCE * one, "--strict")
        behave = {"chunks": most}
        seen = burst(house.gateway.port, wishes(town, rng, 0, AT_ONCE, behave, whole=True, max_tokens=most))
        seen += burst(house.gateway.port, wishes(town, rng, 1, AT_ONCE, behave, whole=True, max_tokens=most))
        for key in town.keys:
            seen += one_by_one(house, f"s{seed}", key, most)
        ends = tally(seen)
        assert set(ends) - BUSY == {"whole", "insufficient_quota"}, ends
        audit = house.audit(seen)
        assert audit.problems == []
        rest = left(house, before)
        assert len(rest) == 5 and min(rest.values()) >= 0, rest
        # A call is held at a token for each byte, and what its framing may need. Organisation, projects, keys a and c.
        held = 1000 * READ + most * WRITTEN
        org, p, q, a, c = (left for _, left in sorted(rest.items()))
        for way in ((org, p, a), (org, p), (org, q, c)):
            assert min(way) < held, f"refused, though all that is left is more than any call needs: {rest}"
        count(f"edge of a budget, strict, seed {seed}: {dict(ends)}, left {sorted(rest.values())}; {audit}")


def test_not_strict(house: House, size: Size, count: Count) -> None:
    """Streams that go on beyond what they are held at are cut with an error event; what is overspent is less than one
    piece for every live stream."""
    for seed in range(size(1, soak=10)):
        rng, before = random.Random(seed), last_limit(house)
        need = AT_ONCE * (100 * READ + 30 * EACH * WRITTEN)
        town = found(house, f"n{seed}", rng, need)
        seen = burst(house.gateway.port, wishes(town, rng, 0, AT_ONCE, STREAM))
        ends = tally(seen)
        assert set(ends) - BUSY <= {"whole", "insufficient_quota", "budget_exceeded"}, ends
        assert ends["budget_exceeded"], ends
        audit = house.audit(seen, pieces)
        assert audit.problems == []
        rest = left(house, before)
        assert min(rest.values()) >= -BOUND, rest
        count(f"edge of a budget, not strict, seed {seed}: {dict(ends)}, left {sorted(rest.values())}; {audit}")


@pytest.mark.parametrize("options", [("--strict",), ()], ids=["strict", "not strict"])
def test_a_lying_provider(house: House, size: Size, count: Count, options: tuple[str, ...]) -> None:
    """It sends twice the tokens that `max_tokens` allows: the same bound, whether or not the budgets are strict. What
    they cost beyond it is recorded, and nobody is admitted any more."""
    most = 100
    for seed in range(size(1, soak=10)):
        rng, before = random.Random(seed), last_limit(house)
        town = found(house, f"{'l' if options else 'm'}{seed}", rng, AT_ONCE * (100 * READ + most * WRITTEN), *options)
        lie = {"chunks": 2 * most, "honour_max": False, "piece": " abc", "interval": 0.01}
        seen = burst(house.gateway.port, wishes(town, rng, 0, AT_ONCE, lie, max_tokens=most))
        ends = tally(seen)
        assert set(ends) - BUSY <= {"whole", "insufficient_quota", "budget_exceeded"}, ends
        audit = house.audit(seen, lambda nonce, tokens: len(f"token:{nonce}") + 4 * (tokens + 1))
        assert audit.problems == []
        rest = left(house, before)
        assert min(rest.values()) >= -BOUND, rest
        count(f"edge of a budget, lying provider {options}: {dict(ends)}, left {sorted(rest.values())}; {audit}")


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
def test_killed_in_the_middle(own_house: House, size: Size, count: Count, strict: bool) -> None:
    """Workers and keeper die while 256 streams are at the edge: the same bounds, once all is settled."""
    house = own_house
    name, behave = "k", STREAM
    more: dict[str, Any] = {}
    options: tuple[str, ...] = ()
    need = AT_ONCE * (100 * READ + 30 * EACH * WRITTEN)
    if strict:
        name, behave, more, options = "j", {"chunks": 40, "interval": 0.05}, {"max_tokens": 40}, ("--strict",)
        need = AT_ONCE * (100 * READ + 40 * WRITTEN)
    for seed in range(size(1, soak=10)):
        rng, before = random.Random(seed), last_limit(house)
        town = found(house, f"{name}{seed}", rng, need, *options)
        seen: list[Seen] = []
        made = wishes(town, rng, 0, AT_ONCE, behave, **more)
        thread = threading.Thread(target=lambda: seen.extend(burst(house.gateway.port, made)))  # noqa: B023
        thread.start()
        for role in ("worker", "keeper", "worker"):
            time.sleep(rng.uniform(0.3, 0.6))
            house.gateway.wait_for(lambda: any(house.gateway.pids(role)), 30, f"no {role}")  # noqa: B023
            with contextlib.suppress(ProcessLookupError):  # it has died of another's death
                house.gateway.kill(role, rng.choice([at for at, pid in enumerate(house.gateway.pids(role)) if pid]))
        thread.join()
        seen += burst(house.gateway.port, wishes(town, rng, 1, 64, behave, **more))
        ends = tally(seen)
        audit = house.audit(seen, repeated if strict else pieces)
        assert audit.problems == []
        rest = left(house, before)
        assert min(rest.values()) >= (0 if strict else -BOUND), rest
        count(f"edge of a budget, killed, {name}{seed}: {dict(ends)}, left {sorted(rest.values())}; {audit}")
