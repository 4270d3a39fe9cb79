"""The access line: one JSON object per call.

Lines are held back until the next look at the clock, a quarter of a second at most, or until there are many: a write
for each would cost a call as much as reading its body.
"""

from __future__ import annotations

import os
import select
from datetime import UTC, datetime
from typing import Final

import msgspec

from encke.telemetry.line import AccessLine

# A pipe takes so many bytes in one piece, unmixed with what other processes write (POSIX PIPE_BUF, Linux's value).
ATOMIC: Final = 4096
MAX_HELD: Final = 1 << 15
FOREVER: Final = float("inf")

_MILLISECONDS: Final = tuple(f".{number:03d}Z" for number in range(1000))


class Stamp:
    """UTC times as text, ISO 8601 with milliseconds; the part up to the second is made once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def of(self, ms: int) -> str:
        """The text of a time in milliseconds."""
        second = ms // 1000
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return self._text + _MILLISECONDS[ms % 1000]


class AccessLog:
    """Writes lines to a descriptor. A reader that has stopped reading costs lines, which are counted, never a call's
    time.

    It is one of the sweeper's members (`encke.http.sweep.Timed`): its deadline has passed while it holds lines.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd: int | None = None
        self._encode = msgspec.json.Encoder().encode
        self._poll: select.poll | None = None
        self._held: list[bytes] = []
        self._size = 0
        self.dropped = 0
        self.deadline = FOREVER
        self.stamp = Stamp()
        self.redirect(fd)

    def redirect(self, fd: int | None) -> None:
        """From now on lines go there; a file that they went to before is closed."""
        self.flush()
        old, self._fd, self._poll = self._fd, fd, None
        if fd is not None and not _regular(fd):
            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)
        if old is not None and old > 2 and old != fd:
            os.close(old)

    @property
    def off(self) -> bool:
        """Whether nobody wants lines."""
        return self._fd is None

    def write(self, line: AccessLine) -> None:
        """Take one line; it is written with the next `flush`."""
        if self._fd is None:
            return
        text = self._encode(line)
        held = self._held
        held.append(text)
        self._size += len(text)
        self.deadline = 0.0
        if self._size > MAX_HELD:
            self.flush()

    def expire(self, now: float) -> None:
        """The sweeper's look."""
        self.flush()

    def flush(self) -> None:
        """Write the lines that are held, whole lines in each write."""
        held, self._held = self._held, []
        self._size = 0
        self.deadline = FOREVER
        at = 0
        while at < len(held):
            end = at + 1
            size = len(held[at]) + 1
            while end < len(held) and (self._poll is None or size + len(held[end]) < ATOMIC):
                size += len(held[end]) + 1
                end += 1
            if not self._put(b"\n".join([*held[at:end], b""])):
                self.dropped += end - at
            at = end

    def _put(self, data: bytes) -> bool:
        """Write; False if it could not be, in part or at all."""
        fd = self._fd
        try:
            if fd is None or (self._poll is not None and not self._writable()):
                return False
            return os.write(fd, data) == len(data)
        except OSError:
            return False  # a full disk, or a reader that has gone

    def _writable(self) -> bool:
        assert self._poll is not None
        ready = self._poll.poll(0)
        return bool(ready) and bool(ready[0][1] & select.POLLOUT)


def _regular(fd: int) -> bool:
    return os.path.isfile(f"/proc/self/fd/{fd}") if os.path.exists("/proc/self/fd") else False
