"""The tap on a same-dialect stream: events pass as they are; this looks at each and says what it means.

This wire has no end mark: the stream has ended well when the response ends cleanly and every candidate has told why it
is finished, or the prompt was refused. Usage stands in every event, growing; the last counts, and of those between only
some are read: what came after them is told by `usage_at`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.counting import EMPTY, CountingTap
from encke.dialects.google_generate.faults import fault_of_event, render_fault
from encke.dialects.google_generate.usage import parse_usage
from encke.dialects.google_generate.wire import NOTHING, AnyObject, TapCandidate, TapChunk, TapPart
from encke.dialects.google_generate.words import block_word, blocked_word, finish_word
from encke.dialects.port import CONTENT, ERROR, PASS

MAX_LEARNED: Final = 8
MAX_CANDIDATES: Final = 256
_PROBE: Final = b'"encke"'
_PROBE_USAGE: Final = b'{"promptTokenCount":66666666}'
_CALLS: Final = (
    "functionCall", "inlineData", "executableCode", "codeExecutionResult", "toolCall", "toolResponse", "fileData",
)  # fmt: skip

_NONE: Final[set[int]] = set()
_chunk: Final = msgspec.json.Decoder(TapChunk)
_any: Final = msgspec.json.Decoder()
_object: Final = msgspec.json.Decoder(AnyObject)
EACH: Final = 8  # of so many usages between, one is read


class GenerateTap(CountingTap):
    """Watches one stream.

    Most events are the one before with another text and another usage. What stands before, between and after the two is
    remembered, and an event that has the same around a text without quotes and escapes is decoded only in its usage.
    """

    __slots__ = (
        "_after",
        "_before",
        "_finished",
        "_learned",
        "_middle",
        "_seen",
        "_told",
        "_unread",
        "opaque",
    )

    def __init__(self) -> None:
        super().__init__()
        self._before = b""
        self._middle = b""
        self._after = b""
        self._learned = 0
        self._seen: set[int] = set()
        self._finished: set[int] = _NONE
        self._unread = 0  # usages since the last that was read
        self._told = b""  # the last of them
        self.opaque = 0  # events that could not be read

    def feed(self, data: bytes) -> int:
        """Look at one event's data."""
        if self._before and data.startswith(self._before) and self._is_more(data):
            return CONTENT
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return self._feed_odd(data)
        if chunk.error not in EMPTY:
            self.fault = fault_of_event(chunk.error)
            return ERROR
        flags = PASS
        for candidate in chunk.candidates or ():
            index = candidate.index or 0
            if self._seen_too_many(index):
                return self._too_many()
            flags |= self._look(candidate)
            reason = finish_word(candidate.finishReason)
            if reason:
                self._finish(index, reason)
                flags = CONTENT
        if not chunk.candidates and chunk.promptFeedback is not None and not self._seen:
            flags |= self._blocked(blocked_word(chunk.promptFeedback))
        told = bytes(chunk.usageMetadata) or self._told
        if len(told) > 4:
            usage = parse_usage(told)
            self._unread = 0
            self._told = b""
            if usage is not None:
                self.usage = usage
                self.usage_at = self.content_bytes
        if flags == CONTENT and self._learned < MAX_LEARNED and self._began and not self._finished:
            self._learn(data, chunk)
        return flags

    def is_whole(self, rest: bytes) -> bool:
        """A last event that only lacks its blank line is an object."""
        data = rest.strip()
        return data[:5] == b"data:" and isinstance(_decoded(data[5:]), dict)

    def _is_more(self, data: bytes) -> bool:
        """Whether an event is more text and nothing else: if so, it is counted."""
        start = len(self._before)
        end = data.find(b'"', start)
        if end <= start or data.find(b"\\", start, end) >= 0:
            return False
        if not self._middle:
            if len(data) - end != len(self._after) or not data.endswith(self._after):
                return False
        else:
            at, stop = end + len(self._middle), len(data) - len(self._after)
            if stop <= at or not data.startswith(self._middle, end) or not data.endswith(self._after):
                return False
            told = data[at:stop]
            self._unread += 1
            if self._unread < EACH:
                try:
                    _object.decode(told)
                except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                    return False
                self._told = told
            else:
                usage = parse_usage(told)
                if usage is None or told[:1] != b"{":
                    return False
                self._unread = 0
                self._told = b""
                self.usage = usage
                self.usage_at = self.content_bytes + end - start
        self.content_bytes += end - start
        return True

    def _learn(self, data: bytes, chunk: TapChunk) -> None:
        """Remember what stands around the text and the usage of an event that holds one text and nothing else."""
        self._learned += 1
        self._before = b""
        text, usage = _only_text(chunk), bytes(chunk.usageMetadata)
        if text is None or text == _PROBE:
            return
        at = data.find(text)
        before, rest = data[:at], data[at + len(text) :]
        middle, after = b"", rest
        if usage:
            found = rest.rfind(usage)
            if found < 0:
                return  # it stands before the text
            middle, after = rest[:found], rest[found + len(usage) :]
        # The same bytes may stand elsewhere too: with others in these places, the event must read like that.
        probe = before + _PROBE + middle + (_PROBE_USAGE if usage else b"") + after
        try:
            probed = _chunk.decode(probe)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return
        if _only_text(probed) == _PROBE and bytes(probed.usageMetadata) == (_PROBE_USAGE if usage else b""):
            self._before, self._after = before + b'"', after if usage else b'"' + after
            self._middle = b'"' + middle if usage else b""

    def _look(self, candidate: TapCandidate) -> int:
        """Count a candidate's content."""
        content = candidate.content
        found = False
        if content is not None and content.parts is not None:
            for part in content.parts:
                found |= self._count(part.text)
                for name in _CALLS:
                    raw = getattr(part, name)
                    if raw is not NOTHING:
                        found |= self._count(raw)
        return CONTENT if found else PASS

    def _blocked(self, reason: str) -> int:
        if not reason:
            return PASS
        self.finish_reason = reason
        self.finished = True
        return CONTENT

    def _finish(self, index: int, reason: str) -> None:
        self.finish_reason = reason
        if index not in self._finished:
            if self._finished is _NONE:
                self._finished = set()
            self._finished.add(index)
        self.finished = len(self._finished) == len(self._seen)

    def _seen_too_many(self, index: int) -> bool:
        if index not in self._seen:
            self._seen.add(index)
            self.finished = False
        return len(self._seen) > MAX_CANDIDATES

    def _too_many(self) -> int:
        self.fault = Fault(
            "upstream_bad_response", f"The provider's stream has more than {MAX_CANDIDATES} candidates.", verdict="next"
        )
        return ERROR

    def _feed_odd(self, data: bytes) -> int:
        """An event whose types are not the wire's: look at it without them, or leave it alone if it is not JSON."""
        chunk = _decoded(data)
        if not isinstance(chunk, dict):
            self.opaque += 1
            return PASS
        if chunk.get("error"):
            self.fault = fault_of_event(msgspec.json.encode(chunk["error"]))
            return ERROR
        flags = PASS
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict):
                index = candidate.get("index")
                index = index if isinstance(index, int) else 0
                if self._seen_too_many(index):
                    return self._too_many()
                flags |= self._odd_content(candidate.get("content"))
                if reason := finish_word(candidate.get("finishReason")):
                    self._finish(index, reason)
                    flags |= CONTENT
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and not candidates and not self._seen:
            flags |= self._blocked(block_word(feedback.get("blockReason")))
        usage = parse_usage(msgspec.json.encode(chunk.get("usageMetadata")))
        if usage is not None:
            self.usage = usage
            self.usage_at = self.content_bytes
        return flags

    def _odd_content(self, content: Any) -> int:
        if not content:
            return PASS
        found = msgspec.json.encode(content.get("parts", content) if isinstance(content, dict) else content)
        self.content_bytes += len(found)
        self._began = True
        return CONTENT


