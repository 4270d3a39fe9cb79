"""SQLite's errors as sentences for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from encke.store.port import StoreError

# First match wins: the derived classes of apsw.Error are siblings, the last row is their base.
_SENTENCES: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "the disk that holds the store {path} is full; free some space"),
    (apsw.BusyError, "the store {path} is locked by another process; wait, or stop whoever uses it"),
    (apsw.LockedError, "the store {path} is locked by another process; wait, or stop whoever uses it"),
    (apsw.ReadOnlyError, "the store {path} cannot be written; check the owner and mode of the file and its folder"),
    (apsw.PermissionsError, "the store {path} cannot be used; check the owner and mode of the file and its folder"),
    (apsw.CantOpenError, "the store {path} cannot be opened; check that its folder exists, and its owner and mode"),
    (apsw.NotADBError, "{path} is not a database; move it away, or put the store back from a backup"),
    (apsw.CorruptError, "the store {path} is damaged; put it back from a backup"),
    (apsw.IOError, "reading or writing the store {path} failed; check the disk"),
    (apsw.Error, "the store {path} failed"),
)


def sentence(error: apsw.Error, path: Path) -> str:
    """What happened and what to do, with SQLite's own words in brackets."""
    text = next(text for kind, text in _SENTENCES if isinstance(error, kind))
    return f"{text.format(path=path)} ({type(error).__name__}: {error})"


@contextlib.contextmanager
def plainly(path: Path) -> Iterator[None]:
    """Turns any error of SQLite into StoreError."""
    try:
        yield
    except apsw.Error as error:
        raise StoreError(sentence(error, path)) from error
