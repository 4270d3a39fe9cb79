"""The access line: one JSON object per call, one write per line."""

from __future__ import annotations

import os
import select
from datetime import UTC, datetime
from typing import Final

import msgspec

from encke.telemetry.line import AccessLine

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
    """

    def __init__(self, fd: int | None) -> None:
        self._fd: int | None = None
        self._encode = msgspec.json.Encoder().encode
        self._poll: select.poll | None = None
        self.dropped = 0
        self.stamp = Stamp()
        self.redirect(fd)

    def redirect(self, fd: int | None) -> None:
        """From now on lines go there; a file that they went to before is closed."""
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
        """Write one line."""
        fd = self._fd
        if fd is None:
            return
        try:
            if self._poll is not None and not self._writable():
                self.dropped += 1
                return
            os.write(fd, self._encode(line) + b"\n")
        except OSError:
            self.dropped += 1  # a full disk, or a reader that has gone

    def _writable(self) -> bool:
        assert self._poll is not None
        ready = self._poll.poll(0)
        return bool(ready) and bool(ready[0][1] & select.POLLOUT)


def _regular(fd: int) -> bool:
    return os.path.isfile(f"/proc/self/fd/{fd}") if os.path.exists("/proc/self/fd") else False
