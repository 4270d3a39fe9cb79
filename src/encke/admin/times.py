"""Times as people write them: `24h`, `30d`, `2026-01-31`, `2026-01-31T12:00`. All UTC; a date is its first moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from encke.admin.context import AdminError
from encke.config.problems import quote
from encke.core.clock import iso as iso

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_FORMS = "a span such as 24h or 30d (s, m, h, d, w), or a UTC date or time such as 2026-01-31 or 2026-01-31T12:00"
# Beyond it a time does not fit a calendar; nobody means it.
_LONGEST_MS = 100 * 366 * _UNITS_MS["d"]


def ago_or_at(text: str, now: int, what: str) -> int:
    """UTC milliseconds of a moment in a report's range: a span back from `now`, or a date or time. `what` names the
    value in the AdminError."""
    span = _span(text, what)
    return _moment(text, what) if span is None else now - span


def ahead_or_at(text: str, now: int, what: str) -> int:
    """UTC milliseconds of a moment to come: a span on from `now`, or a date or time. Raises AdminError if past."""
    span = _span(text, what)
    found = _moment(text, what) if span is None else now + span
    if found <= now:
        raise AdminError(f"{what} {quote(text)} is not in the future; it is {iso(now)} now")
    return found


def span(text: str, what: str) -> int:
    """Milliseconds of a span such as 24h, or 0. Raises AdminError."""
    if text.strip() == "0":
        return 0
    found = _span(text, what)
    if found is None:
        raise AdminError(f"{what} {quote(text)} is not a span; use one such as 24h or 7d (s, m, h, d, w), or 0")
    return found


def _span(text: str, what: str) -> int | None:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    span = int(found[1]) * _UNITS_MS[found[2]]
    if span > _LONGEST_MS:
        raise AdminError(f"{what} {quote(text)} is longer than 100 years; use {_FORMS}")
    return span


def _moment(text: str, what: str) -> int:
    try:
        found = datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        ms = round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    except (ValueError, OverflowError):
        raise AdminError(f"{what} {quote(text)} is not a time; use {_FORMS}") from None
    if ms < 0:
        raise AdminError(f"{what} {quote(text)} is before 1970; use {_FORMS}")
    return ms
