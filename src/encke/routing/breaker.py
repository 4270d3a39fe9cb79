"""A target that keeps failing is left alone for a while.

It opens when at least half of at least 20 attempts within 10 seconds failed by the provider's fault, stays open for 5
seconds, then lets one attempt through at a time: a good one closes it, a bad one opens it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WINDOW: Final = 10.0
MINIMUM: Final = 20
OPEN_SECONDS: Final = 5.0

# Only failures that are the provider's count: not what the caller got wrong, not the caller's leaving.
PROVIDER_FAULTS: Final = frozenset(
    {
        "upstream_unreachable",
        "upstream_reset",
        "upstream_bad_response",
        "upstream_error",
        "upstream_timeout",
        "upstream_idle",
        "overloaded",
    }
)


@dataclass(slots=True)
class Breaker:
    """One target's state. Times are seconds of any steady clock."""

    began: float = 0.0
    calls: int = 0
    failures: int = 0
    opened: float | None = None
    probing: bool = False

    def allows(self, now: float) -> bool:
        """Whether an attempt may be made; a probe is counted as begun by `began_probe`."""
        return self.opened is None or (now - self.opened >= OPEN_SECONDS and not self.probing)

    def start(self, now: float) -> None:
        """An attempt begins."""
        if self.opened is not None:
            self.probing = True

    def record(self, now: float, failed: bool) -> None:
        """An attempt has ended, by the provider's fault or not."""
        if self.opened is not None:
            self.probing = False
            self.opened = now if failed else None
            self.calls = self.failures = 0
            return
        if now - self.began > WINDOW:
            self.began = now
            self.calls = self.failures = 0
        self.calls += 1
        if failed:
            self.failures += 1
            self._judge(now)

    def _judge(self, now: float) -> None:
        if self.calls >= MINIMUM and self.failures * 2 >= self.calls:
            self.opened = now

    def spoil(self, counted: float, now: float) -> None:
        """An attempt that was recorded as good, at `counted`, has failed after all: its stream broke off.

        An open breaker learns nothing from it, since the attempt began before.
        """
        if self.opened is not None:
            return
        if counted < self.began or now - self.began > WINDOW:
            self.record(now, True)  # its record is forgotten with its window, or was never made
            return
        self.failures += 1
        self._judge(now)

    def release(self) -> None:
        """A probe ended without telling anything: the caller left."""
        self.probing = False

    def retry_after(self, now: float) -> float:
        """Seconds until an attempt may be made again."""
        return 0.0 if self.opened is None else max(OPEN_SECONDS - (now - self.opened), 0.0)
