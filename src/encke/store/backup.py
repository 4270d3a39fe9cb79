"""A copy of a store while it is used."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import apsw

from encke.core.paths import flush
from encke.store.opening import quick_check
from encke.store.trouble import plainly


def backup(db: apsw.Connection, to: Path) -> int:
    """See `Store.backup`. Until it is whole and checked, the copy is called `NAME.part`."""
    if to.exists():
        raise FileExistsError(f"{to} is there already; choose another name, nothing is overwritten")
    part = to.with_name(to.name + ".part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise FileExistsError(f"{part} is there: a copy is being made, or was broken off; then remove it") from None
    try:
        with plainly(part):
            _copy(db, part)
        flush(part)
        os.link(part, to)  # unlike a renaming, this overwrites nothing
        flush(to.parent)
        return to.stat().st_size
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _copy(db: apsw.Connection, part: Path) -> None:
    copy = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        copy.execute("PRAGMA synchronous = OFF")
        # SQLite's own way (https://sqlite.org/backup.html), in one step, so that it is of one moment.
        with copy.backup("main", db, "main") as pages:
            pages.step(-1)
        # One file, with nothing beside it; who opens it as a store makes it a WAL again.
        copy.execute("PRAGMA journal_mode = DELETE")
        quick_check(copy, part)
    finally:
        copy.close()
