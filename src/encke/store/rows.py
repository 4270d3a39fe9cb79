"""Entries as rows of the table and back; the order of the columns is the order of Entry's fields, usage spread out."""

from __future__ import annotations

from typing import Any

from msgspec.structs import astuple

from encke.core.usage import Usage
from encke.ledger.entry import Entry

COLUMNS = (
    *("call", "attempt", "key", "route", "asked", "provider", "model", "status", "reason", "http_status"),
    *("stream", "final", "started", "dispatched", "first_us", "total_us"),
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input"),
    *("output", "reasoning", "audio_output", "estimated"),
    *("cost", "price_version", "received", "client_request_id", "credential"),
)

INSERT = (
    "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?, ?,?,?,?,?,?, ?,?,?,?,?, ?,?,?,?, ?,?,?,?,?)"
    " ON CONFLICT (call, attempt) DO NOTHING"
)

# Upstreams report tokens, and may report nonsense. A number beyond every possible answer is cut down to this, so that
# it can neither be refused by SQLite (64 bits), which would stop the shipping of all entries behind it, nor overflow a
# sum. The cost of such a row is nonsense too; at $100 per million tokens it would stay below the second figure.
MOST = 10**11
MOST_COST = 10**16

Row = tuple[Any, ...]

_USAGE_AT = Entry.__struct_fields__.index("usage")


def row_of(e: Entry) -> Row:
    """The values to bind for one entry."""
    row = astuple(e)
    usage = astuple(e.usage)
    if max(usage) > MOST or min(usage) < 0 or not (0 <= e.first_us <= MOST and 0 <= e.total_us <= MOST):
        return _cut_down(row, usage)
    return row[:_USAGE_AT] + usage + row[_USAGE_AT + 1 :]


def _cut_down(row: Row, usage: Row) -> Row:
    counts = tuple(min(max(count, 0), MOST) for count in (*row[_USAGE_AT - 2 : _USAGE_AT], *usage[:-1]))
    cost, *rest = row[_USAGE_AT + 1 :]
    cost = None if cost is None else min(max(cost, 0), MOST_COST)
    return (*row[: _USAGE_AT - 2], *counts, usage[-1], cost, *rest)


def entry_of(row: Row) -> Entry:
    """The entry that a row of COLUMNS holds."""
    named: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    for flag in ("stream", "final", "estimated"):
        named[flag] = bool(named[flag])
    usage = Usage(**{field: named.pop(field) for field in Usage.__struct_fields__})
    return Entry(**named, usage=usage)
