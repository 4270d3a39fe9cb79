"""Bringing a store's schema up to date."""

from __future__ import annotations

from pathlib import Path

import apsw

from encke.store.migrations import STEPS, sql
from encke.store.opening import writing
from encke.store.port import StoreError

# "Enck": marks a database as a store of Encke (https://sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x456E636B


def schema_version(db: apsw.Connection) -> int:
    """How many steps the store has had."""
    return int(db.execute("PRAGMA user_version").get)


def check_known(db: apsw.Connection, path: Path) -> None:
    """Raises StoreError if the store is newer than this version of Encke, or is not a store of Encke at all."""
    version = schema_version(db)
    if version > len(STEPS):
        raise StoreError(
            f"the store {path} was written by a newer version of Encke "
            f"(schema {version}, this one knows {len(STEPS)}); use that version, or put back a backup from before"
        )
    marked = db.execute("PRAGMA application_id").get == APPLICATION_ID
    if not marked and (version or db.execute("SELECT count(*) FROM sqlite_schema").get):
        raise StoreError(f"{path} is a database, but not a store of Encke; choose another file in store.url")


def check_current(db: apsw.Connection, path: Path) -> None:
    """Raises StoreError if the store has not had every step; for readers, who cannot take them."""
    check_known(db, path)
    version = schema_version(db)
    if version < len(STEPS):
        raise StoreError(
            f"the store {path} has an older schema ({version}, this version of Encke needs {len(STEPS)}); "
            "start the gateway once to bring it up to date"
        )


def migrate(db: apsw.Connection, path: Path) -> int:
    """Take the missing steps, each in a transaction of its own; how many were taken. Raises StoreError, apsw.Error."""
    check_known(db, path)
    taken = 0
    while schema_version(db) < len(STEPS):
        with writing(db):
            # Asked again under the write lock: another process may have been faster.
            done = schema_version(db)
            if done < len(STEPS):
                db.execute(sql(STEPS[done]))
                db.pragma("application_id", APPLICATION_ID)
                db.pragma("user_version", done + 1)
                taken += 1
    return taken
