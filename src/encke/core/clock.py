"""Clocks: wall time for records, monotonic time for durations, both in one for rates; and how a moment is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


def now_ms() -> int:
    """UTC wall time in whole milliseconds, for records."""
    return time.time_ns() // 1_000_000


monotonic = time.monotonic


def steady_us() -> Callable[[], int]:
    """A clock of UTC microseconds as they were at this moment, which goes on evenly whatever is done to the time."""
    begun = time.time_ns() - time.monotonic_ns()
    return lambda: (begun + time.monotonic_ns()) // 1000


def iso(ms: int) -> str:
    """UTC milliseconds as people read them: `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
