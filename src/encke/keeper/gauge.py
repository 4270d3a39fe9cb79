"""How much may wait in the journals: bytes, and how long the store may be away, before nothing more is admitted.

At four fifths of either it stops, so that what has been admitted can always be recorded; nothing is ever dropped.
"""

from __future__ import annotations

from typing import NamedTuple

STOP_AT = 0.8
GO_ON_AT = 0.6


class JournalCap(NamedTuple):
    """`size` in bytes of disk, over all workers; `age` in seconds that the store has been refusing."""

    size: int
    age: float


NO_CAP = JournalCap(1 << 62, float("inf"))


class Gauge:
    """Decides whether admission is `held`."""

    def __init__(self, cap: JournalCap) -> None:
        self._cap = cap
        self._troubled_since: float | None = None
        self.held = False

    def changed(self, waiting: int, troubled: bool, now: float) -> bool:
        """Look at the bytes that wait, and whether the store refuses; true when `held` has changed."""
        if not troubled:
            self._troubled_since = None
        elif self._troubled_since is None:
            self._troubled_since = now
        age = now - self._troubled_since if self._troubled_since is not None else 0.0
        part = max(waiting / self._cap.size, age / self._cap.age)
        held = part >= (GO_ON_AT if self.held else STOP_AT)
        changed, self.held = held != self.held, held
        return changed
