"""Headers that tell how much is left and what an answer cost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.calls.headers import cost_field, duration, limit_fields, rate_fields
from encke.core.clock import now_ms
from encke.core.money import NANO
from encke.keys.grant import Limit
from encke.limits.book import Book, Hold


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


def test_the_tightest_limit_of_each_kind_is_told() -> None:
    """What this worker has and what the keeper had, with what has flown in since. Budgets and calls at once: none."""
    book, now = Book(), now_ms()
    limits = (
        Limit(1, "requests", 600, 'project "web"'),
        Limit(2, "requests", 60, 'key "app"'),
        Limit(3, "tokens", 1000, 'key "app"'),
        Limit(4, "budget", NANO, 'key "app"'),
        Limit(5, "concurrency", 2, 'key "app"'),
    )
    charges = book.charges(limits, now)
    short = book.begin(Hold(charges), 0, 100, now)
    book.granted([[1, 0, 300, 299], [2, 0, 30, 10], [3, 0, 400, 500], [5, 0, 1, 1]], short)
    for account in charges.every:
        account.left_at = now
    fields = dict(line.split(": ") for line in limit_fields(charges).splitlines())
    assert fields["x-ratelimit-limit-requests"] == "60" and 39 <= int(fields["x-ratelimit-remaining-requests"]) <= 45
    assert fields["x-ratelimit-limit-tokens"] == "1000" and 800 <= int(fields["x-ratelimit-remaining-tokens"]) <= 900
    for account in charges.every:
        account.left_at = now - 60_000
    assert "x-ratelimit-remaining-requests: 60\r\nx-ratelimit-reset-requests: 0s" in limit_fields(charges)
    assert limit_fields(book.charges(limits[3:], now)) == ""


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
