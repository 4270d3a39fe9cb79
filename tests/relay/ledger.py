"""What the ledger says, read from the outside."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

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
    reasoning: int
    estimated: int
    received: int
    credential: str = ""
    cache_read: int = 0


def lines(gateway: Gateway, call: str, seconds: float = 30.0) -> list[Line]:
    """A call's entries by attempt, once the final one is there. Raises AssertionError when it does not come."""
    columns = ", ".join(Line.__dataclass_fields__)
    query = f"SELECT {columns} FROM entries WHERE call = ? ORDER BY attempt"  # noqa: S608
    deadline = time.monotonic() + seconds
    while True:
        found = [Line(*row) for row in _rows(gateway, query, (call,))]
        if found and found[-1].final:
            return found
        assert time.monotonic() < deadline, f"no final entry of {call} within {seconds} s: {found}"
        time.sleep(0.02)


def finished(gateway: Gateway, calls: Collection[str], seconds: float = 30.0) -> dict[str, list[Line]]:
    """The entries of each call by attempt, once every call has its final one. Raises AssertionError otherwise."""
    query = f"SELECT call, {', '.join(Line.__dataclass_fields__)} FROM entries ORDER BY call, attempt"  # noqa: S608
    deadline = time.monotonic() + seconds
    while True:
        found: dict[str, list[Line]] = {call: [] for call in calls}
        for call, *values in _rows(gateway, query, ()):
            if call in found:
                found[call].append(Line(*values))
        missing = [call for call, lines in found.items() if not (lines and lines[-1].final)]
        if not missing:
            return found
        assert time.monotonic() < deadline, f"{len(missing)} calls without a final entry, such as {missing[:3]}"
        time.sleep(0.2)


def by_model(gateway: Gateway, models: Collection[str], seconds: float = 30.0) -> dict[str, list[Line]]:
    """The entries by upstream model, once every model has a final one. Raises AssertionError otherwise."""
    query = f"SELECT {', '.join(Line.__dataclass_fields__)} FROM entries ORDER BY call, attempt"  # noqa: S608
    deadline = time.monotonic() + seconds
    while True:
        found: dict[str, list[Line]] = {}
        for values in _rows(gateway, query, ()):
            line = Line(*values)
            found.setdefault(line.model, []).append(line)
        missing = [model for model in models if not any(line.final for line in found.get(model, ()))]
        if not missing:
            return found
        assert time.monotonic() < deadline, f"{len(missing)} models without a final entry, such as {missing[:3]}"
        time.sleep(0.2)


def of_model(gateway: Gateway, model: str) -> list[Line]:
    """The entries of an upstream model so far, call by call and attempt by attempt."""
    columns = ", ".join(Line.__dataclass_fields__)
    query = f"SELECT {columns} FROM entries WHERE model = ? ORDER BY call, attempt"  # noqa: S608
    return [Line(*row) for row in _rows(gateway, query, (model,))]


def statuses(gateway: Gateway, calls: Collection[str], seconds: float = 30.0) -> dict[str, list[str]]:
    """The statuses of the entries of each call, once all calls have one. Raises AssertionError when one has none."""
    deadline = time.monotonic() + seconds
    while True:
        found: dict[str, list[str]] = {call: [] for call in calls}
        for call, status in _rows(gateway, "SELECT call, status FROM entries", ()):
            if call in found:
                found[call].append(status)
        missing = [call for call, entries in found.items() if not entries]
        if not missing:
            return found
        assert time.monotonic() < deadline, f"{len(missing)} calls without an entry, such as {missing[:3]}"
        time.sleep(0.1)


Told = tuple[str, str, int, int, bool]


def tokens(gateway: Gateway, models: Collection[str], seconds: float = 30.0) -> dict[str, Told]:
    """By upstream model: status, reason, tokens read and written, whether estimated; once every model has some.

    Raises AssertionError when a model has no entry, or more than one.
    """
    read = "input + cache_read + cache_write_5m + cache_write_1h + audio_input + image_input"
    written = "output + reasoning + audio_output + image_output"
    query = f"SELECT model, status, reason, {read}, {written}, estimated FROM entries"  # noqa: S608
    wanted, deadline = set(models), time.monotonic() + seconds
    while True:
        rows = [row for row in _rows(gateway, query, ()) if row[0] in wanted]
        found = {row[0]: (row[1], row[2], row[3], row[4], bool(row[5])) for row in rows}
        if len(found) == len(wanted):
            assert len(rows) == len(found), "a call has more than one entry"
            return found
        assert time.monotonic() < deadline, f"{len(wanted) - len(found)} calls without an entry"
        time.sleep(0.2)


def _rows(gateway: Gateway, query: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
    flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
    db = apsw.Connection(f"file:{gateway.data / 'encke.db'}?mode=ro", flags=flags)
    try:
        db.set_busy_timeout(2000)
        return list(db.execute(query, values))
    finally:
        db.close()
