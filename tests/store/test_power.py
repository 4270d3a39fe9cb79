"""The store when the power goes, and when the disk fails at any one call."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from encke.ledger.entry import NOTHING, Entry
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from tests.conftest import Count, Size
from tests.store.broken_disk import Disk, ShortRead
from tests.store.contract import DAY, MIDNIGHT, accounts, entry, key

OLD = -DAY


def sound(store: SqliteStore) -> bool:
    """SQLite's own check of everything."""
    return bool(store._db.execute("PRAGMA integrity_check").get == "ok")


def traffic(store: SqliteStore, disk: Disk, seed: int) -> list[tuple[int, str, list[Entry]]]:
    """What the keeper does all day. What was done, in order, and how many disk events there were when it was told.

    Entries are charged to accounts and leases; some are old, and removed again.
    """
    rng = random.Random(seed)
    done: list[tuple[int, str, list[Entry]]] = []
    sets = (NOTHING, accounts((1, 0)), accounts((1, 0), (2, MIDNIGHT)))
    for number in range(40):
        kind = rng.random()
        batch: list[Entry] = []
        if kind < 0.2:
            store.grant([(7, number % 3, 0, number)], [(number % 3, number)])
        elif kind < 0.65:
            charged = rng.choice(sets)
            many, age = rng.choice((1, 3, 40)), rng.choice((0, 0, OLD))
            batch = [entry(accounts=charged, started=MIDNIGHT + age, cost=rng.randint(1, 9)) for _ in range(many)]
            store.append(batch, rng.choice((0, 8)))
        elif kind < 0.7:
            store.prune(MIDNIGHT, rng.choice((5, 50)))
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
    acknowledged is there, nothing is there in part, and the ledger adds up."""
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
            verdict = after.verify(MIDNIGHT, lambda done, most: None)
            assert verdict.ok, verdict
            told = [batch for moment, _, batch in done if moment <= at]
            assert after.usage(0, 2**60)[0].calls == verdict.entries + verdict.pruned >= sum(map(len, told))
            cost = sum(one.cost or 0 for batch in told for one in batch)
            assert (after.usage(0, 2**60)[0].cost or 0) >= cost
            found["entries removed"] += verdict.pruned
            leased = sum(lease.posted for lease in after.leases() if lease.limit == 1)
            assert leased <= after.posted(1, 0)
            names = {one.name for one in after.list_keys()}
            for moment, name, batch in done:
                if batch and batch[0].started < MIDNIGHT:
                    continue  # may be removed
                there = [bool(after.entries(one.call)) for one in batch]
                assert moment > at or (all(there) and (not name or f"name {name[4:]}" in names)), "lost what was told"
                assert len(set(there)) <= 1, "a batch is there in part"
                found["entries there"] += sum(there)
                found["entries told"] += len(batch) * (moment <= at)
            # Grants need not outlive the power, but none is there in part.
            granted = sorted((row.limit, row.granted) for row in after.leases() if row.epoch == 7)
            assert granted == sorted(after.rates()), "a grant is there in part"
            found["grants there"] += len(granted)
            after.close()
    counted = ", ".join(f"{number} {what}" for what, number in found.items())
    count(f"power, store: {points // seeds * seeds} crashes: {counted}")
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
    connection; nothing is lost, or there twice, or charged twice, and what failed is not taken for done."""
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
            charged = accounts((1, 0))
            batches = [[entry(accounts=charged, cost=1) for _ in range(30)] for _ in range(3)]
            for batch in batches:
                troubles += keep_at_it(store, store.append, batch, 8)
                troubles += keep_at_it(store, store.checkpoint)
            troubles += keep_at_it(store, store.checkpoint_idle)
            troubles += keep_at_it(store, store.grant, [(8, 1, 0, nth)], [(3, nth)])
            troubles += keep_at_it(store, store.prune, MIDNIGHT + DAY, 7)
            troubles += keep_at_it(store, store.add_key, *key(1)) if nth % 2 else 0
            disk.fail = lambda call: None
            store.renew()  # what the old one remembers of half a read is not what is in the file
            assert sound(store)
            store.close()
            store = SqliteStore.open(folder / "encke.db")
            assert store.usage(0, 2**60)[0].calls == 290 and store.posted(1, 0) == 90
            verdict = store.verify(MIDNIGHT, lambda done, most: None)
            assert verdict.ok and verdict.pruned >= 7 and verdict.entries + verdict.pruned == 290, verdict
            assert store.leases() == [(8, 1, 0, nth, 90)]
            store.close()
        tried += 1
        if not failing.failed:
            break
        nth += step
    count(f"store, {error} at the n-th call, {times} times: {tried} places, {troubles} failures told and survived")
    assert troubles > 0
