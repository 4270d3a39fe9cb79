"""Windows of budgets: which day, week or month of a time zone a moment is in, as exact UTC milliseconds.

A window begins with the first moment of a local date, whatever the clocks do: days have 23 or 25 hours where summer
time begins or ends, a date that a zone skipped (Samoa, 30 December 2011) has no window, and where midnight comes twice
the first one counts. So windows follow each other without gap or overlap, in every zone. Time zones are those of the
IANA database, by way of `zoneinfo`.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from encke.keys.grant import Period

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)


def window_of(period: Period, zone: str, anchor: int, now_ms: int) -> tuple[int, int | None]:
    """The first millisecond of the window that `now_ms` is in, and the first one after it; (0, None) for total, credit.

    `anchor` is the ISO day of the week (1: Monday) or the day of the month that a window begins with; in a shorter
    month its last day. Raises zoneinfo.ZoneInfoNotFoundError (a KeyError) or ValueError for a zone that there is not.
    """
    if period not in ("day", "week", "month"):
        return 0, None
    where = ZoneInfo(zone)
    here = (_EPOCH + now_ms * _MS).astimezone(where).date()
    begins = _first_day(period, anchor, here)
    # Where clocks are put back over midnight the local date may be that of a window already closed.
    while (start := _midnight(begins, where)) > now_ms:
        begins = _first_day(period, anchor, begins - timedelta(days=1))
    while (end := _midnight(_next(period, anchor, begins), where)) <= now_ms:
        begins, start = _next(period, anchor, begins), end
    return start, end


class Window:
    """The present window of one budget, cheap to ask for. A clock that is put back opens no window again that was
    closed: `start` never falls.
    """

    __slots__ = ("anchor", "end", "period", "start", "zone")

    def __init__(self, period: Period, zone: str, anchor: int, now_ms: int) -> None:
        self.period: Period = period
        self.zone = zone
        self.anchor = anchor
        self.start, self.end = window_of(period, zone, anchor, now_ms)

    def is_of(self, period: Period, zone: str, anchor: int) -> bool:
        """Whether it is this budget's still: with another zone or anchor it has other windows."""
        return (self.period, self.zone, self.anchor) == (period, zone, anchor)

    def at(self, now_ms: int) -> int:
        """The start of the window now; `end` is its end afterwards."""
        if self.end is not None and now_ms >= self.end:
            self.start, self.end = window_of(self.period, self.zone, self.anchor, now_ms)
        return self.start


def _first_day(period: Period, anchor: int, day: date) -> date:
    """The date that the window of `day` begins with."""
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=(day.isoweekday() - anchor) % 7)
    first = _in_month(day.year, day.month, anchor)
    if first <= day:
        return first
    before = day.replace(day=1) - timedelta(days=1)
    return _in_month(before.year, before.month, anchor)


def _next(period: Period, anchor: int, begins: date) -> date:
    """The date that the window after the one that begins with `begins` begins with."""
    if period == "day":
        return begins + timedelta(days=1)
    if period == "week":
        return begins + timedelta(days=7)
    after = begins.replace(day=28) + timedelta(days=4)
    return _in_month(after.year, after.month, anchor)


def _in_month(year: int, month: int, anchor: int) -> date:
    return date(year, month, min(anchor, calendar.monthrange(year, month)[1]))


def _midnight(day: date, where: ZoneInfo) -> int:
    """The first moment of a local date, or of the next one there is; UTC milliseconds."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=where)
    moment = midnight.astimezone(UTC)
    other = midnight.replace(fold=1).astimezone(UTC)
    if other < moment:
        # Clocks jump over midnight: the date begins with the jump, which is between these two.
        before, after = other, moment
        while after - before > _SECOND:
            middle = before + (after - before) // _SECOND // 2 * _SECOND
            if middle.astimezone(where).date() < day:
                before = middle
            else:
                after = middle
        moment = after
    return (moment - _EPOCH) // _MS
