"""JSON lines: cut a stream of bytes into lines, each a JSON value (application/x-ndjson, as Ollama streams).

A line ends with LF; a CR before it, a byte order mark and blank lines are taken off. Nothing is decoded.
"""

from __future__ import annotations

from typing import Final

from encke.framing.sse import BOM, MAX_EVENT, SseEvent, SseOverflow

_BLANK: Final = b" \t\r"


class LineOverflow(SseOverflow):
    """A line grew beyond its limit without an end."""


class JsonLinesSplitter:
    """Feed bytes, get whole lines: what came, with its LF, and the line itself. What is left is in `rest`."""

    __slots__ = ("_buffer", "_scanned", "_started", "limit")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # so much of the buffer has no line end in it
        self.limit = limit
        self._started = False

    @property
    def rest(self) -> bytes:
        """The bytes of a line that has not ended."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take bytes as they arrived and return the lines they complete.

        Raises LineOverflow for a line of more than the limit.
        """
        buffer = self._buffer
        if not self._started:
            buffer += chunk
            if not self._start():
                return []
            chunk = bytes(buffer)
            buffer.clear()
        if buffer:
            buffer += chunk
            end = buffer.rfind(b"\n", self._scanned)
            self._scanned = len(buffer)
            if end < 0:
                self._check(len(buffer))
                return []
            whole = bytes(buffer[:end])
            del buffer[: end + 1]
        else:
            end = chunk.rfind(b"\n")
            if end < 0:
                buffer += chunk
                self._scanned = len(buffer)
                self._check(len(buffer))
                return []
            whole = chunk[:end]
            buffer += chunk[end + 1 :]
        self._scanned = len(buffer)
        self._check(len(buffer))
        lines: list[SseEvent] = []
        for line in whole.split(b"\n"):
            data = line.strip(_BLANK)
            if data:
                self._check(len(data))
                lines.append((data + b"\n", data))
        return lines

    def _check(self, size: int) -> None:
        if size > self.limit:
            raise LineOverflow

    def _start(self) -> bool:
        """Take a byte order mark off the start; False while it cannot be told yet."""
        buffer = self._buffer
        if len(buffer) < len(BOM) and BOM.startswith(buffer):
            return False
        if buffer.startswith(BOM):
            del buffer[: len(BOM)]
        self._started = True
        return True
