"""Times as people write them."""

from __future__ import annotations

import pytest

from encke.admin.context import AdminError
from encke.admin.times import ago_or_at, ahead_or_at, iso

NOW = 1_798_761_600_123  # 2027-01-01T00:00:00.123Z
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", NOW - 24 * HOUR),
        ("7d", NOW - 168 * HOUR),
        ("2w", NOW - 336 * HOUR),
        ("90m", NOW - HOUR - HOUR // 2),
        ("30s", NOW - 30_000),
        (" 1h ", NOW - HOUR),
        ("0s", NOW),
        ("2027-01-01", NOW - 123),
        ("2027-01-01T00:00", NOW - 123),
        ("2027-01-01T01:00:00Z", NOW - 123 + HOUR),
        ("2027-01-01 02:00+02:00", NOW - 123),
        ("2027-01-01T00:00:00.5", NOW - 123 + 500),
        ("1970-01-01", 0),
    ],
)
def test_moments(text: str, expected: int) -> None:
    """Spans go back from now; dates and times are UTC unless they say otherwise."""
    assert ago_or_at(text, NOW, "since") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "foo", "24", "h", "-1h", "1.5h", "24 h", "24H", "\u0661h", "1h2m", "9999999999d"),
        *("2027-13-01", "2027-02-30"),
    ],
)
def test_nonsense(text: str) -> None:
    """Anything else is refused with the name, the value, and the forms that work."""
    with pytest.raises(AdminError, match=r'since ".*" is .*use a span such as 24h or 30d'):
        ago_or_at(text, NOW, "since")


def test_bounds() -> None:
    """Spans of centuries and times before 1970 are refused."""
    with pytest.raises(AdminError, match="longer than 100 years"):
        ahead_or_at("999999d", NOW, "expires")
    with pytest.raises(AdminError, match="before 1970"):
        ago_or_at("1969-12-31", NOW, "since")


def test_expiry_is_ahead() -> None:
    """An expiry goes on from now, and must not be past or this very moment."""
    assert ahead_or_at("30d", NOW, "expires") == NOW + 720 * HOUR
    for past in ("2026-12-31", "0s"):
        with pytest.raises(AdminError, match="is not in the future; it is 2027-01-01T00:00:00Z now"):
            ahead_or_at(past, NOW, "expires")


def test_iso() -> None:
    """Milliseconds are cut off, not rounded up into another day."""
    assert iso(NOW - 124) == "2026-12-31T23:59:59Z"
