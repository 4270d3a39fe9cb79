"""What the ledger says, read from the outside."""

from __future__ import annotations

import time
from dataclasses import dataclass

import apsw

from tests.support.gateway import Gateway


@dataclass(frozen=True)
class Line:
    """The columns of an entry that these tests look at."""

    attempt: int
    provider: str
    model: str
    status: str
    reason: str
    http_status: int
    final: int
    input: int
    output: int
    estimated: int
    received: int


def lines(gateway: Gateway, call: str, seconds: float = 10.0) -> list[Line]:
    """A call's entries by attempt, once the final one is there. Raises AssertionError when it does not come."""
    columns = ", ".join(Line.__dataclass_fields__)
    deadline = time.monotonic() + seconds
    while True:
        db = apsw.Connection(
            f"file:{gateway.data / 'encke.db'}?mode=ro", flags=apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
        )
        try:
            db.set_busy_timeout(2000)
            query = f"SELECT {columns} FROM entries WHERE call = ? ORDER BY attempt"  # noqa: S608
            found = [Line(*row) for row in db.execute(query, (call,))]
        finally:
            db.close()
        if found and found[-1].final:
            return found
        assert time.monotonic() < deadline, f"no final entry of {call} within {seconds} s: {found}"
        time.sleep(0.02)
