"""The store when the power goes, and when the disk fails at any one call."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from encke.ledger.entry import Entry
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from tests.conftest import Count, Size
from tests.store.broken_disk import Disk, ShortRead
from tests.store.contract import entry, key


def sound(store: SqliteStore) -> bool:
    """SQLite's own check of everything."""
    return bool(store._db.execute("PRAGMA integrity_check").get == "ok")


def traffic(store: SqliteStore, disk: Disk, seed: int) -> list[tuple[int, str, list[Entry]]]:
    """What the keeper does all day. What was done, in order, and how many disk events there were when it was told."""
    rng = random.Random(seed)
    done: list[tuple[int, str, list[Entry]]] = []
    for number in range(40):
        kind = rng.random()
        batch: list[Entry] = []
        if kind < 0.2:
            store.grant([(7, number % 3, 0, number)], [(number % 3, number)])
        elif kind < 0.7:
            batch = [entry() for _ in range(rng.choice((1, 3, 40)))]
            store.append(batch)
        elif kind < 0.8:
            store.add_key(*key(number + 1))
        elif kind < 0.95:
            store.checkpoint()
        else:
            store.checkpoint_idle()
        done.append((len(disk.log), f"key {number + 1}" if 0.7 <= kind < 0.8 else "", batch))
    return done


def test_the_power_goes_at_any_moment(tmp_path: Path, size: Size, count: Count) -> None:
    """At 300 moments (2,000 with --soak), with unflushed writes lost, reordered or torn: the file is sound, everything
    acknowledged is there, and nothing is there in part."""
    points, seeds = size(300, soak=2000), size(5, soak=20)
    found: Counter[str] = Counter()
    for seed in range(seeds):
        (tmp_path / f"{seed}").mkdir()
        with Disk() as disk:
            store = SqliteStore.open(tmp_path / f"{seed}" / "encke.db")
            begun = len(disk.log)
            done = traffic(store, disk, seed)
            store.close()
        rng = random.Random(seed)
        for point in range(points // seeds):
            at = rng.randint(begun, done[-1][0])
            folder = tmp_path / f"{seed}-{point}"
            folder.mkdir()
            disk.after_crash(at, folder, rng)
            after = SqliteStore.open(folder / "encke.db")
            assert sound(after)
            names = {one.name for one in after.list_keys()}
            for moment, name, batch in done:
                there = [bool(after.entries(one.call)) for one in batch]
                assert moment > at or (all(there) and (not name or f"name {name[4:]}" in names)), "lost what was told"
                assert len(set(there)) <= 1, "a batch is there in part"
                found["entries there"] += sum(there)
                found["entries told"] += len(batch) * (moment <= at)
            # Grants need not outlive the power, but none is there in part.
            granted = sorted((row.limit, row.granted) for row in after.leases())
            assert granted == sorted(after.rates()), "a grant is there in part"
            found["grants there"] += len(granted)
            after.close()
    told = ", ".join(f"{number} {what}" for what, number in found.items())
    count(f"power, store: {points // seeds * seeds} crashes: {told}")
    assert found["entries told"] > 0 and found["grants there"] > 0


FAILURES: dict[str, type[apsw.Error]] = {
    "disk full": apsw.FullError,
    "I/O error": apsw.IOError,
    "cannot open": apsw.CantOpenError,
    "short read": ShortRead,
}


class Failing:
    """Fails at the n-th call, and `times` calls from then on."""

    def __init__(self, nth: int, times: int, error: str) -> None:
        self.left, self.times, self.error = nth, times, error
        self.failed = 0

    def __call__(self, call: str) -> None:
        self.left -= 1
        if self.left < 0 and self.failed < self.times:
            self.failed += 1
            raise FAILURES[self.error](self.error)


def keep_at_it(store: SqliteStore, do: Callable[..., object], *args: object) -> int:
    """As the keeper does: again, until it works, and with a new connection in between. How often it did not."""
    for tries in range(100):
        try:
            do(*args)
        except StoreError:
            if tries > 2:
                with contextlib.suppress(StoreError):
                    store.renew()
            continue
        return tries
    raise AssertionError("it never works again")


# A short read means the end of the file to SQLite, so several in a row are a shorter file, not a failing disk.
@pytest.mark.parametrize(
    ("error", "times"),
    [(error, times) for error in FAILURES for times in (1, 4) if (error, times) != ("short read", 4)],
)
def test_the_disk_fails_at_the_nth_call(tmp_path: Path, error: str, times: int, size: Size, count: Count) -> None:
    """Wherever it fails, the store says StoreError and nothing else; tried again it works, if need be on a new
    connection; nothing is lost, or there twice."""
    step = size(3, soak=1)
    troubles = 0
    nth = tried = 0
    while True:
        folder = tmp_path / str(nth)
        folder.mkdir()
        with Disk() as disk:
            store = SqliteStore.open(folder / "encke.db")
            store.append([entry() for _ in range(200)])
            failing = disk.fail = Failing(nth, times, error)
            batches = [[entry() for _ in range(30)] for _ in range(3)]
            for batch in batches:
                troubles += keep_at_it(store, store.append, batch)
                troubles += keep_at_it(store, store.checkpoint)
            troubles += keep_at_it(store, store.checkpoint_idle)
            troubles += keep_at_it(store, store.add_key, *key(1)) if nth % 2 else 0
            disk.fail = lambda call: None
            store.renew()  # what the old one remembers of half a read is not what is in the file
            assert sound(store)
            store.close()
            store = SqliteStore.open(folder / "encke.db")
            assert store.usage(0, 2**60)[0].calls == 290
            assert all(len(store.entries(one.call)) == 1 for batch in batches for one in batch)
            store.close()
        tried += 1
        if not failing.failed:
            break
        nth += step
    count(f"store, {error} at the n-th call, {times} times: {tried} places, {troubles} failures told and survived")
    assert troubles > 0
