"""The table of settings and the structs agree."""

from __future__ import annotations

import msgspec
import pytest

from encke.config.kinds import Refused
from encke.config.reference import render_reference
from encke.config.schema import SETTINGS, TABLES, default_of, rows_of
from encke.config.settings import Config

NOT_LEAVES = {("providers.NAME", "timeouts")}


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    """No setting exists in the table only, or in a struct only."""
    for table, cls in TABLES.items():
        fields = {field.name for field in msgspec.structs.fields(cls) if (table, field.name) not in NOT_LEAVES}
        assert set(rows_of(table)) == fields, table
    assert sum(len(rows_of(table)) for table in TABLES) == len(SETTINGS)


def test_every_plain_table_is_in_the_config() -> None:
    """The names of the tables are the fields of Config."""
    fields = {field.name for field in msgspec.structs.fields(Config)}
    assert {table.partition(".")[0] for table in TABLES} == fields - {"data_dir", "path"}


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_defaults_are_allowed_values(row: object) -> None:
    """Every default is a value that the file may give (tuples are TOML's lists)."""
    row = next(r for r in SETTINGS if r == row)
    default = default_of(row)
    if default is None or default is msgspec.NODEFAULT:
        return
    given = list(default) if isinstance(default, tuple) else default
    try:
        assert row.kind.read(given) == default
    except Refused as refused:
        pytest.fail(f"{row.name}: {refused.refusals}")


def test_the_reference_names_everything() -> None:
    """Every setting and variable stands in the reference, with its default and sentence."""
    text = render_reference()
    for row in SETTINGS:
        assert f"| `{row.leaf}` |" in text and row.sentence in text
    assert '| `listen` | host:port | `"127.0.0.1:8080"` | Address and port' in text
    assert "| `total` | seconds | `600` |" in text
    assert "`ENCKE_LISTEN`" in text and "`ENCKE_DATA`" in text
    assert all(line.count("|") in (0, 4, 6) for line in text.splitlines())
