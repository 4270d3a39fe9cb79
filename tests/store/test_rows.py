"""Entries as rows."""

from __future__ import annotations

import apsw
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.ledger.entry import NOTHING, Entry
from encke.store.migrations import STEPS, sql
from encke.store.rows import COLUMNS, INSERT, MOST, entry_of, row_of
from tests.store.contract import entry


def test_columns_follow_the_entry() -> None:
    """Every field of Entry and of Usage has a column of its name: what is added to one is added to both."""
    fields = {*Entry.__struct_fields__, *Usage.__struct_fields__} - {"usage", "accounts"}
    assert set(COLUMNS) == fields | {"charge"} and len(set(COLUMNS)) == len(COLUMNS)
    assert INSERT.count("?") == len(COLUMNS) == len(row_of(entry()))


def test_columns_follow_the_table() -> None:
    """The table's columns stand in the order in which rows are bound."""
    db = apsw.Connection(":memory:")
    for step in STEPS:
        db.execute(sql(step))
    assert [name for _, name, *_ in db.execute("PRAGMA table_info(entries)")] == list(COLUMNS)


@given(st.builds(Entry, accounts=st.just(NOTHING)))
def test_round_trip(one: Entry) -> None:
    """An entry with sane numbers comes back the same; with others it comes back within bounds."""
    back = entry_of(row_of(one))
    counts = (*msgspec.structs.astuple(one.usage), one.first_us, one.total_us)
    if all(0 <= count <= MOST for count in counts):
        assert back == one
    else:
        assert all(0 <= count <= MOST for count in msgspec.structs.astuple(back.usage))
        assert (back.call, back.attempt, back.status) == (one.call, one.attempt, one.status)
