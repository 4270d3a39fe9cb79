"""Leases in SQLite: what their commits cost, and what happens when they cannot be made."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from tests.store.broken_disk import Disk
from tests.store.contract import entry

FULL = 2


def synchronous(store: SqliteStore) -> object:
    """What commits wait for."""
    return store._db.execute("PRAGMA synchronous").get


def test_a_grant_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    """It flushes nothing, and the entries after it are flushed as ever."""
    with Disk() as disk:
        store = SqliteStore.open(tmp_path / "encke.db")
        store.append([entry()])

        def flushes() -> int:
            return sum(event.what == "sync" for event in disk.log)

        before = flushes()
        for number in range(20):
            store.grant([(7, 1, 0, number)], [(1, number)])
        store.forget_leases(7)
        assert flushes() == before > 0
        assert synchronous(store) == FULL
        store.append([entry()])
        assert flushes() > before
        store.close()


def test_somebody_else_holds_the_store(tmp_path: Path) -> None:
    """It is not waited for; nothing is granted, and commits are flushed as before afterwards."""
    store = SqliteStore.open(tmp_path / "encke.db")
    other = apsw.Connection(str(tmp_path / "encke.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.grant([(7, 1, 0, 5)], [])
    assert synchronous(store) == FULL
    with pytest.raises(StoreError, match="locked"):
        store.forget_leases(7)
    assert synchronous(store) == FULL
    other.execute("ROLLBACK")
    other.close()
    assert store.leases() == []
    store.grant([(7, 1, 0, 5)], [])
    assert store.leases() == [(7, 1, 0, 5, 0)]
    store.close()
