"""Server-sent events: cut a stream of bytes into whole events.

The grammar is the WHATWG HTML standard's, section 9.2.6 ("Interpreting an event stream"). Events that are plain LF
leave as they came, to the byte. A byte order mark is taken off, CRLF and bare CR become LF; nothing else is changed:
comments, `event:` and `id:` lines, and data of several lines stay where they were.
"""

from __future__ import annotations

from typing import Final

BOM: Final = b"\xef\xbb\xbf"
MAX_EVENT: Final = 1 << 20


# One whole event: what to send on, its blank line included, and its data, None where there is no data line. Plain
# tuples, since one is made for every event.
SseEvent = tuple[bytes, bytes | None]


class SseOverflow(Exception):
    """An event grew beyond `MAX_EVENT` bytes without an end."""


class SseSplitter:
    """Feed bytes, get whole events. What is left at the end of the stream is in `rest`."""

    __slots__ = ("_after_cr", "_buffer", "_foreign", "_scanned", "_started", "limit")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self.limit = limit
        self._started = False
        self._foreign = False  # a CR was seen: from then on line ends are normalised
        self._after_cr = False  # the last byte was a CR already turned into LF: a following LF belongs to it

    @property
    def rest(self) -> bytes:
        """The bytes of an event that has not ended."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take bytes as they arrived and return the events they complete.

        Raises SseOverflow for an event of more than the limit.
        """
        if self._foreign or chunk.find(b"\r") >= 0:  # `in` makes an exception first, and drops it
            chunk = self._normalise(chunk)
        buffer = self._buffer
        if not buffer and self._started and chunk[-2:] == b"\n\n":
            # The common case: what upstream wrote is what we read, one or more whole events.
            if chunk.find(b"\n") == len(chunk) - 2 and chunk[:6] == b"data: " and len(chunk) <= self.limit:
                return [(chunk, chunk[6:-2])]
            if len(chunk) > self.limit:
                self._check(chunk)
            return [_event(part) for part in chunk[:-2].split(b"\n\n") if part.strip(b"\n")]
        buffer += chunk
        if not self._started and not self._start():
            return []
        events = []
        start = 0
        while (end := buffer.find(b"\n\n", max(start, self._scanned - 1))) >= 0:
            part = bytes(buffer[start:end])
            if len(part) > self.limit:
                raise SseOverflow
            if part.strip(b"\n"):
                events.append(_event(part))
            start = end + 2
        if start:
            del buffer[:start]
        self._scanned = len(buffer)
        if len(buffer) > self.limit:
            raise SseOverflow
        return events

    def _check(self, chunk: bytes) -> None:
        if any(len(part) > self.limit for part in chunk.split(b"\n\n")):
            raise SseOverflow

    def _start(self) -> bool:
        """Take a byte order mark off the start; False while it cannot be told yet."""
        buffer = self._buffer
        if len(buffer) < len(BOM) and BOM.startswith(buffer):
            return False
        if buffer.startswith(BOM):
            del buffer[: len(BOM)]
        self._started = True
        return True

    def _normalise(self, chunk: bytes) -> bytes:
        self._foreign = True
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
        if not chunk:
            return chunk
        self._after_cr = chunk[-1:] == b"\r"
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _event(part: bytes) -> SseEvent:
    """Make an event of its lines, the blank line taken off."""
    if part[:5] == b"data:" and part.find(b"\n") < 0:
        return part + b"\n\n", part[6:] if part[5:6] == b" " else part[5:]
    part = part.strip(b"\n")  # more blank lines than one
    lines = []
    for line in part.split(b"\n"):
        if line[:5] == b"data:":
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            lines.append(b"")
    return part + b"\n\n", b"\n".join(lines) if lines else None
