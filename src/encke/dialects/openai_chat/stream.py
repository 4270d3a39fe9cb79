"""The tap on a same-dialect stream: events pass as they are; this looks at each and says what it means."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.counting import EMPTY, CountingTap
from encke.dialects.faults import fault_in_stream
from encke.dialects.openai_chat.parse import parse_usage
from encke.dialects.openai_chat.wire import NOTHING, Choice, Chunk
from encke.dialects.port import CONTENT, DROP, END, ERROR, PASS

CONTENT_KEYS: Final = (
    "content",
    "reasoning_content",
    "reasoning",
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "text",
)

# Events of one stream are the same to the byte but for a piece of text: so many times a tap learns what stands around.
MAX_LEARNED: Final = 8
# Choices of one stream. Nobody offers more than 128; who numbers them without end would have each remembered.
MAX_CHOICES: Final = 256
_PROBE: Final = b'"encke"'
DONE: Final = b"data: [DONE]\n\n"
_TEXTS: Final = ("content", "reasoning_content", "reasoning")

_NONE: Final[set[int]] = set()
_chunk: Final = msgspec.json.Decoder(Chunk)
_any: Final = msgspec.json.Decoder()


class ChatTap(CountingTap):
    """Watches one stream. `feed` takes an event's data and returns flags.

    `usage` is what upstream last said, None until then; `content_bytes` is how much of the answer has come, as JSON
    text, for an estimate where usage never comes.

    Most events are the one before with another piece of text. What stands before and after the text is remembered, and
    an event that has the same around a text without quotes and escapes is not decoded: it can only be more content.
    """

    __slots__ = ("_after", "_before", "_finished", "_learned", "_seen", "_wants_usage", "opaque")

    def __init__(self, wants_usage: bool) -> None:
        super().__init__()
        self._wants_usage = wants_usage
        self._before = b""
        self._after = b""
        self._learned = 0
        self._seen: set[int] = set()
        self._finished: set[int] = _NONE  # `finished`: every choice seen so far has its finish_reason
        self.opaque = 0  # events that could not be read

    def feed(self, data: bytes) -> int:
        """Look at one event's data."""
        if self._before and data.startswith(self._before) and data.endswith(self._after):
            start, end = len(self._before), len(data) - len(self._after)
            if start < end and data.find(b'"', start, end) < 0 and data.find(b"\\", start, end) < 0:
                self.content_bytes += end - start
                return CONTENT
        if data.startswith(b"[DONE]"):  # some write a space after it; clients look at how it starts, too
            return END
        try:
            chunk = _chunk.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return self._feed_odd(data)
        if len(chunk.error) > 4 and chunk.error not in EMPTY:
            self.fault = fault_in_stream(chunk.error)
            return ERROR
        has_usage = len(chunk.usage) > 4
        told = chunk.usage if has_usage or chunk.x_groq is None else chunk.x_groq.usage
        usage = parse_usage(told) if len(told) > 4 else None
        if usage is not None:
            self.usage = usage
        choices = chunk.choices
        if not choices:
            if usage is not None:
                self.usage_at = self.content_bytes
            # Dropped only if choices is [] (not absent), usage is there, and the client did not ask for it.
            return DROP if choices is not None and has_usage and not self._wants_usage else PASS
        flags = PASS
        for choice in choices:
            if choice.finish_reason:  # some write "" where others write null
                self._finish(choice.index, choice.finish_reason)
                flags = CONTENT
                if len(self._seen) > MAX_CHOICES:
                    return self._too_many()
            elif choice.index not in self._seen:
                self._seen.add(choice.index)
                self.finished = False
                if len(self._seen) > MAX_CHOICES:
                    return self._too_many()
            if self._content(choice):
                flags = CONTENT
        if usage is not None:
            self.usage_at = self.content_bytes
        elif flags == CONTENT and self._learned < MAX_LEARNED and self._began:
            self._learn(data, chunk)
        return flags

    def keep_usage(self) -> None:
        """See `Tap`."""
        self._wants_usage = True

    def close(self) -> bytes:
        """The end mark, which was missing."""
        return DONE

    def is_whole(self, rest: bytes) -> bool:
        """See `is_whole`."""
        return is_whole(rest)

    def _learn(self, data: bytes, chunk: Chunk) -> None:
        """Remember what stands around the text of an event that holds one text and nothing else of interest."""
        self._learned += 1
        self._before = b""
        found = _only_text(chunk)
        if found is None or found[1] == _PROBE:
            return
        name, text = found
        at = data.find(text)
        before, after = data[:at], data[at + len(text) :]
        # The same text may stand elsewhere too: with another one in this place, the event must read like that.
        try:
            probed = _only_text(_chunk.decode(before + _PROBE + after))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return
        if probed == (name, _PROBE):
            self._before, self._after = before + b'"', b'"' + after

    def _finish(self, index: int, reason: str) -> None:
        self.finish_reason = reason
        if index not in self._finished:
            self._seen.add(index)
            if self._finished is _NONE:
                self._finished = set()  # not before: an idle stream need not keep an empty one
            self._finished.add(index)
            self.finished = len(self._finished) == len(self._seen)

    def _too_many(self) -> int:
        self.fault = Fault(
            "upstream_bad_response", f"The provider's stream has more than {MAX_CHOICES} choices.", verdict="next"
        )
        return ERROR

    def _content(self, choice: Choice) -> bool:
        """Count a choice's content; True if there is any that is not white space."""
        delta = choice.delta
        if delta is None:
            return self._count(choice.text)
        found = self._count(delta.content)
        if delta.tool_calls is not NOTHING:
            found |= self._count(delta.tool_calls)
        if delta.reasoning_content is not NOTHING:
            found |= self._count(delta.reasoning_content)
        if delta.reasoning is not NOTHING:
            found |= self._count(delta.reasoning)
        if delta.refusal is not NOTHING:
            found |= self._count(delta.refusal)
        if delta.function_call is not NOTHING:
            found |= self._count(delta.function_call)
        if delta.audio is not NOTHING:
            found |= self._count(delta.audio)
        return found

    def _feed_odd(self, data: bytes) -> int:
        """An event whose types are not the wire's: look at it without them, or leave it alone if it is not JSON."""
        try:
            chunk = _any.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.opaque += 1
            return PASS
        if not isinstance(chunk, dict):
            self.opaque += 1
            return PASS
        if chunk.get("error"):
            self.fault = fault_in_stream(msgspec.Raw(msgspec.json.encode(chunk["error"])))
            return ERROR
        usage = parse_usage(msgspec.Raw(msgspec.json.encode(chunk.get("usage"))))
        if usage is not None:
            self.usage = usage
        flags = PASS
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                flags |= self._odd_choice(choice)
                if len(self._seen) > MAX_CHOICES:
                    return self._too_many()
        if usage is not None:
            self.usage_at = self.content_bytes
        return flags

    def _odd_choice(self, choice: dict[str, Any]) -> int:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        if index not in self._seen:
            self._seen.add(index)
            self.finished = False
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._finish(index, reason)
            return CONTENT
        delta = choice.get("delta")
        fields = delta if isinstance(delta, dict) else choice
        found = [fields[key] for key in CONTENT_KEYS if fields.get(key)]
        self.content_bytes += sum(len(msgspec.json.encode(value)) for value in found)
        return CONTENT if any(not isinstance(value, str) or value.strip() for value in found) else PASS


def _only_text(chunk: Chunk) -> tuple[str, bytes] | None:
    """The name and the JSON of the text that is all there is to an event; None if there is more to it, or less."""
    choices = chunk.choices
    if choices is None or len(choices) != 1 or choices[0].finish_reason or chunk.x_groq is not None:
        return None
    delta = choices[0].delta
    if delta is None or len(chunk.usage) > 4 or len(chunk.error) > 4:
        return None
    for name in ("tool_calls", "function_call", "refusal", "audio"):
        if getattr(delta, name) not in EMPTY:
            return None
    found: tuple[str, bytes] | None = None
    for name in _TEXTS:
        text = bytes(getattr(delta, name))
        if len(text) <= 4 and msgspec.Raw(text) in EMPTY:
            continue
        if found is not None or text[:1] != b'"':
            return None
        found = (name, text)
    return found


def is_whole(event: bytes) -> bool:
    """Whether the last bytes of a stream are an event that only lacks its blank line: the end mark, or an object."""
    event = event.strip()
    if event[:5] != b"data:":
        return False
    data = event[5:].lstrip()
    if data == b"[DONE]":
        return True
    try:
        return isinstance(_any.decode(data), dict)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
