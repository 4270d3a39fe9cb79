"""Windows of budgets: exact in every time zone, and without gap or overlap."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from encke.keys.grant import Period
from encke.limits.windows import Window, window_of

HOUR = 3_600_000
ZONES = sorted(available_timezones() - {"localtime"})
PERIODS: tuple[Period, ...] = ("day", "week", "month")


def at(text: str, zone: str = "UTC") -> int:
    """UTC milliseconds of a local time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def shown(ms: int, zone: str) -> str:
    """The local time, as people write it."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)).isoformat()


# Period, zone, anchor, a local time; the window's first moment, local time, and its length in hours.
CASES: tuple[tuple[Period, str, int, str, str, float], ...] = (
    ("day", "UTC", 1, "2026-03-01T00:00:00", "2026-03-01T00:00:00+00:00", 24),
    ("day", "UTC", 1, "2026-02-28T23:59:59", "2026-02-28T00:00:00+00:00", 24),
    ("day", "Europe/Berlin", 1, "2026-03-29T12:00:00", "2026-03-29T00:00:00+01:00", 23),
    ("day", "Europe/Berlin", 1, "2026-10-25T12:00:00", "2026-10-25T00:00:00+02:00", 25),
    ("day", "Asia/Kathmandu", 1, "2026-05-05T00:00:00", "2026-05-05T00:00:00+05:45", 24),
    # The clock goes from 00:00 to 01:00: the day begins at 01:00.
    ("day", "America/Scoresbysund", 1, "2020-03-29T05:00:00", "2020-03-29T01:00:00+00:00", 23),
    # From 01:00 back to 00:00: the first midnight counts.
    ("day", "America/Scoresbysund", 1, "2020-10-25T05:00:00", "2020-10-25T00:00:00+00:00", 25),
    # From 00:00 back to 23:00 of the day before.
    ("day", "America/Scoresbysund", 1, "2025-10-25T12:00:00", "2025-10-25T00:00:00-01:00", 25),
    ("day", "Africa/Cairo", 1, "2024-04-26T09:00:00", "2024-04-26T01:00:00+03:00", 23),
    # From 00:01 back to 23:01: that minute is the next day's already, and the hour after it too.
    ("day", "America/St_Johns", 1, "2010-11-07T12:00:00", "2010-11-07T00:00:00-02:30", 25),
    ("day", "America/St_Johns", 1, "2010-11-06T22:00:00", "2010-11-06T00:00:00-02:30", 24),
    # From 23:30 to 00:30.
    ("day", "America/Toronto", 1, "1919-03-31T12:00:00", "1919-03-31T00:30:00-04:00", 23.5),
    # There was no 30 December.
    ("day", "Pacific/Apia", 1, "2011-12-29T12:00:00", "2011-12-29T00:00:00-10:00", 24),
    ("day", "Pacific/Apia", 1, "2011-12-31T12:00:00", "2011-12-31T00:00:00+14:00", 24),
    ("week", "UTC", 1, "2026-11-22T23:59:59", "2026-11-16T00:00:00+00:00", 168),
    ("week", "UTC", 1, "2026-11-23T00:00:00", "2026-11-23T00:00:00+00:00", 168),
    ("week", "UTC", 7, "2026-11-23T00:00:00", "2026-11-22T00:00:00+00:00", 168),
    ("week", "America/New_York", 3, "2026-03-10T12:00:00", "2026-03-04T00:00:00-05:00", 167),
    ("month", "UTC", 1, "2024-02-29T12:00:00", "2024-02-01T00:00:00+00:00", 29 * 24),
    ("month", "UTC", 29, "2024-02-29T00:00:00", "2024-02-29T00:00:00+00:00", 29 * 24),
    ("month", "UTC", 29, "2023-02-28T00:00:00", "2023-02-28T00:00:00+00:00", 29 * 24),
    ("month", "UTC", 31, "2023-02-27T00:00:00", "2023-01-31T00:00:00+00:00", 28 * 24),
    ("month", "UTC", 31, "2023-04-30T00:00:00", "2023-04-30T00:00:00+00:00", 31 * 24),
    ("month", "UTC", 30, "2023-03-01T00:00:00", "2023-02-28T00:00:00+00:00", 30 * 24),
    ("month", "UTC", 15, "2026-01-14T23:59:59", "2025-12-15T00:00:00+00:00", 31 * 24),
    ("month", "Europe/Berlin", 1, "2026-03-31T23:59:59", "2026-03-01T00:00:00+01:00", 31 * 24 - 1),
)


@pytest.mark.parametrize(("period", "zone", "anchor", "now", "start", "hours"), CASES)
def test_windows(period: Period, zone: str, anchor: int, now: str, start: str, hours: float) -> None:
    """Begin with a local date's first moment, and have the hours that their days have."""
    begins, end = window_of(period, zone, anchor, at(now, zone))
    assert end is not None
    assert shown(begins, zone) == start and end - begins == hours * HOUR


