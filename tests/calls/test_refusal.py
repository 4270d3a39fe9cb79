"""What a caller is told when a limit says no."""

from __future__ import annotations

from typing import Any

import pytest

from encke.calls.call import retry_fields
from encke.calls.refusal import cut_off, refusal, unavailable
from encke.core.money import NANO
from encke.keys.grant import Limit

DECEMBER = 1_796_083_200_000  # 2026-12-01T00:00:00Z
MONTH = Limit(7, "budget", 25 * NANO, 'project "web"', "month")
CENT = NANO // 100


def _no(**facts: Any) -> dict[str, Any]:
    """The keeper's answer about a budget of $25."""
    usual = {"limit": 7, "window": 0, "need": 5 * CENT, "spent": 0, "reserved": 0, "amount": 25 * NANO}
    return {**usual, "retry_ms": None, "reset": None, **facts}


@pytest.mark.parametrize(
    ("limit", "facts", "text"),
    [
        (
            MONTH,
            {"spent": 2498 * CENT, "reserved": 3 * CENT, "reset": DECEMBER},
            'The budget of project "web" is spent: $24.98 of $25.00 this month (UTC), $0.03 held for running calls; '
            "this call needs $0.05. It is filled again on 2026-12-01T00:00:00Z.",
        ),
        (
            Limit(7, "budget", 25 * NANO, 'key "app"', "day", "Europe/Berlin"),
            {"spent": 25 * NANO + 1, "reset": DECEMBER},
            'The budget of key "app" is spent: $25.000000001 of $25.00 today (Europe/Berlin); this call needs $0.05. '
            "It is filled again on 2026-12-01T00:00:00Z.",
        ),
        (
            Limit(7, "budget", 25 * NANO, 'key "app"'),
            {"spent": 10 * NANO, "need": 20 * NANO},
            'The budget of key "app" has too little left for this call: $10.00 of $25.00 in all; this call needs '
            "$20.00. It is not filled again by itself; whoever gave the key can raise it.",
        ),
        (
            MONTH,
            {"spent": 10 * NANO, "reserved": 15 * NANO, "reset": DECEMBER},
            'The budget of project "web" is held by running calls: $10.00 of $25.00 this month (UTC), $15.00 held for '
            "running calls; this call needs $0.05. It is free again when they have ended, and filled again on "
            "2026-12-01T00:00:00Z.",
        ),
        (
            Limit(7, "budget", 5 * NANO, 'organisation "acme"', "credit"),
            {"spent": 5 * NANO, "amount": 5 * NANO},
            'The credit of organisation "acme" is spent: $5.00 of $5.00 in all; this call needs $0.05. It is not '
            "filled again by itself; credit can be added.",
        ),
        (
            MONTH,
            {"need": 30 * NANO, "reset": DECEMBER},
            'The budget of project "web" is too small for this call: it may cost $30.00, and the budget is $25.00 a '
            "month. Ask for fewer tokens, or take a cheaper model.",
        ),
    ],
)
def test_a_budget_says_whose_how_much_and_until_when(limit: Limit, facts: dict[str, Any], text: str) -> None:
    """429 insufficient_quota with scope, limit, spent, what is held, and the reset; trying again is of no use."""
    fault = refusal(limit, _no(**facts))
    assert (fault.status, fault.code, fault.kind.type) == (429, "insufficient_quota", "insufficient_quota")
    assert fault.message == text
    assert retry_fields(fault) == "x-encke-error-code: insufficient_quota\r\nx-should-retry: false\r\n"


@pytest.mark.parametrize(
    ("limit", "facts", "text", "fields"),
    [
        (
            Limit(3, "requests", 60, 'key "app"'),
            {"need": 1, "amount": 60, "retry_ms": 1130},
            'The rate limit of key "app" is reached: 60 requests a minute. Try again in 1.2 s.',
            "retry-after: 2\r\nretry-after-ms: 1130\r\nx-should-retry: true\r\n",
        ),
        (
            Limit(3, "tokens", 100_000, 'project "web"'),
            {"need": 5000, "amount": 100_000, "retry_ms": 20},
            'The rate limit of project "web" is reached: 100000 tokens a minute; this call counts as 5000. Try again '
            "in 20 ms.",
            "retry-after: 1\r\nretry-after-ms: 20\r\nx-should-retry: true\r\n",
        ),
        (
            Limit(3, "requests", 1, 'key "app"'),
            {"need": 1, "amount": 1, "retry_ms": 59_001},
            'The rate limit of key "app" is reached: 1 request a minute. Try again in 60 s.',
            "retry-after: 60\r\nretry-after-ms: 59001\r\nx-should-retry: true\r\n",
        ),
        (
            Limit(3, "tokens", 1000, 'key "app"'),
            {"need": 5000, "amount": 1000, "retry_ms": None},
            'The rate limit of key "app" is too small for this call, now and later: it counts as 5000 tokens, and the '
            "limit is 1000 tokens a minute. Send a shorter prompt, or ask for fewer tokens.",
            "x-should-retry: false\r\n",
        ),
        (
            Limit(3, "concurrency", 10, 'key "app"'),
            {"need": 1, "amount": 10, "reserved": 10, "retry_ms": None},
            'The limit of key "app" is reached: 10 calls at once. Try again when one of them has ended.',
            "retry-after: 1\r\nretry-after-ms: 1000\r\nx-should-retry: true\r\n",
        ),
    ],
)
def test_a_rate_says_which_and_when(limit: Limit, facts: dict[str, Any], text: str, fields: str) -> None:
    """429 rate_limit_exceeded with the time to wait; what will never fit is not to be tried again."""
    fault = refusal(limit, _no(**facts))
    assert (fault.status, fault.code, fault.kind.type) == (429, "rate_limit_exceeded", "rate_limit_error")
    assert fault.message == text
    assert retry_fields(fault) == f"x-encke-error-code: {fault.code}\r\n{fields}"


def test_a_keeper_that_cannot_tell_is_no_refusal() -> None:
    """503: budgets fail closed, and the caller may come again."""
    fault = refusal(MONTH, {"unavailable": True})
    assert (fault.status, fault.code, fault.retry_after) == (503, "unavailable", 1.0)


def test_a_stream_is_told_what_cut_it_off() -> None:
    """budget_exceeded, with the same facts; that nobody could tell is told as it is."""
    assert cut_off(unavailable()).code == "unavailable"
    fault = cut_off(refusal(MONTH, _no(spent=25 * NANO, reset=DECEMBER)))
    assert fault.code == "budget_exceeded"
    assert fault.message.startswith('The answer was cut off here. The budget of project "web" is spent: $25.00 of $25')
