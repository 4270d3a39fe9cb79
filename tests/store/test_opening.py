"""The rules of a connection, and what is refused."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from encke.store.opening import open_reader, open_writer
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from tests.store.contract import entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "encke.db"


def test_rules_of_the_writer(path: Path) -> None:
    """The writer has every rule that the crash-safe path needs."""
    db = open_writer(path)
    rules = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1, "trusted_schema": 0}
    rules |= {"cell_size_check": 1, "wal_autocheckpoint": 0, "journal_size_limit": 64 * 1024 * 1024, "query_only": 0}
    assert {name: db.pragma(name) for name in rules} == rules
    db.close()


def test_rules_of_the_reader(path: Path) -> None:
    """A reader can only read."""
    open_writer(path).close()
    db = open_reader(path)
    assert db.pragma("query_only") == 1 and db.readonly("main") and db.pragma("trusted_schema") == 0
    db.close()


def test_reader_makes_no_file(path: Path) -> None:
    """Opening for reading what is not there fails and makes nothing."""
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore.open_read_only(path)
    assert not path.exists()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_old_sqlite_is_refused(path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite with the WAL-reset fault is refused, for writing and for reading."""
    SqliteStore.open(path).close()
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    for way in (SqliteStore.open, SqliteStore.open_read_only):
        with pytest.raises(StoreError, match=f"SQLite {version} has a known fault"):
            way(path)


def test_garbage_is_refused(path: Path) -> None:
    """A file that is no database is refused and left as it is."""
    path.write_bytes(b"hello " * 1000)
    for way in (SqliteStore.open, SqliteStore.open_read_only):
        with pytest.raises(StoreError, match="is not a database"):
            way(path)
    assert path.read_bytes() == b"hello " * 1000


def test_damage_is_found_at_opening(path: Path) -> None:
    """A page in the middle that was overwritten is found when the store is opened, before anything is written."""
    store = SqliteStore.open(path)
    store.append([entry() for _ in range(500)])
    store.close()
    whole = path.read_bytes()
    page = 4096
    for number in range(20, 24):
        path.write_bytes(whole[: number * page] + b"\xa5" * page + whole[(number + 1) * page :])
        with pytest.raises(StoreError, match="is damaged; put it back from a backup"):
            SqliteStore.open(path)
    path.write_bytes(whole[: 10 * page])
    with pytest.raises(StoreError, match="damaged"):
        SqliteStore.open(path)


def test_the_files_of_a_folder_are_refused(tmp_path: Path) -> None:
    """A folder in the place of the store is refused with a sentence."""
    (tmp_path / "encke.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore.open(tmp_path / "encke.db")
