"""Entries as rows of the table and back; the order of the columns is the order of Entry's fields, usage spread out."""

from __future__ import annotations

from typing import Any

from encke.core.usage import Usage
from encke.ledger.entry import Entry

COLUMNS = (
    *("call", "attempt", "key", "route", "asked", "provider", "model", "status", "reason", "http_status"),
    *("stream", "final", "started", "dispatched", "first_us", "total_us"),
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input"),
    *("output", "reasoning", "audio_output", "estimated"),
    *("cost", "price_version", "received", "client_request_id"),
)

INSERT = (
    "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?, ?,?,?,?,?,?, ?,?,?,?,?, ?,?,?,?, ?,?,?,?)"
    " ON CONFLICT (call, attempt) DO NOTHING"
)

# Upstreams report tokens, and may report nonsense. A number beyond every possible answer is cut down to this, so that
# it can neither be refused by SQLite (64 bits), which would stop the shipping of all entries behind it, nor overflow a
# sum. The cost of such a row is nonsense too; at $100 per million tokens it would stay below the second figure.
MOST = 10**11
MOST_COST = 10**16

Row = tuple[Any, ...]


def row_of(e: Entry) -> Row:
    """The values to bind for one entry."""
    u = e.usage
    counts: tuple[int, ...] = (
        *(e.first_us, e.total_us, u.input, u.cache_read, u.cache_write_5m, u.cache_write_1h, u.audio_input),
        *(u.output, u.reasoning, u.audio_output),
    )
    cost = e.cost
    if max(counts) > MOST or min(counts) < 0:
        counts = tuple(min(max(count, 0), MOST) for count in counts)
        cost = None if cost is None else min(max(cost, 0), MOST_COST)
    return (
        *(e.call, e.attempt, e.key, e.route, e.asked, e.provider, e.model, e.status, e.reason, e.http_status),
        *(e.stream, e.final, e.started, e.dispatched),
        *counts,
        *(u.estimated, cost, e.price_version, e.received, e.client_request_id),
    )


def entry_of(row: Row) -> Entry:
    """The entry that a row of COLUMNS holds."""
    named: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    for flag in ("stream", "final", "estimated"):
        named[flag] = bool(named[flag])
    usage = Usage(**{field: named.pop(field) for field in Usage.__struct_fields__})
    return Entry(**named, usage=usage)
