"""Two clocks: wall time for records, monotonic time for durations; and how a moment is written."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """UTC wall time in whole milliseconds, for records."""
    return time.time_ns() // 1_000_000


monotonic = time.monotonic


def iso(ms: int) -> str:
    """UTC milliseconds as people read them: `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
