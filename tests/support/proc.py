"""What the kernel says of a process: CPU time, memory, and the most memory it has had."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def own_memory(pid: int) -> int:
    """Bytes of memory that are this process's alone: anonymous pages, swapped ones too."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) << 10 for size in re.findall(r"^(?:Anonymous|Swap): +(\d+) kB", text, re.M))


class Peak:
    """Watches `own_memory` in a thread: after `with Peak(pid) as peak: …` the most that it was is `peak.most`."""

    def __init__(self, pid: int, interval: float = 0.002) -> None:
        self._pid = pid
        self._interval = interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = own_memory(pid)

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            self.most = max(self.most, own_memory(self._pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.most = max(self.most, own_memory(self._pid))
