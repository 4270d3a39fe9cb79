"""A key is revoked, its secret is rotated, its budget is cut, while its streams run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count as numbers

from tests.conftest import Count, Size
from tests.durability.crowd import Seen
from tests.money.burst import Wish, call
from tests.money.house import House
from tests.support.accountant import read_statement

EACH = 64
PIECE = " abc" * 48
_NUMBERS = numbers()
LATE = 1.0  # seconds after which nobody is admitted any more
ENOUGH = 20  # calls sent after that


@dataclass
class Day:
    """What happened: long streams, and short calls that came one after the other, with the moments they were sent."""

    streams: list[Seen] = field(default_factory=list)
    short: list[tuple[float, Seen]] = field(default_factory=list)
    done: float = 0.0  # when the change had been told to be made

    def after(self, seconds: float) -> list[Seen]:
        """Short calls that were sent so long after the change, or later."""
        return [seen for sent, seen in self.short if sent >= self.done + seconds]


def pieces(nonce: str, tokens: int) -> int:
    """Bytes of content that may have been received when so many tokens were sent."""
    return len(f"token:{nonce}") + len(PIECE) * (tokens // EACH + 1)


async def live(
    house: House, key: str, streams: int, change: Callable[[], object], *, chunks: int = 60, late: float = LATE
) -> Day:
    """Streams of a tenth of a second for each chunk; once all are under way the change; short calls meanwhile, and
    until there were enough of them that were sent `late` seconds after it."""
    day = Day()
    port = house.gateway.port
    behave = {"chunks": chunks, "each": EACH, "piece": PIECE, "interval": 0.1}
    wishes = [Wish(f"c{next(_NUMBERS)}", key, behave=behave) for _ in range(streams)]
    long = [asyncio.create_task(call(port, wish)) for wish in wishes]
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            sent = time.monotonic()
            day.short.append((sent, await call(port, Wish(f"c{next(_NUMBERS)}", key))))
            await asyncio.sleep(0.02)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    nonces = {wish.nonce for wish in wishes}
    while not nonces <= read_statement(house.log).asked.keys():
        await asyncio.sleep(0.1)
    await asyncio.to_thread(change)
    day.done = time.monotonic()
    while len(day.after(late)) <= ENOUGH:
        await asyncio.sleep(0.1)
    over.set()
    await asyncio.gather(*asking)
    day.streams = await asyncio.gather(*long)
    return day


def ends(seen: list[Seen]) -> Counter[str]:
    """How they ended."""
    return Counter(one.code or one.end for one in seen)


def test_a_budget_that_is_cut(house: House, size: Size, count: Count) -> None:
    """To less than has been spent: nobody is admitted a second later, and every stream ends at its next mark, with an
    error event and without [DONE]."""
    streams = size(100, soak=200)
    house.project("cut", "default", "--budget", "5000")
    key = house.key("cut", "cut")
    cut = partial(house.command, "projects", "update", "cut", "--budget", "0.01")
    day = asyncio.run(live(house, key, streams, cut, chunks=1000))  # they do not come so far
    assert ends(day.streams) == {"budget_exceeded": streams}
    assert all(one.end == "error" for one in day.streams)
    assert set(ends(day.after(LATE))) == {"insufficient_quota"}, ends(day.after(LATE))
    audit = house.audit([*day.streams, *(seen for _, seen in day.short)], pieces)
    assert audit.problems == []
    count(f"budget cut under {streams} streams: {dict(ends([seen for _, seen in day.short]))} beside them; {audit}")


def test_a_key_that_is_revoked(house: House, size: Size, count: Count) -> None:
    """Nobody is admitted a second later; streams that had begun come to their end and are paid for."""
    streams = size(60, soak=200)
    house.project("revoked", "default", "--budget", "5000")
    key = house.key("revoked", "revoked", "--budget", "4000/day")
    day = asyncio.run(live(house, key, streams, lambda: house.command("keys", "revoke", "revoked", "--yes")))
    assert ends(day.streams) == {"whole": streams}
    assert set(ends(day.after(LATE))) == {"invalid_api_key"}, ends(day.after(LATE))
    audit = house.audit([*day.streams, *(seen for _, seen in day.short)], pieces)
    assert audit.problems == []
    count(f"key revoked under {streams} streams: {dict(ends([seen for _, seen in day.short]))} beside them; {audit}")


def test_a_secret_that_is_rotated(house: House, size: Size, count: Count) -> None:
    """The old secret is good for its time of grace and no second longer, the new one at once; both are one key with one
    budget."""
    streams = size(60, soak=200)
    house.project("rotated", "default")
    key = house.key("rotated", "rotated", "--budget", "5000")
    new: list[Seen] = []
    made: list[str] = []

    def rotate() -> None:
        made.append(house.command("keys", "rotate", "rotated", "--grace", "1s")["key"])
        new.append(asyncio.run(call(house.gateway.port, Wish(f"c{next(_NUMBERS)}", made[0]))))

    day = asyncio.run(live(house, key, streams, rotate, late=1 + LATE))
    assert ends(day.streams) == {"whole": streams} and new[0].end == "whole"
    old = day.after(1 + LATE)
    assert set(ends(old)) <= {"invalid_api_key", "expired_api_key"}, ends(old)
    again = asyncio.run(call(house.gateway.port, Wish(f"c{next(_NUMBERS)}", made[0])))
    assert again.end == "whole"
    audit = house.audit([*day.streams, *new, again, *(seen for _, seen in day.short)], pieces)
    assert audit.problems == []
    count(f"secret rotated under {streams} streams: {dict(ends([seen for _, seen in day.short]))} beside them; {audit}")
