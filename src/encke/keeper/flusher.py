"""Journals to the disk: every 50 ms, in a thread of its own, whatever the store is doing meanwhile.

What a worker writes into its mapping outlives the worker, but not the power. A flush of a file in which nothing has
changed costs a microsecond or two, so nobody keeps an account of what has.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from encke.core.crash import Crash, nowhere

FLUSH_SECONDS = 0.05
SELDOM = 20  # rounds

Tell = Callable[[str, Mapping[str, object]], None]


class Flusher:
    """Flushes the files it is told of, until `stop`. `tell` is called from the thread."""

    def __init__(self, tell: Tell, crash: Crash = nowhere) -> None:
        self._tell = tell
        self._crash = crash
        self._paths: frozenset[Path] = frozenset()
        self._seldom: frozenset[Path] = frozenset()
        self._round = 0
        self._files: dict[Path, int] = {}
        self._troubled = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
        self.longest = 0.0  # seconds from the beginning of one round to the end of the next: what a power cut may take

    def watch(self, paths: Collection[Path], seldom: Collection[Path] = ()) -> None:
        """These files from now on, and no others; those of `seldom` once a second, since they change all the time."""
        self._paths = frozenset(paths)
        self._seldom = frozenset(seldom)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Flush once more, and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            before, began = began, time.monotonic()
            self._crash("keeper.flushing")
            self.flush()
            self._crash("keeper.flushed")
            now = time.monotonic()
            self.longest = max(self.longest, now - before)
            self._stop.wait(FLUSH_SECONDS - (now - began))
        self.flush()
        for fd in self._files.values():
            os.close(fd)

    def flush(self) -> None:
        """One round."""
        paths, seldom = self._paths, self._seldom
        for path in self._files.keys() - paths - seldom:
            os.close(self._files.pop(path))
        self._round += 1
        for path in paths | seldom if self._round % SELDOM == 0 else paths:
            try:
                os.fdatasync(self._open(path))
            except FileNotFoundError:
                continue  # shipped and removed meanwhile
            except OSError as error:
                self._failed(path, error)
                return
        self._troubled = False

    def _open(self, path: Path) -> int:
        fd = self._files.get(path)
        if fd is None:
            fd = self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return fd

    def _failed(self, path: Path, error: OSError) -> None:
        if not self._troubled:
            self._troubled = True
            self._tell("journal_not_flushed", {"file": path.name, "reason": error.strerror or type(error).__name__})
