"""Headers that tell how much is left and what an answer cost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.calls.headers import cost_field, duration, rate_fields
from encke.core.money import NANO


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"), (1, "1ms"), (20, "20ms"), (999, "999ms"), (1000, "1s"), (8640, "8.64s"), (59_999, "59.999s"),
        (60_000, "1m0s"), (360_000, "6m0s"), (61_500, "1m1.5s"), (3_600_000, "1h0m0s"), (3_600_250, "1h0m0.25s"),
    ],
)  # fmt: skip
def test_times_are_written_as_openai_does(ms: int, text: str) -> None:
    """Go's form of a duration."""
    assert duration(ms) == text


def test_a_limit_is_told_in_three_fields() -> None:
    """What there is, what is left, and when all of it is there again."""
    assert rate_fields("requests", 60, 59) == (
        "x-ratelimit-limit-requests: 60\r\nx-ratelimit-remaining-requests: 59\r\nx-ratelimit-reset-requests: 1s\r\n"
    )
    assert rate_fields("tokens", 100_000, 100_000).endswith("x-ratelimit-reset-tokens: 0s\r\n")
    assert rate_fields("tokens", 100, 0).endswith("remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 1m0s\r\n")


@given(st.integers(0, 10**9), st.integers(-(10**9), 10**10))
def test_what_is_left_is_between_nothing_and_all(amount: int, remaining: int) -> None:
    """Whatever the books say, and never more than a minute until all is there."""
    fields = dict(line.split(": ") for line in rate_fields("tokens", amount, remaining).splitlines())
    assert 0 <= int(fields["x-ratelimit-remaining-tokens"]) <= amount
    assert fields["x-ratelimit-reset-tokens"] == "1m0s" or "m" not in fields["x-ratelimit-reset-tokens"].replace(
        "ms", ""
    )


@pytest.mark.parametrize(
    ("cost", "field"),
    [
        (None, ""),
        (0, "x-encke-cost: 0\r\n"),
        (1, "x-encke-cost: 0.000000001\r\n"),
        (25 * NANO, "x-encke-cost: 25\r\n"),
        (123_456_000, "x-encke-cost: 0.123456\r\n"),
    ],
)
def test_cost_is_exact_or_not_there(cost: int | None, field: str) -> None:
    """Without a price there is no field: unknown is not 0."""
    assert cost_field(cost) == field
    assert cost is None or Decimal(field.strip().partition(": ")[2]) * NANO == cost
