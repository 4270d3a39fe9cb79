"""The pages of what processes have to tell: given out, taken over when a process has ended; the supervisor's own."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping

from encke import __version__
from encke.telemetry import tally
from encke.telemetry.metrics import Sheet, Values, labels, merge
from encke.telemetry.pages import Pages, make_pages

# It is among the modules that are compiled, if any is.
COMPILED = "no" if (tally.__file__ or "").endswith(".py") else "yes"

OWN, GONE, FIRST = 0, 1, 2


class Board:
    """Room for `most` processes at a time. Raises OSError when there is no memory for it."""

    def __init__(self, most: int) -> None:
        self.fd = make_pages(FIRST + most)
        self._pages = Pages(self.fd)
        self._free = list(range(FIRST + most - 1, FIRST - 1, -1))
        self._gone = Sheet({}, {}, {}, {})
        self._started = time.time()

    def take(self) -> int:
        """A page for a process that starts; -1 when there is none, which it must do without."""
        return self._free.pop() if self._free else -1

    def give_back(self, page: int) -> None:
        """Its process has ended: what it had counted is counted on."""
        if page < 0:
            return
        sheet = self._pages.read(page)
        self._pages.begin()
        if sheet is not None:
            self._gone = merge([self._gone, Sheet(sheet.counters, {}, sheet.histograms, {})])
            self._pages.write(GONE, self._gone)
        self._pages.clear(page)
        self._pages.end()
        self._free.append(page)

    def write(self, counters: Mapping[str, Values], gauges: Mapping[str, Values], engine: int | None) -> None:
        """The supervisor's own. `engine` is the process that has no page."""
        role = labels(role="supervisor")
        build = labels(version=__version__, python=platform.python_version(), compiled=COMPILED)
        own = {"encke_process_cpu_seconds_total": {role: round(time.process_time(), 3)}}
        more: dict[str, Values] = {
            "encke_build_info": {build: 1.0},
            "encke_start_time_seconds": {"": round(self._started, 3)},
        }
        pids = {"supervisor": [os.getpid()], "engine": [engine] if engine is not None else []}
        self._pages.write(OWN, Sheet({**counters, **own}, {**gauges, **more}, {}, pids))
