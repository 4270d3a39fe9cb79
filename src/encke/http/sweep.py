"""One timer for every deadline: timers of their own would cost each call 2 to 7 microseconds."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from encke.core.clock import monotonic
from encke.telemetry.crash import report

INTERVAL: Final = 0.25
PER_TURN: Final = 64
FOREVER: Final = float("inf")


class Timed(Protocol):
    """Something with a deadline, in seconds of the monotonic clock."""

    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed; set a later one, or leave."""


class Sweeper:
    """Looks at every deadline four times a second. `now` is the time of the last look, good enough for deadlines."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._members: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.now = monotonic()
        self.add = self._members.add
        self.discard = self._members.discard
        self.soon = loop.call_soon

    def __len__(self) -> int:
        return len(self._members)

    def start(self) -> None:
        """Begin; the timer runs until `stop`."""
        self._timer = self._loop.call_later(INTERVAL, self._tick)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._tick)
        self.now = now = monotonic()
        self._expire([member for member in self._members if member.deadline <= now])

    def _expire(self, due: list[Timed]) -> None:
        """Some of them now, the others after everybody else's turn: a thousand that are late at once are no hurry."""
        now = self.now
        if len(due) > PER_TURN:
            self._loop.call_soon(self._expire, due[PER_TURN:])
        for member in due[:PER_TURN]:
            if member.deadline > now or member not in self._members:
                continue  # another's end has changed it
            try:
                member.expire(now)
            except Exception as error:  # a fault of ours in one must not keep the others from their deadlines
                member.deadline = FOREVER
                report(error)