class ArrayTap(GenerateTap):
    """For a caller who did not ask for events: the same objects as one JSON array, in pieces as Google writes it."""

    __slots__ = ("_opened", "_pending")

    def __init__(self) -> None:
        super().__init__()
        self.rewrites = True
        self._opened = False
        self._pending = b""

    def feed(self, data: bytes) -> int:
        """Look at one event's data; what is no object has no place in the array."""
        unread = self.opaque
        flags = super().feed(data)
        if not flags & ERROR and self.opaque == unread:
            self._pending += self._element(data)
        return flags

    def take(self) -> bytes:
        """The array's next pieces."""
        pending, self._pending = self._pending, b""
        return pending

    def close(self) -> bytes:
        """The array's end."""
        return self.take() + (b"\n]" if self._opened else b"[]")

    def break_off(self, fault: Fault, request_id: str) -> bytes | None:
        """A failure is the last element."""
        return self.take() + self._element(render_fault(fault, request_id)) + b"\n]"

    def _element(self, data: bytes) -> bytes:
        before = b",\r\n" if self._opened else b"["
        opened, self._opened = self._opened, True
        return (b"\n" if opened else b"") + before + data


def _only_text(chunk: TapChunk) -> bytes | None:
    """The JSON of the text that is all there is to an event; None if there is more to it, or less."""
    candidates = chunk.candidates
    if candidates is None or len(candidates) != 1 or chunk.promptFeedback is not None or candidates[0].finishReason:
        return None
    content = candidates[0].content
    if content is None or content.parts is None or len(content.parts) != 1 or chunk.error not in EMPTY:
        return None
    part: TapPart = content.parts[0]
    if any(getattr(part, name) is not NOTHING for name in _CALLS):
        return None
    text = bytes(part.text)
    return text if text[:1] == b'"' and len(text) > 2 else None


def _decoded(data: bytes) -> Any:
    try:
        return _any.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
