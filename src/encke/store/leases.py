"""What workers were granted, and how full the buckets of rates are: small tables that are written for every grant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import apsw

from encke.store.port import LeaseRow

_GRANT: Final = (
    "INSERT INTO leases (epoch, limit_id, window, granted) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (epoch, limit_id, window) DO UPDATE SET granted = excluded.granted"
)
_RATE: Final = "INSERT INTO rates VALUES (?, ?) ON CONFLICT (limit_id) DO UPDATE SET tat = excluded.tat"


@contextmanager
def unflushed(db: apsw.Connection) -> Iterator[None]:
    """Commits in here do not wait for the disk: they outlive the process, and are flushed with the next that does."""
    db.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        db.execute("PRAGMA synchronous = FULL")


def leases(db: apsw.Connection) -> list[LeaseRow]:
    """All of them."""
    return [LeaseRow(*row) for row in db.execute("SELECT epoch, limit_id, window, granted, posted FROM leases")]


def rates(db: apsw.Connection) -> list[tuple[int, int]]:
    """All of them."""
    return [(limit, tat) for limit, tat in db.execute("SELECT limit_id, tat FROM rates")]


def grant(db: apsw.Connection, given: Sequence[tuple[int, int, int, int]], rates: Sequence[tuple[int, int]]) -> None:
    """Within a transaction: see `Store.grant`."""
    db.executemany(_GRANT, given)
    db.executemany(_RATE, rates)


def forget(db: apsw.Connection, epoch: int) -> None:
    """Within a transaction: see `Store.forget_leases`."""
    db.execute("DELETE FROM leases WHERE epoch = ?", (epoch,))


def drop(db: apsw.Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Within a transaction: see `Store.drop_leases`."""
    db.executemany("DELETE FROM leases WHERE epoch = ? AND limit_id = ? AND window = ?", rows)
