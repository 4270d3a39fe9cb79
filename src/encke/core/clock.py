"""Two clocks: wall time for records, monotonic time for durations."""

from __future__ import annotations

import time


def now_ms() -> int:
    """UTC wall time in whole milliseconds, for records."""
    return time.time_ns() // 1_000_000


monotonic = time.monotonic
