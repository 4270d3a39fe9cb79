"""What entries add up to, by the hour, and what leases are charged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec
import pytest

from encke.core.usage import Usage
from encke.ledger.entry import NOTHING, Entry
from encke.store import posting
from encke.store.migrations import STEPS, sql
from encke.store.posting import add_up
from encke.store.rows import BUCKETS, INSERT, row_of
from encke.store.sqlite import SqliteStore
from encke.store.sums import LINE, SUMS
from tests.store.contract import HOUR, MIDNIGHT, accounts, entry

# The sums again, in words of SQL, as the migration has them.
OF_ENTRIES = sql("0005_money.sql").split("INSERT INTO hours\n")[1].rstrip().removesuffix(";")
ALL_HOURS = "SELECT * FROM hours ORDER BY hour, line"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    store = SqliteStore.open(tmp_path / "encke.db")
    yield store
    store.close()


def some(rng: random.Random) -> Entry:
    """An entry of any kind, in one of three hours."""
    usage = Usage(estimated=rng.random() < 0.3)
    usage = msgspec.structs.replace(usage, **{name: rng.choice((0, 1, 1000)) for name in BUCKETS})
    cost = rng.choice((None, 0, 5))
    return entry(
        attempt=rng.randint(0, 3),
        started=MIDNIGHT + rng.randint(0, 3 * HOUR - 1),
        key=rng.choice("AB"),
        project=rng.randint(1, 2),
        asked=rng.choice(("fast", "")),
        provider=rng.choice("pq"),
        model=rng.choice("mn"),
        credential=rng.choice(("", "spare")),
        status=rng.choice(("complete", "client_closed", "refused", "orphan")),
        final=rng.random() < 0.7,
        usage=Usage() if rng.random() < 0.2 else usage,
        cost=cost,
        price_version="2026-10-01" if cost else "free",
        accounts=rng.choice((NOTHING, accounts((1, 0)), accounts((1, 0), (2, 0)))),
    )


def hours(store: SqliteStore) -> list[tuple[object, ...]]:
    """The sums that the store keeps."""
    return list(store._db.execute(ALL_HOURS))


def test_hours_are_the_sums_of_entries(store: SqliteStore) -> None:
    """Batch by batch, with entries that come again, the sums kept are those that SQL finds in the entries."""
    rng = random.Random(5)
    sent: list[Entry] = []
    for _ in range(40):
        batch = [some(rng) for _ in range(rng.choice((1, 5, 60)))] + rng.choices(sent, k=min(3, len(sent)))
        sent += batch
        store.append(batch)
    assert len(hours(store)) > 100
    assert hours(store) == list(store._db.execute(f"{OF_ENTRIES} ORDER BY 1, 2"))


def test_hours_of_entries_from_before(tmp_path: Path) -> None:
    """A store whose entries are older than the sums has them added up when it is brought up to date."""
    db = apsw.Connection(str(tmp_path / "encke.db"))
    for step in STEPS[:4]:
        db.execute(sql(step))
    old = [row_of(entry(started=MIDNIGHT + number * HOUR // 3, cost=None if number % 5 else 7)) for number in range(30)]
    old_columns = len(db.execute("PRAGMA table_info(entries)").fetchall())
    for row in old:
        db.execute(f"INSERT INTO entries VALUES ({','.join('?' * old_columns)})", row[:old_columns])  # noqa: S608
    db.pragma("user_version", 4)
    db.pragma("application_id", 0x456E636B)
    db.close()
    store = SqliteStore.open(tmp_path / "encke.db")
    before = hours(store)
    assert len(before) == 10 and store.usage(0, 2**60)[0].calls == 30
    again = SqliteStore.open(tmp_path / "again.db")
    again.append([entry(started=MIDNIGHT + number * HOUR // 3, cost=None if number % 5 else 7) for number in range(30)])
    assert before == hours(again)
    again.close()
    store.close()


def test_leases_are_posted(store: SqliteStore) -> None:
    """Costs are charged to the lease of the worker whose entries they are, also where it has no row yet; without a
    worker to none."""
    store._db.execute("INSERT INTO leases VALUES (7, 1, 0, 500, 20)")
    store.append([entry(accounts=accounts((1, 0), (2, 0)), cost=3)], 7)
    store.append([entry(accounts=accounts((1, 0)), cost=4)], 8)
    store.append([entry(accounts=accounts((1, 0)), cost=5)])
    assert list(store._db.execute("SELECT * FROM leases")) == [(7, 1, 0, 500, 23), (7, 2, 0, 0, 3), (8, 1, 0, 0, 4)]


def test_memory_is_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names callers ask for, the keeper remembers some of them, and the sums are right."""
    monkeypatch.setattr(posting, "_REMEMBERED", 10)
    for _ in range(2):
        for number in range(50):
            store.append([entry(asked=f"odd{number}", accounts=accounts((number, 0)), cost=1)])
    assert len(store._books._lines) < 15
    assert (
        store._db.execute("SELECT count(*) FROM lines").get == store._db.execute("SELECT count(*) FROM hours").get == 50
    )
    assert [store.posted(number, 0) for number in range(50)] == [2] * 50


def test_columns() -> None:
    """The table has the sums in the order in which they are bound."""
    db = apsw.Connection(":memory:")
    for step in STEPS:
        db.execute(sql(step))
    assert [name for _, name, *_ in db.execute("PRAGMA table_info(hours)")] == ["hour", "line", *SUMS]
    assert [name for _, name, *_ in db.execute("PRAGMA table_info(lines)")] == ["id", *LINE]


def test_add_up() -> None:
    """Counts follow from what is alike, the rest is added; what used tokens and has no price is unpriced."""
    rows = [row_of(entry(cost=cost, usage=usage)) for cost, usage in ((5, Usage(1)), (None, Usage(2)), (None, Usage()))]
    sums = dict(zip(SUMS, add_up((1, True, "refused", False), rows), strict=True))
    assert sums["calls"] == sums["ended"] == sums["failed"] == sums["attempts"] == sums["failed_attempts"] == 3
    assert (sums["priced"], sums["cost"], sums["unpriced"], sums["estimated"], sums["input"]) == (1, 5, 1, 0, 3)
    assert INSERT.count("?") == len(rows[0])
