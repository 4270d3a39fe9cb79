"""Entries as rows."""

from __future__ import annotations

import apsw
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.ledger.entry import Entry
from encke.store.migrations import STEPS, sql
from encke.store.rows import COLUMNS, INSERT, MOST, entry_of, row_of
from tests.store.contract import entry


def test_columns_follow_the_entry() -> None:
    """Every field of Entry and of Usage has a column of its name, in order: what is added to one is added to both."""
    fields: list[str] = []
    for field in Entry.__struct_fields__:
        fields += Usage.__struct_fields__ if field == "usage" else (field,)
    assert list(COLUMNS) == fields
    assert INSERT.count("?") == len(COLUMNS) == len(row_of(entry()))


def test_columns_follow_the_table() -> None:
    """The table's columns stand in the order in which rows are bound."""
    db = apsw.Connection(":memory:")
    for step in STEPS:
        db.execute(sql(step))
    assert [name for _, name, *_ in db.execute("PRAGMA table_info(entries)")] == list(COLUMNS)


@given(st.from_type(Entry))
def test_round_trip(one: Entry) -> None:
    """An entry with sane numbers comes back the same; with others it comes back within bounds."""
    back = entry_of(row_of(one))
    counts = (*msgspec.structs.astuple(one.usage)[:-1], one.first_us, one.total_us)
    if all(0 <= count <= MOST for count in counts):
        assert back == one
    else:
        assert all(0 <= count <= MOST for count in msgspec.structs.astuple(back.usage)[:-1])
        assert (back.call, back.attempt, back.status) == (one.call, one.attempt, one.status)
