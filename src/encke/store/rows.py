"""Entries as rows of the table and back; the order of the columns is the order of Entry's fields, usage spread out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from encke.core.usage import Usage
from encke.ledger.entry import NOTHING, Entry

COLUMNS = (
    *("call", "attempt", "key", "route", "asked", "provider", "model", "status", "reason", "http_status"),
    *("stream", "final", "started", "dispatched", "first_us", "total_us"),
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input"),
    *("output", "reasoning", "audio_output", "estimated"),
    *("cost", "price_version", "received", "client_request_id", "credential", "project"),
    # Not where they stand in Entry and Usage: columns are only added at the end.
    *("charge", "image_input", "image_output"),
)

# Disjoint: what is counted in one stands in no other.
BUCKETS: Final = tuple(field for field in Usage.__struct_fields__ if field != "estimated")
ENTRIES: Final = "entries.*, charges.accounts FROM entries JOIN charges ON charges.id = charge"

AT_ONCE: Final = 16

_ROW: Final = f"({','.join('?' * len(COLUMNS))})"
_NOTHING: Final = " ON CONFLICT (call, attempt) DO NOTHING"
INSERT: Final = f"INSERT INTO entries VALUES {_ROW}{_NOTHING}"  # noqa: S608 - all of it is ours
# A statement costs as much to begin and to end as a row does.
INSERT_MANY: Final = f"INSERT INTO entries VALUES {','.join([_ROW] * AT_ONCE)}{_NOTHING}"  # noqa: S608

# Upstreams report tokens, and may report nonsense. A number beyond every possible answer is cut down to this, so that
# it can neither be refused by SQLite (64 bits), which would stop the shipping of all entries behind it, nor overflow a
# sum. The cost of such a row is nonsense too, and cut down to $100,000.
MOST: Final = (1 << 36) - 1
MOST_COST: Final = 10**14

Row = tuple[Any, ...]

_USAGE_AT: Final[int] = Entry.__struct_fields__.index("usage")
_IMAGES_AT: Final[int] = Usage.__struct_fields__.index("image_input")


def row_of(e: Entry, charge: int = 0) -> Row:
    """The values to bind for one entry. `charge` is the id of the set of accounts it is charged to."""
    row = astuple(e)[:-1]
    u = e.usage
    usage: Row = astuple(u)
    # Whole numbers are all within 0 and MOST if all of their bits together are.
    inputs: int = u.input | u.cache_read | u.cache_write_5m | u.cache_write_1h | u.audio_input | u.image_input
    others: int = u.output | u.reasoning | u.audio_output | u.image_output | e.first_us | e.total_us
    if not 0 <= inputs | others <= MOST or not 0 <= (e.cost or 0) <= MOST_COST:
        row, usage = _cut_down(row, usage)
    return (*row[:_USAGE_AT], *usage[:_IMAGES_AT], *row[_USAGE_AT + 1 :], charge, *usage[_IMAGES_AT:])


def batches(rows: Sequence[Row]) -> tuple[list[list[Any]], Sequence[Row]]:
    """What to bind to INSERT_MANY, and then to INSERT for the rest."""
    whole = len(rows) - len(rows) % AT_ONCE
    many = [list(chain.from_iterable(rows[start : start + AT_ONCE])) for start in range(0, whole, AT_ONCE)]
    return many, rows[whole:]


def _cut_down(row: Row, usage: Row) -> tuple[Row, Row]:
    usage = tuple(count if count is True or count is False else min(max(count, 0), MOST) for count in usage)
    times = tuple(min(max(count, 0), MOST) for count in row[_USAGE_AT - 2 : _USAGE_AT])
    none, cost, *rest = row[_USAGE_AT:]
    cost = None if cost is None else min(max(cost, 0), MOST_COST)
    return (*row[: _USAGE_AT - 2], *times, none, cost, *rest), usage


def entry_of(row: Row, accounts: msgspec.Raw = NOTHING) -> Entry:
    """The entry that a row of COLUMNS holds. `accounts` are those of its `charge`."""
    named: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    del named["charge"]
    for flag in ("stream", "final", "estimated"):
        named[flag] = bool(named[flag])
    usage = Usage(**{field: named.pop(field) for field in Usage.__struct_fields__})
    return Entry(**named, usage=usage, accounts=accounts)
