"""Amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.admin.amounts import dollars, number
from encke.admin.context import AdminError
from encke.core.money import NANO


@given(st.integers(0, 10**9 * NANO))
def test_every_nano_dollar_comes_through(nano: int) -> None:
    """An exact decimal is read exactly, however it is padded."""
    whole, part = divmod(nano, NANO)
    assert dollars(f"{whole}.{part:09d}", "x") == dollars(f" ${whole}.{part:09d} ", "x") == nano
    if not part:
        assert dollars(str(whole), "x") == nano


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-1", "+1", "nan", "NaN", "inf", "-inf", "1e3", "1E-2", "0x10", "1,000", "1_000", "1.", ".5", "1.2.3",
        "0.1234567890", "1 000", "$", "€5", "٣", "1½", "1\n2", "9" * 40, "1/2", "5 dollars",
    ],
)  # fmt: skip
def test_what_is_no_amount(text: str) -> None:
    """Signs, exponents, NaN, separators, other digits and more than nine places are refused, and told."""
    with pytest.raises(AdminError, match=r"the budget .* is not an amount in dollars; use a decimal number such as 25"):
        dollars(text, "the budget")


@pytest.mark.parametrize("text", ["1000000000.000000001", "1000000001", "999999999999"])
def test_absurd_amounts(text: str) -> None:
    """More than a billion is refused."""
    with pytest.raises(AdminError, match="is more than 1,000,000,000 dollars"):
        dollars(text, "the budget")


def test_whole_numbers() -> None:
    """Plain, or in groups of three."""
    assert [number(text, 10**6, "rpm") for text in ("1", " 60 ", "100_000", "1_000_000")] == [1, 60, 100_000, 10**6]
    for text in ("", "x", "1.5", "-1", "1_00", "1e3", "6٠", "1" * 16):
        with pytest.raises(AdminError, match=r"rpm .* is not a whole number; use 1 to 1000000, or off"):
            number(text, 10**6, "rpm")
    for text in ("0", "1000001"):
        with pytest.raises(AdminError, match=r"rpm .* is out of bounds; use 1 to 1000000, or off"):
            number(text, 10**6, "rpm")
