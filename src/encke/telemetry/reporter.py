"""A process's sheet, written four times a second, with how late its event loop is."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable

from encke.telemetry.metrics import Sheet, labels
from encke.telemetry.pages import Pages

INTERVAL = 0.25
LAGS = 40  # ten seconds


class Reporter:
    """`make` gives what the process has to tell beside what every process has."""

    def __init__(self, pages: Pages, page: int, role: str, make: Callable[[], Sheet]) -> None:
        self._pages = pages
        self._page = page
        self._role = role
        self._make = make
        self._lags: deque[float] = deque(maxlen=LAGS)
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in a running event loop."""
        self._schedule()
        self.write()

    def stop(self) -> None:
        """Write once more, and end."""
        if self._timer is not None:
            self._timer.cancel()
        self.write()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + INTERVAL
        self._timer = loop.call_later(INTERVAL, self._tick)

    def _tick(self) -> None:
        self._lags.append(max(asyncio.get_running_loop().time() - self._due, 0.0))
        self._schedule()  # first: whatever becomes of this writing, there is a next
        self.write()

    def write(self) -> None:
        """Show what there is now; nothing for a process that has no page."""
        if self._page < 0:
            return
        sheet = self._make()
        key = labels(role=self._role)
        sheet.gauges["encke_event_loop_lag_seconds"] = {key: round(max(self._lags, default=0.0), 6)}
        sheet.counters["encke_process_cpu_seconds_total"] = {key: round(time.process_time(), 3)}
        sheet.pids = {self._role: [os.getpid()]}
        self._pages.write(self._page, sheet)
