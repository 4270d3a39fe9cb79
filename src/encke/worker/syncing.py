"""Strict durability: no caller sees the end of a call before its entry is on the disk.

One thread brings the journal there; the event loop never waits. One sync runs at a time, and everybody who comes while
it runs shares the next one, so there are as many syncs as the disk can do, and not one for every call.

When a sync fails, everybody who waited for it is told so (Unsynced), and no call is begun until one has succeeded. The
kernel reports a failed write once and then takes the page for clean: what was not synced is written again before the
next sync, else a later success would say nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from encke.calls.desk import Unsynced
from encke.core.crash import Crash, nowhere
from encke.http.drive import Signal
from encke.ledger.journal import Journal

STALL_SECONDS: Final = 10.0  # a disk that takes longer has failed, for whoever waits
RETRY_SECONDS: Final = 1.0

Tell = Callable[[str, Mapping[str, object]], None]


class GroupSync:
    """Brings a journal to the disk for whoever waits. `tell` is called in the loop."""

    def __init__(self, journal: Journal, tell: Tell, crash: Crash = nowhere) -> None:
        journal.strict = True
        self._journal = journal
        self._tell = tell
        self._crash = crash
        self._loop = asyncio.get_running_loop()
        self._orders: SimpleQueue[list[Path] | None] = SimpleQueue()
        self._files: dict[Path, int] = {}  # the thread's
        self._syncing: list[Signal[None]] | None = None  # those whom the sync that runs will satisfy
        self._waiting: list[Signal[None]] = []  # for the next one
        self._timer: asyncio.TimerHandle | None = None
        self._troubled = False
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()
        self.rounds = 0  # syncs that have succeeded

    def wait(self) -> Signal[None]:
        """Happens when all that is in the journal now is on the disk; fails with Unsynced."""
        signal: Signal[None] = Signal()
        self._waiting.append(signal)
        if self._syncing is None and not self._troubled:
            self._begin()
        return signal

    def close(self) -> None:
        """End, when the sync that runs is over; or leave a disk that hangs alone."""
        if self._timer is not None:
            self._timer.cancel()
        self._orders.put(None)
        self._thread.join(STALL_SECONDS)

    # In the loop.

    def _begin(self) -> None:
        self._syncing, self._waiting = self._waiting, []
        self._timer = self._loop.call_later(STALL_SECONDS, self._stalled)
        self._orders.put(list(self._journal.unsynced))

    def _done(self, files: int, error: OSError | None) -> None:
        syncing, self._syncing = self._syncing or [], None
        if self._timer is not None:
            self._timer.cancel()
        if error is not None:
            self._in_trouble(error.strerror or type(error).__name__)
            self._fail(syncing)
            self._timer = self._loop.call_later(RETRY_SECONDS, self._again)
            return
        self.rounds += 1
        self._journal.clean(files - 1)
        if self._troubled:
            self._troubled = False
            self._journal.doubt(False)
            self._tell("journal_synced", {})
        if self._waiting:
            self._begin()  # before the others go on: what they write is for the sync after it
        for signal in syncing:
            signal.set(None)

    def _again(self) -> None:
        self._journal.touch()
        self._begin()

    def _stalled(self) -> None:
        self._in_trouble(f"no answer within {STALL_SECONDS:g} s")
        syncing, self._syncing = self._syncing or [], []
        waiting, self._waiting = self._waiting, []
        self._fail([*syncing, *waiting])
        self._timer = self._loop.call_later(STALL_SECONDS, self._stalled)

    def _in_trouble(self, reason: str) -> None:
        if not self._troubled:
            self._troubled = True
            self._journal.doubt(True)
            self._tell("journal_not_synced", {"reason": reason})

    def _fail(self, signals: Sequence[Signal[None]]) -> None:
        for signal in signals:
            signal.fail(Unsynced())

    # In the thread.

    def _run(self) -> None:
        while (paths := self._orders.get()) is not None:
            error: OSError | None = None
            try:
                self._sync(paths)
            except OSError as problem:
                error = problem
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._done, len(paths), error)
        for fd in self._files.values():
            os.close(fd)

    def _sync(self, paths: list[Path]) -> None:
        self._crash("worker.syncing")
        for path in self._files.keys() - set(paths):
            os.close(self._files.pop(path))
        for path in paths:
            fd = self._files.get(path)
            if fd is None:
                try:
                    fd = self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # the keeper lets a file go when the store, on the disk, has all of it
            os.fdatasync(fd)
        self._crash("worker.synced")
