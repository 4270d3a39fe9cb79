"""Decimals are read exactly or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.decimals import whole, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("0.25", 250_000),
        ("2", 2_000_000),
        ("0.000001", 1),
        ("999999.999999", 999_999_999_999),
        ("1.50", 1_500_000),
    ],
)
def test_decimals_become_whole_numbers(text: str, value: int) -> None:
    """Dollars for a million tokens are whole pico-dollars a token."""
    assert whole(text, 6) == value


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no decimal"), ("-1", "no decimal"), ("+1", "no decimal"), ("1e3", "no decimal"), ("nan", "no decimal"),
        ("1,5", "no decimal"), (".5", "no decimal"), ("5.", "no decimal"), ("01", "no decimal"), (" 1", "no decimal"),
        ("1_000", "no decimal"), ("٣", "no decimal"), ("1000000", "too large"), ("0.0000001", "too precise"),
        ("9" * 10_000, "too large"), ("0." + "1" * 10_000, "too precise"),
    ],
)  # fmt: skip
def test_what_is_not_exact_is_refused(text: str, word: str) -> None:
    """Signs, exponents, other digits, too many digits: each is told."""
    with pytest.raises(ValueError, match=word):
        whole(text, 6)


@given(st.integers(0, 10**12 - 1))
def test_written_is_read_again(value: int) -> None:
    """What `written` writes, `whole` reads."""
    assert whole(written(value, 6), 6) == value
