"""A bound on the calls that may be in the engine or wait for it, shared by all worker processes.

Each seat is one byte of a file, taken by a POSIX record lock: the kernel frees the seats of a killed process, and
nobody has to count. Such locks belong to a process and a file: a process must have only one `Seats` per file (closing
any descriptor of the file frees them all), and a fork does not inherit them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Seats:
    """`count` seats in the file `path` (made if missing). Not for use from several threads."""

    def __init__(self, path: Path, count: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Processes begin at different places, so that they seldom try a seat of another one.
        start = os.getpid() % max(1, count)
        self._untaken = [(start + step) % count for step in range(count)]
        self._held: set[int] = set()

    def take(self) -> int | None:
        """A free seat's number, or None when all are taken. One system call when there is room, never a wait."""
        for index in range(len(self._untaken) - 1, -1, -1):  # the last one freed here is the likeliest to be free
            seat = self._untaken[index]
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, seat)
            except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as the system likes
                continue
            del self._untaken[index]
            self._held.add(seat)
            return seat
        return None

    def free(self, seat: int) -> None:
        """Give back a seat taken here. Raises ValueError for any other: freeing twice would be somebody else's seat."""
        if seat not in self._held:
            raise ValueError(f"seat {seat} is not held by this process")
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, seat)
        self._held.remove(seat)
        self._untaken.append(seat)

    def close(self) -> None:
        """Give everything back."""
        os.close(self._fd)
        self._held.clear()
        self._untaken.clear()