def test_no_windows() -> None:
    """Total and credit have none."""
    assert window_of("total", "UTC", 1, at("2026-01-01")) == window_of("credit", "Asia/Tokyo", 9, 5) == (0, None)


def test_no_such_zone() -> None:
    """A zone that there is not is an error, as zoneinfo says it."""
    with pytest.raises(ZoneInfoNotFoundError):
        window_of("day", "Europe/Atlantis", 1, 0)
    with pytest.raises(ValueError, match="etc"):
        window_of("day", "../etc/passwd", 1, 0)


def moments() -> st.SearchStrategy[int]:
    """From 1900 to 2100."""
    return st.integers(at("1900-01-01"), at("2100-01-01"))


@given(st.sampled_from(PERIODS), st.sampled_from(ZONES), st.integers(1, 31), moments())
@example("day", "America/St_Johns", 1, at("2010-11-07T03:00:00"))
@example("day", "Pacific/Kwajalein", 1, at("1993-08-21T12:00:00"))
@settings(max_examples=1500, deadline=None)
def test_windows_tile_time(period: Any, zone: str, anchor: int, now: int) -> None:
    """Every moment is in one window; the one before ends where it begins, and the next begins where it ends."""
    anchor = anchor % 7 + 1 if period == "week" else anchor
    start, end = window_of(period, zone, anchor, now)
    assert end is not None and start <= now < end
    assert window_of(period, zone, anchor, start) == window_of(period, zone, anchor, end - 1) == (start, end)
    assert window_of(period, zone, anchor, end)[0] == end
    assert window_of(period, zone, anchor, start - 1)[1] == start
    local = datetime.fromtimestamp(start // 1000, UTC).astimezone(ZoneInfo(zone))
    before = datetime.fromtimestamp(start // 1000 - 1, UTC).astimezone(ZoneInfo(zone))
    assert local.date() > before.date()


def test_every_day_of_every_zone() -> None:
    """Walked from one window into the next, the days of a year are those of the calendar."""
    for zone in ZONES:
        now, end, days = at("2025-12-30"), at("2026-12-31"), 0
        while now < end:
            start, after = window_of("day", zone, 1, now)
            assert after is not None and start <= now and 22 * HOUR <= after - start <= 26 * HOUR, zone
            now, days = after, days + 1
        assert days in (366, 367), zone


@given(st.sampled_from(ZONES), st.lists(moments(), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_clock_put_back_opens_no_window_again(zone: str, times: list[int]) -> None:
    """The window of a budget is the latest that there was a moment of."""
    window = Window("day", zone, 1, times[0])
    latest = times[0]
    for now in times:
        latest = max(latest, now)
        assert window.at(now) == window_of("day", zone, 1, latest)[0]
        assert window.end == window_of("day", zone, 1, latest)[1]


def test_a_window_that_never_ends() -> None:
    """A total's is 0 whatever the time."""
    window = Window("total", "UTC", 1, 5)
    assert (window.at(0), window.at(1 << 50), window.end) == (0, 0, None)
