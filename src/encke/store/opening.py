"""Opening a SQLite file: who may write, and which rules hold on a connection."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import apsw

from encke.store.port import StoreError

# Below it SQLite can lose committed pages when two connections checkpoint at the same time (the WAL-reset bug, fixed in
# 3.51.3, https://sqlite.org/wal.html#walresetbug).
OLDEST_SQLITE = (3, 51, 3)

BUSY_MS = 5_000

_EVERYWHERE = (
    "PRAGMA trusted_schema = OFF",  # no function or virtual table of ours runs from a schema somebody else wrote
    "PRAGMA cell_size_check = ON",  # a damaged page is found when it is read
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -65536",  # KiB; the indexes' hot pages must stay in it, or inserting slows down
)
_WRITER = (
    "PRAGMA synchronous = FULL",  # a committed key, and a shipped journal's mark, must outlive the power
    "PRAGMA wal_autocheckpoint = 0",  # the writer checkpoints when it suits it
    "PRAGMA journal_size_limit = 67108864",  # 64 MiB
)


def check_sqlite() -> None:
    """Raises StoreError if the SQLite that apsw was built with is too old to be trusted with WAL."""
    found = apsw.sqlite_lib_version()
    if tuple(map(int, found.split(".")[:3])) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(f"SQLite {found} has a known fault that loses data; install an apsw with {oldest} or newer")


def open_writer(path: Path, patience_ms: int = BUSY_MS) -> apsw.Connection:
    """A connection that may write. The file is made, for its owner only, if it is not there; if somebody holds it, that
    is waited for. Raises apsw.Error, StoreError."""
    check_sqlite()
    with contextlib.suppress(OSError):  # SQLite says it better in a moment
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    # One thread uses it, so SQLite need not guard it against others.
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX)
    try:
        db.set_busy_timeout(patience_ms)
        if db.execute("PRAGMA journal_mode = WAL").get != "wal":
            raise StoreError(f"the store {path} cannot use a write-ahead log; put it on a local disk")
        _rules(db, _EVERYWHERE + _WRITER)
    except BaseException:
        db.close()
        raise
    return db


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads. Raises apsw.Error, StoreError."""
    check_sqlite()
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(BUSY_MS)
        _rules(db, (*_EVERYWHERE, "PRAGMA query_only = ON"))
    except BaseException:
        db.close()
        raise
    return db


def quick_check(db: apsw.Connection, path: Path) -> None:
    """Reads the whole file. Raises StoreError at the first fault found."""
    found = db.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise StoreError(f"the store {path} is damaged; put it back from a backup ({found})")


@contextlib.contextmanager
def writing(db: apsw.Connection) -> Iterator[None]:
    """A transaction that writes. (`with db` of apsw would hide a full disk behind "no transaction is active": SQLite
    has rolled back by itself then.)"""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def reading(db: apsw.Connection) -> Iterator[None]:
    """A transaction that reads: all of it sees one state, and takes no write lock."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def _rules(db: apsw.Connection, pragmas: tuple[str, ...]) -> None:
    for pragma in pragmas:
        db.execute(pragma)
