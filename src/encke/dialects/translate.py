"""A stream from one dialect to another: what a provider's reader reads, a client's writer writes."""

from __future__ import annotations

from typing import Final

from encke.core.delta import ARGUMENTS, CONTENT_KINDS, MEDIA, REFUSAL, TEXT, THINKING, USAGE
from encke.core.faults import Fault
from encke.dialects.counting import text_size
from encke.dialects.mend import readable
from encke.dialects.port import CONTENT, DROP, END, ERROR, PASS, Reader, Tap, Writer

_BLANK: Final = " \t\r\n"
_SPOKEN: Final = frozenset({TEXT, THINKING, REFUSAL, ARGUMENTS})  # what may be white space
MEDIA_BYTES: Final = 64  # what a picture counts, where nobody tells usage


class Translator(Tap):
    """The tap that rewrites. Nothing goes to the client before `take` gives it."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        super().__init__()
        self.rewrites = True
        self._reader = reader
        self._writer = writer
        self._began = False
        self._ended = False

    def feed(self, data: bytes) -> int:
        """Read an event and write what it says."""
        reader, writer = self._reader, self._writer
        flags = PASS
        if not data.isascii():
            data = readable(data)
        try:
            for delta in reader.feed(data):
                kind = delta.kind
                if kind in CONTENT_KINDS:
                    text = delta.text
                    if kind == MEDIA:
                        self.content_bytes += MEDIA_BYTES
                    else:
                        self.content_bytes += text_size(text)
                    # White space alone is no content before there is some.
                    if self._began or kind not in _SPOKEN or text.strip(_BLANK):
                        self._began = True
                        flags = CONTENT
                elif kind == USAGE:
                    self.usage = reader.usage
                    self.usage_at = self.content_bytes
                writer.feed(delta)
            self.finish_reason = reader.finish_reason
            self.finished = reader.finished
            if reader.fault is not None:
                self.fault = reader.fault
                return ERROR
            if reader.ended:
                self._end()
                return flags | END
        except Fault as fault:
            self.fault = fault
            return ERROR
        return flags if writer.out else flags | DROP

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            reader, writer = self._reader, self._writer
            for delta in reader.finish():
                if delta.kind == USAGE:
                    self.usage = reader.usage
                    self.usage_at = self.content_bytes
                writer.feed(delta)
            self.finish_reason = reader.finish_reason
            writer.finish(self.usage)

    def take(self) -> bytes:
        """The client's events."""
        out = self._writer.out
        if not out:
            return b""
        made = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return made

    def close(self) -> bytes:
        """The end, where upstream has no end mark; `fault` if there can be none."""
        try:
            self._end()
        except Fault as fault:
            self.fault = fault
        return self.take()

    def is_whole(self, rest: bytes) -> bool:
        """What is no whole JSON value makes no sense to the reader, and does no harm."""
        return rest.rstrip().endswith((b"}", b"]"))

    def break_off(self, fault: Fault, request_id: str) -> bytes | None:
        """The writer knows what came before."""
        return self._writer.break_off(fault, request_id)
