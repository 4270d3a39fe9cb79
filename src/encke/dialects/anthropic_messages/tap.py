"""The tap on a stream that passes: events stay as they are; this looks at each and says what it means.

Nearly all events of a stream are pieces of one text. What stands before and after a piece is remembered, and an event
that has the same around a text without quotes and escapes is not decoded: it can only be more of it. Events are padded
with spaces at their end, a different number each time; these do not count.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.anthropic_messages.usage import Tally
from encke.dialects.anthropic_messages.wire import NOTHING, STOP, TapBlock, TapDelta, TapEvent
from encke.dialects.counting import EMPTY, CountingTap
from encke.dialects.faults import fault_in_stream
from encke.dialects.port import CONTENT, END, ERROR, PASS

_event: Final = msgspec.json.Decoder(TapEvent)
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode
MOST_TAILS: Final = 64
_PROBE: Final = b'"encke"'
# Blocks that are something of the answer from their start; the rest of a text or a thought comes in deltas.
_EMPTY_STARTS: Final = ("text", "thinking")


class MessagesTap(CountingTap):
    """Watches one stream."""

    __slots__ = ("_after", "_before", "_learned", "_tails", "_tally")

    def __init__(self) -> None:
        super().__init__()
        self._before = b""
        self._after = b""
        self._tails: set[bytes] = set()  # forms of it that were seen
        self._learned = False  # of this block
        self._tally = Tally()

    def feed(self, data: bytes) -> int:
        """Look at one event's data."""
        before = self._before
        if before and data.startswith(before):
            start = len(before)
            end = data.find(b'"', start)
            if end > start and data.find(b"\\", start, end) < 0:
                after = data[end:]
                if after in self._tails or self._is_after(after):
                    self.content_bytes += end - start
                    return CONTENT
        try:
            event = _event.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return self._feed_odd(data)
        return self._see(event, data)

    def _is_after(self, after: bytes) -> bool:
        """Whether it is what stands behind a text, with another number of spaces."""
        if after.replace(b" ", b"") != self._after:
            return False
        if len(self._tails) < MOST_TAILS:
            self._tails.add(after)
        return True

    def close(self) -> bytes:
        """The end mark, which was missing."""
        return STOP

    def is_whole(self, rest: bytes) -> bool:
        """An event that only lacks its blank line: its data is a whole object."""
        for line in rest.strip().split(b"\n"):
            if line.startswith(b"data:"):
                try:
                    return isinstance(_any.decode(line[5:]), dict)
                except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                    return False
        return False

    def _see(self, event: TapEvent, data: bytes) -> int:
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            if delta is None:
                return PASS
            found = self._count_delta(delta)
            if found and not self._learned:
                self._learn(data, delta)
            return CONTENT if found else PASS
        if kind == "content_block_start":
            self._learned = False
            return self._start(event.content_block)
        if kind == "message_delta":
            return self._message_delta(event)
        if kind == "message_start":
            if event.message is not None:
                self._told(event.message.usage)
            return PASS
        if kind == "message_stop":
            return END
        if kind == "error" or len(event.error) > 4:
            return self._failed(event.error)
        return PASS

    def _message_delta(self, event: TapEvent) -> int:
        self._told(event.usage)
        delta = event.delta
        if delta is not None and delta.stop_reason:
            self.finish_reason = delta.stop_reason
            self.finished = True
            return CONTENT
        return PASS

    def _told(self, raw: msgspec.Raw) -> None:
        if self._tally.feed(raw):
            self.usage = self._tally.usage
            self.usage_at = self.content_bytes

    def _failed(self, raw: msgspec.Raw) -> int:
        self.fault = fault_in_stream(raw if len(raw) else msgspec.Raw(b"{}"))
        return ERROR

    def _start(self, block: TapBlock | None) -> int:
        if block is None:
            return PASS
        if block.type in _EMPTY_STARTS:
            return CONTENT if self._count(block.text) or self._count(block.thinking) else PASS
        self.content_bytes += len(block.name) + len(block.data)
        self._began = True
        return CONTENT

    def _count_delta(self, delta: TapDelta) -> bool:
        found = self._count(delta.text)
        if delta.thinking is not NOTHING:
            found |= self._count(delta.thinking)
        if delta.partial_json is not NOTHING:
            found |= self._count(delta.partial_json)
        if delta.content is not NOTHING:
            found |= self._count(delta.content)
        return found

    def _learn(self, data: bytes, delta: TapDelta) -> None:
        """Remember what stands around the text of an event that holds one text and nothing else of interest."""
        self._learned = True
        self._before = b""
        self._tails.clear()
        text = _only_text(delta)
        at = data.find(text) if text else -1
        if at < 0 or text == _PROBE:
            return
        before, after = data[:at], data[at + len(text) :]
        # The same text may stand elsewhere too: with another one in this place, the event must read like that.
        try:
            event = _event.decode(before + _PROBE + after)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return
        if event.type == "content_block_delta" and event.delta is not None and _only_text(event.delta) == _PROBE:
            self._before, self._after = before + b'"', (b'"' + after).replace(b" ", b"")

    def _feed_odd(self, data: bytes) -> int:
        """An event whose types are not the wire's: look at what can be looked at; what is no JSON is left alone."""
        try:
            value = _any.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return PASS
        if not isinstance(value, dict):
            return PASS
        kind = value.get("type")
        if kind == "error" or value.get("error"):
            return self._failed(msgspec.Raw(_encode(value.get("error"))))
        if kind == "message_stop":
            return END
        if kind == "message_start":
            self._told(_member(value.get("message"), "usage"))
        elif kind == "message_delta":
            self._told(_member(value, "usage"))
            ending = value.get("delta")
            reason = ending.get("stop_reason") if isinstance(ending, dict) else None
            if isinstance(reason, str) and reason:
                self.finish_reason = reason
                self.finished = True
                return CONTENT
        elif kind in ("content_block_start", "content_block_delta"):
            self.content_bytes += len(_encode(value.get("delta", value.get("content_block"))))
            self._began = True
            return CONTENT
        return PASS


def _member(value: Any, name: str) -> msgspec.Raw:
    found = value.get(name) if isinstance(value, dict) else None
    return NOTHING if found is None else msgspec.Raw(_encode(found))


def _only_text(delta: TapDelta) -> bytes:
    """The JSON of the text that is all there is to a delta; b"" if there is more to it, or less."""
    found = b""
    for raw in (delta.text, delta.thinking, delta.partial_json, delta.content):
        if len(raw) <= 4 and raw in EMPTY:
            continue
        text = bytes(raw)
        if found or text[:1] != b'"':
            return b""
        found = text
    return found
