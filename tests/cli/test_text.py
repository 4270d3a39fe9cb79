"""Plain text for terminals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.cli.text import dollars, safe, speech, table


@given(st.integers(-(10**30), 10**30))
def test_dollars_are_exact(nano: int) -> None:
    """Dollars are the nano-dollars, to the last digit."""
    text = dollars(nano)
    assert text is not None and Fraction(text) * 10**9 == nano


@pytest.mark.parametrize(
    ("nano", "text"),
    [(None, None), (0, "0.000000000"), (1, "0.000000001"), (-1, "-0.000000001"), (10**9, "1.000000000")],
)
def test_dollars(nano: int | None, text: str | None) -> None:
    """Nine places, always; no price stays no price."""
    assert dollars(nano) == text


def test_table() -> None:
    """Columns stand in line, numbers to the right, no blanks at the ends."""
    assert table(("A", "NO"), [("long", "7"), ("x", "1,234")], right=frozenset({1})) == (
        "A        NO\nlong      7\nx     1,234"
    )
    assert table(("A", "B"), []) == "A  B"


@given(st.text())
def test_nothing_a_terminal_obeys(text: str) -> None:
    """Names come out on one line without control characters; answers keep line breaks and tabs only."""
    assert safe(text).isprintable()
    assert all(c in "\n\t" or c.isprintable() for c in speech(text))
    if text.isprintable():
        assert safe(text) == speech(text) == text


def test_table_with_hostile_cells() -> None:
    """A model name with an escape sequence and a line break stays one harmless cell."""
    assert table(("M",), [("\x1b[2Ja\nb",)]).splitlines() == ["M", "\\x1b[2Ja\\nb"]
