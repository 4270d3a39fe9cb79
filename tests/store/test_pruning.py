"""Removing old entries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.store.sqlite import SqliteStore
from tests.store.contract import DAY, HOUR, MIDNIGHT, accounts, entry
from tests.store.test_posting import hours, some


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    store = SqliteStore.open(tmp_path / "encke.db")
    yield store
    store.close()


def ok(store: SqliteStore) -> bool:
    """Whether the ledger adds up."""
    verdict = store.verify(MIDNIGHT + 99 * DAY, lambda done, most: None)
    assert verdict.ok, verdict
    return verdict.ok


def left(store: SqliteStore) -> list[int]:
    """When the entries that are there were received."""
    return [started for (started,) in store._db.execute("SELECT started FROM entries ORDER BY started")]


def test_old_entries_go_and_the_sums_stay(store: SqliteStore) -> None:
    """Piece by piece, the oldest first, whole hours only; after every piece the ledger adds up, reports and accounts
    say what they said."""
    rng = random.Random(4)
    batch = [some(rng) for _ in range(400)]
    store.append([one for one in batch if one.final])
    many = len(left(store))
    before = (hours(store), store.posted(1, 0), store.posted(2, 0), store.usage(0, 2**60, "key"))
    cut, removed = MIDNIGHT + 2 * HOUR, 0
    while count := store.prune(cut + HOUR - 1, 30):
        removed += count
        assert 0 < count < 60 and ok(store)
        assert (hours(store), store.posted(1, 0), store.posted(2, 0), store.usage(0, 2**60, "key")) == before
    assert left(store)[0] >= cut and removed + len(left(store)) == many and removed > 150
    assert store.verify(0, lambda done, most: None).pruned == removed
    assert store.prune(cut + HOUR - 1, 30) == 0


def test_a_call_goes_whole(store: SqliteStore) -> None:
    """All attempts of a call go at once: they were received in the same millisecond."""
    store.append([entry(str(number), attempt) for number in range(3) for attempt in (1, 2)])
    assert store.prune(MIDNIGHT + HOUR, 1) == 6


def test_what_comes_late(store: SqliteStore) -> None:
    """An entry of an hour whose entries are gone is added, counted, and goes with the next piece."""
    store.append([entry(cost=5, accounts=accounts((1, 0)))])
    store.prune(MIDNIGHT + DAY, 10)
    store.append([entry(cost=6, accounts=accounts((1, 0)))])
    assert ok(store) and store.posted(1, 0) == 11 and store.usage(0, 2**60)[0].calls == 2
    assert store.prune(MIDNIGHT + DAY, 10) == 1
    assert ok(store) and left(store) == []


@pytest.mark.parametrize("where", ["hours", "pruned_hours", "pruned_charges"])
def test_what_is_changed_is_found(store: SqliteStore, where: str) -> None:
    """What removed entries came to cannot be changed unseen either."""
    store.append([entry(cost=5, accounts=accounts((1, 0)), started=MIDNIGHT + at * HOUR) for at in range(9)])
    store.prune(MIDNIGHT + 5 * HOUR, 100)
    assert ok(store)
    store._db.execute(f"UPDATE {where} SET cost = cost + 1")  # noqa: S608
    assert not store.verify(0, lambda done, most: None).ok


def test_ranges_within_removed_hours(store: SqliteStore) -> None:
    """Where entries are gone a report has whole hours, and says which range it is for."""
    store.append([entry(started=MIDNIGHT + number * HOUR // 2) for number in range(10)])
    store.prune(MIDNIGHT + 2 * HOUR, 100)
    assert store.span(MIDNIGHT + 1, MIDNIGHT + 5 * HOUR + 1) == (MIDNIGHT, MIDNIGHT + 5 * HOUR + 1)
    assert store.span(MIDNIGHT + 1, MIDNIGHT + HOUR + 1) == (MIDNIGHT, MIDNIGHT + 2 * HOUR)
    assert store.span(MIDNIGHT + 2 * HOUR + 1, MIDNIGHT + 3 * HOUR) == (MIDNIGHT + 2 * HOUR + 1, MIDNIGHT + 3 * HOUR)
    assert store.usage(MIDNIGHT, MIDNIGHT + 2 * HOUR)[0].calls == 4
    assert store.usage(MIDNIGHT + 2 * HOUR + 1, MIDNIGHT + 3 * HOUR)[0].calls == 1
