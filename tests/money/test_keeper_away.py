"""The keeper, or the store it keeps, is away while keys have budgets: never open, never 401, and right afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count as numbers
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count
from tests.durability.crowd import Seen
from tests.durability.test_store_trouble import HOLDER, mounted, small_disk
from tests.money.burst import Wish, call
from tests.money.house import LARGE, House
from tests.support.accountant import read_books
from tests.support.gateway import lab
from tests.support.operate import encke

RECOVERS_WITHIN = 60.0  # 5 s are promised; a shared machine gets more
CALLERS = 8
_NUMBERS = numbers()


def ask(house: House, key: str, calls: int) -> list[Seen]:
    """So many calls by a few callers at once."""

    async def run() -> list[Seen]:
        found: list[Seen] = []

        async def caller(share: int) -> None:
            for _ in range(share):
                found.append(await call(house.gateway.port, Wish(f"k{next(_NUMBERS)}", key, more={"max_tokens": 16})))

        await asyncio.gather(*(caller(calls // CALLERS) for _ in range(CALLERS)))
        return found

    return asyncio.run(run())


def ends(seen: list[Seen]) -> Counter[str]:
    """How they ended."""
    return Counter(one.code or one.end for one in seen)


def outstanding(house: House) -> int:
    """Nano-dollars that workers may spend without asking, of all budgets."""
    books = read_books(house.gateway.store)
    budgets = {number for number, limit in books.limits.items() if limit["kind"] == "budget"}
    return sum(max(row["granted"] - row["posted"], 0) for row in books.leases if row["limit_id"] in budgets)


def recovered(house: House, key: str, seen: list[Seen]) -> float:
    """Seconds until a call is answered again."""
    began = time.monotonic()

    def answered() -> bool:
        seen.extend(ask(house, key, CALLERS))
        return all(one.end == "whole" for one in seen[-CALLERS:])

    house.gateway.wait_for(answered, RECOVERS_WITHIN, "calls are not answered again")
    return time.monotonic() - began


def verified(house: House) -> str:
    """The program's own word on its ledger."""
    done = encke(house.gateway, "ledger", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_stopped(own_house: House, count: Count) -> None:
    """It stands still: calls go on while the leases last, then they get 503; not one nano-dollar is spent beyond what
    had been granted. When it goes on, so do they."""
    house = own_house
    key = house.key("app", "default", "--budget", "100")
    seen = ask(house, key, 16)
    assert set(ends(seen)) == {"whole"}
    house.rows_of([one.nonce for one in seen])
    keeper = house.gateway.pids("keeper")[0]
    os.kill(keeper, signal.SIGSTOP)
    try:
        # Read now: whatever it had granted is in its books, and nothing is added.
        before, allowed = sum(house.posted().values()), outstanding(house)
        away = ask(house, key, 800)
        while not ends(away)["unavailable"] and len(away) < 20_000:  # the leases may have been large
            away += ask(house, key, 800)
    finally:
        os.kill(keeper, signal.SIGCONT)
    found = ends(away)
    assert set(found) <= {"whole", "unavailable"} and found["whole"] and found["unavailable"], found
    assert {one.status for one in away} == {200, 503}
    took = recovered(house, key, seen)
    audit = house.audit([*seen, *away])
    assert audit.problems == [] and not audit.over
    rows = house.rows_of([one.nonce for one in away])
    spent = sum(row["cost"] or 0 for found in rows.values() for row in found)
    assert spent <= allowed, f"{spent} nUSD spent, {allowed} were out there"
    count(f"keeper stopped: {dict(found)}, {spent} of {allowed} nUSD; again after {took:.1f} s; {verified(house)}")
    assert before > 0


def test_killed(own_house: House, count: Count) -> None:
    """It dies again and again: callers see 200 or 503, nobody 401, and nothing is overspent."""
    house = own_house
    key = house.key("app", "default", "--budget", "0.5", "--rpm", "100000", "--concurrency", "100")
    seen: list[Seen] = []
    for _ in range(4):
        seen += ask(house, key, 80)
        house.gateway.wait_for(lambda: [pid for pid in house.gateway.pids("keeper") if pid], 30, "no keeper")
        with contextlib.suppress(ProcessLookupError):
            house.gateway.kill("keeper")
        seen += ask(house, key, 80)
    assert set(ends(seen)) <= {"whole", "unavailable", "insufficient_quota"}, ends(seen)
    audit = house.audit(seen)
    assert audit.problems == [] and not audit.over
    count(f"keeper killed four times: {dict(ends(seen))}; {verified(house)}")


@contextlib.contextmanager
def locked(house: House, _: Path) -> Iterator[None]:
    """Another program holds the store's lock."""
    command = [sys.executable, "-c", HOLDER, str(house.gateway.store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        yield
        holder.communicate()


@contextlib.contextmanager
def full(_: House, disk: Path) -> Iterator[None]:
    """Its disk has no byte left."""
    fd = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError):
        while True:
            os.write(fd, b"x" * 4096)
    os.close(fd)
    yield
    (disk / "filler").unlink()


@contextlib.contextmanager
def read_only(house: House, disk: Path) -> Iterator[None]:
    """Its file system has turned read-only, and the keeper begins on it."""
    supervisor, keeper = house.gateway.pids("supervisor")[0], house.gateway.pids("keeper")[0]
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(keeper, signal.SIGKILL)
    house.gateway.wait_for(lambda: keeper not in house.gateway.processes(), 30, "the keeper lives")
    mounted(disk, "ro")
    os.kill(supervisor, signal.SIGCONT)
    yield
    mounted(disk, "rw")


@pytest.mark.parametrize("trouble", [locked, full, read_only], ids=lambda trouble: trouble.__name__)
def test_the_store_is_away(
    tmp_path: Path,
    count: Count,
    trouble: Callable[[House, Path], contextlib.AbstractContextManager[None]],
) -> None:
    """Whatever cannot be granted durably is not granted: 503. It ends by itself, and the books agree."""
    with small_disk(tmp_path / "small", "24m") as disk, UpstreamProcess(tmp_path / "upstream") as upstream:
        settings = {**lab(upstream.url, prices=LARGE), "store": {"url": f"sqlite:{disk / 'encke.db'}"}}
        with House(tmp_path / "house", upstream.log, settings, workers=2) as house:
            key = house.key("app", "default", "--budget", "100")
            seen = ask(house, key, 16)
            with trouble(house, disk):
                away = ask(house, key, 2400)
                while not ends(away)["unavailable"] and trouble is not full and len(away) < 20_000:
                    away += ask(house, key, 800)  # the leases may have been large
            found = ends(away)
            assert set(found) <= {"whole", "unavailable"}, found
            # A full disk may have room in files that are there: then what was granted is durable all the same.
            assert found["unavailable"] or trouble is full, found
            took = recovered(house, key, seen)
            audit = house.audit([*seen, *away])
            assert audit.problems == [] and not audit.over
            count(f"store {trouble.__name__}: {dict(found)}; again after {took:.1f} s; {verified(house)}")
