"""Copies of a store in use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from encke.store import backup as module
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from tests.store.contract import accounts, entry, key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with something in it, some of it in the write-ahead log only."""
    store = SqliteStore.open(tmp_path / "encke.db")
    store.add_key(*key(1))
    store.append([entry(accounts=accounts((1, 0))) for _ in range(500)])
    store.checkpoint()
    store.append([entry(accounts=accounts((1, 0))) for _ in range(50)])
    yield store
    store.close()


def test_a_copy(store: SqliteStore, tmp_path: Path) -> None:
    """A copy is one file for its owner only, with everything in it, and can be used as a store."""
    to = tmp_path / "copies" / "monday.db"
    to.parent.mkdir()
    reader = SqliteStore.open_read_only(store.path)
    size = reader.backup(to)
    reader.close()
    assert os.listdir(to.parent) == ["monday.db"]
    assert to.stat().st_size == size > 100_000 and to.stat().st_mode & 0o777 == 0o600
    copy = SqliteStore.open(to)
    assert copy.list_keys() == store.list_keys() and copy.posted(1, 0) == 550 * 1_234
    assert copy.verify(0, lambda done, most: None, True).ok
    copy.append([entry()])
    assert copy.usage(0, 2**60)[0].calls == 551 == store.usage(0, 2**60)[0].calls + 1
    copy.close()


def test_nothing_is_overwritten(store: SqliteStore, tmp_path: Path) -> None:
    """A file that is there is left alone, also if it comes to be there in the meantime, and so is another copy that is
    being made."""
    for name in ("there.db", "other.db.part"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(FileExistsError):
            store.backup(tmp_path / name.removesuffix(".part"))
        assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(FileNotFoundError):
        store.backup(tmp_path / "nowhere" / "a.db")


def test_a_copy_that_fails_leaves_nothing(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told with the file's name, and nothing lies there that could be taken for a copy."""

    def full(*_: object) -> None:
        raise apsw.FullError("no")

    monkeypatch.setattr(module, "quick_check", full)
    with pytest.raises(StoreError, match=r"that holds the store .*copy\.db\.part is full"):
        store.backup(tmp_path / "copy.db")
    assert not [name for name in os.listdir(tmp_path) if name.startswith("copy")]


def test_while_it_is_written(store: SqliteStore, tmp_path: Path) -> None:
    """Copies made while entries are added are each of one moment: they add up, and batches are in them whole."""
    over = threading.Event()

    def write() -> None:
        writer = SqliteStore.open(store.path, check=False)
        while not over.is_set():
            writer.append([entry(accounts=accounts((1, 0), (2, 0)), cost=7) for _ in range(40)])
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        reader = SqliteStore.open_read_only(store.path)
        for number in range(5):
            reader.backup(tmp_path / f"{number}.db")
        reader.close()
    finally:
        over.set()
        thread.join(30)
    counts = []
    for number in range(5):
        copy = SqliteStore.open_read_only(tmp_path / f"{number}.db")
        verdict = copy.verify(0, lambda done, most: None)
        assert verdict.ok and (verdict.entries - 550) % 40 == 0
        counts.append(verdict.entries)
        copy.close()
    assert counts == sorted(counts)
