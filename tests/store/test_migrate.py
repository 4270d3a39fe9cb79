"""Bringing a schema up to date."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from encke.store import migrate as migrate_module
from encke.store.migrate import migrate
from encke.store.migrations import STEPS, sql
from encke.store.opening import open_writer
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "encke.db"


def test_every_step_once(path: Path) -> None:
    """A new store takes every step, a current one none."""
    db = open_writer(path)
    assert migrate(db, path) == len(STEPS) == db.pragma("user_version")
    assert migrate(db, path) == 0
    db.close()


def test_steps_are_numbered_and_strict() -> None:
    """Steps are named by their number, and make only STRICT tables."""
    for number, step in enumerate(STEPS, start=1):
        assert step.startswith(f"{number:04d}_")
        for table in re.findall(r"CREATE TABLE .*?;", sql(step), re.DOTALL):
            assert re.search(r"\) STRICT(, WITHOUT ROWID)?;$", table), table


def test_newer_store_is_refused(path: Path) -> None:
    """A store of a newer version is refused and not touched."""
    SqliteStore.open(path).close()
    db = apsw.Connection(str(path))
    db.pragma("user_version", len(STEPS) + 1)
    db.close()
    for way in (SqliteStore.open, SqliteStore.open_read_only):
        with pytest.raises(StoreError, match=f"newer version of Encke .schema {len(STEPS) + 1}, this one knows"):
            way(path)


def test_older_store_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older store is refused by a reader, and takes the missing step when it is opened for writing."""
    SqliteStore.open(path).close()
    monkeypatch.setattr(migrate_module, "STEPS", (*STEPS, "next"))
    monkeypatch.setattr(migrate_module, "sql", lambda step: {"next": "CREATE TABLE more (a TEXT) STRICT"}[step])
    with pytest.raises(StoreError, match="older schema"):
        SqliteStore.open_read_only(path)
    store = SqliteStore.open(path)
    store.close()
    db = apsw.Connection(str(path))
    assert db.pragma("user_version") == len(STEPS) + 1
    assert db.execute("SELECT count(*) FROM more").get == 0
    db.close()


def test_failed_step_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails half way leaves the store as it was."""
    SqliteStore.open(path).close()
    monkeypatch.setattr(migrate_module, "STEPS", (*STEPS, "next"))
    monkeypatch.setattr(migrate_module, "sql", lambda step: "CREATE TABLE half (a TEXT) STRICT; nonsense")
    with pytest.raises(StoreError):
        SqliteStore.open(path)
    monkeypatch.undo()
    store = SqliteStore.open(path)
    assert store._db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").get == 0
    store.close()


def test_foreign_database_is_refused(path: Path) -> None:
    """A database of another program is refused before anything is written into it."""
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE theirs (a)")
    db.close()
    for way in (SqliteStore.open, SqliteStore.open_read_only):
        with pytest.raises(StoreError, match="not a store of Encke"):
            way(path)
    db = apsw.Connection(str(path))
    assert [row[0] for row in db.execute("SELECT name FROM sqlite_schema")] == ["theirs"]
    db.close()
