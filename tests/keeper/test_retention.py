"""Entries that are too old are removed, and none that could come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.keeper import retention as module
from encke.keeper.keeper import Keeper
from encke.keeper.retention import DAY_MS, LOOK_SECONDS, PIECE, Retention
from encke.store.sqlite import SqliteStore
from tests.keeper.test_shipper import House
from tests.keeper.test_shipper import house as house
from tests.store.contract import entry

NOW = 1_798_761_600_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    store = SqliteStore.open(tmp_path / "encke.db")
    yield store
    store.close()


def left(store: SqliteStore) -> int:
    """How many entries there are."""
    return int(store._db.execute("SELECT count(*) FROM entries").get)


def test_old_entries_go_in_pieces(store: SqliteStore) -> None:
    """Small pieces with rests between them, until none is too old; then it looks once a minute."""
    store.append([entry(started=NOW - 8 * DAY_MS + number) for number in range(2 * PIECE + 10)])
    store.append([entry(started=NOW - 6 * DAY_MS)])
    retention = Retention(store, 7, lambda: NOW)
    assert [retention.step(at, []) for at in (0.0, 0.0, 5.0, 10.0, 15.0, 15.0 + LOOK_SECONDS - 1)] == [
        *(PIECE, 0, PIECE),
        *(10, 0, 0),
    ]
    assert left(store) == 1 and store.usage(0, 2**60)[0].calls == 2 * PIECE + 11
    store.append([entry(started=NOW - 9 * DAY_MS)])
    assert retention.step(15.0 + LOOK_SECONDS + 1, []) == 1
    assert store.verify(NOW, lambda done, most: None).ok


def test_for_ever(store: SqliteStore) -> None:
    """Without a limit nothing is ever removed."""
    store.append([entry(started=1)])
    assert Retention(store, None).step(0.0, []) == 0 and left(store) == 1


def keeper_of(house: House) -> Keeper:
    """A keeper that keeps entries for a week."""
    keeper = Keeper(house.store, b"p" * 32, house.paths, 1 << 20, lambda event, more: None, retention=7)
    keeper.recover()
    return keeper


def test_what_could_come_back_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that lie in a journal yet stay, however old: the next keeper reads them again, and would add them a
    second time. When the journal goes, they go."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.5)
    house.write(range(20))
    keeper = keeper_of(house)
    for _ in range(3):
        house.tick(keeper)
    assert left(house.store) == 20
    keeper = keeper_of(house)
    for _ in range(3):
        house.tick(keeper)
    (total,) = house.store.usage(0, 2**60)
    assert left(house.store) == total.calls == 20
    house.die()
    for _ in range(4):
        house.tick(keeper)
    assert left(house.store) == 0 and house.store.usage(0, 2**60)[0].calls == 20
    assert house.store.verify(NOW, lambda done, most: None).ok
