"""The tap on a same-dialect stream: events pass as they are; this looks at each and says what it means.

Only a few fields of an event are decoded. That costs less than remembering what stands around the text of the last one:
each has another `sequence_number`, and OpenAI pads each with another `obfuscation`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.counting import CountingTap
from encke.dialects.faults import fault_in_stream
from encke.dialects.openai_responses.faults import render_failed
from encke.dialects.openai_responses.head import empty_response
from encke.dialects.openai_responses.parse import finish_of
from encke.dialects.openai_responses.usage import parse_usage
from encke.dialects.openai_responses.wire import ENDS, FAILED, NOTHING, NULL, Event, Head, Reply
from encke.dialects.port import CONTENT, END, ERROR, PASS

_event: Final = msgspec.json.Decoder(Event)
_reply: Final = msgspec.json.Decoder(Reply)
_head: Final = msgspec.json.Decoder(Head)
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

PICTURE: Final = 64  # what a picture counts, in bytes of text, where nobody tells usage
_TEXTS: Final = ("text", "refusal", "arguments", "input", "code")  # of an item or of one of its parts
_SILENT: Final = frozenset({"message", "reasoning"})  # items that may have nothing in them


class ResponsesTap(CountingTap):
    """Watches one stream. `feed` takes an event's data and returns flags."""

    __slots__ = ("_counted", "_id", "_model", "_sequence", "_since")

    def __init__(self) -> None:
        super().__init__()
        self._counted = 0  # `content_bytes` when the last item was whole
        self._id = ""
        self._model = ""
        self._since = 0
        self._sequence = -1

    def feed(self, data: bytes) -> int:
        """Look at one event's data."""
        try:
            event = _event.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return self._feed_odd(data)
        return self._see(event, data)

    def _see(self, event: Event, data: bytes) -> int:
        kind = event.type
        self._sequence = event.sequence_number if event.sequence_number >= 0 else self._sequence + 1
        if kind.endswith(".delta"):
            return CONTENT if self._count(event.delta) else PASS
        if kind == "response.output_item.done":
            return self._item(event.item)
        if kind in ENDS:
            self._end(event.response)
            return END
        if kind in FAILED or (not kind and event.error not in (NOTHING, NULL)):
            self._fail(event, data)
            return ERROR
        if kind == "response.created":
            self._begin(event.response)
        elif kind == "response.image_generation_call.partial_image":
            self.content_bytes += PICTURE
            self._began = True
            return CONTENT
        return PASS

    def is_whole(self, rest: bytes) -> bool:
        """See `Tap`: whether the last line is data, and a whole JSON object."""
        line = rest.strip().rpartition(b"\n")[2]
        if line[:5] != b"data:":
            return False
        try:
            return isinstance(_any.decode(line[5:]), dict)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False

    def break_off(self, fault: Fault, request_id: str) -> bytes | None:
        """See `Tap`: a Response that has begun ends as one that failed."""
        if not self._id:
            return None
        return render_failed(fault, request_id, empty_response(self._id, self._model, self._since), self._sequence + 1)

    def _begin(self, raw: msgspec.Raw) -> None:
        try:
            head = _head.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return
        self._id, self._model, self._since = head.id, head.model, int(head.created_at)

    def _end(self, raw: msgspec.Raw) -> None:
        try:
            reply = _reply.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.finish_reason = "completed"
            return
        usage = parse_usage(reply.usage)
        if usage is not None:
            self.usage = usage
            self.usage_at = self.content_bytes
        self.finish_reason = finish_of(reply.status or "completed", reply.incomplete_details)

    def _fail(self, event: Event, data: bytes) -> None:
        # OpenAI describes an error event that has it all beside its type, and sends one with an object in it.
        error = event.error if event.error is not NOTHING else msgspec.Raw(data)
        if event.response is not NOTHING:
            self._end(event.response)
            try:
                error = _reply.decode(event.response).error
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                error = NOTHING
        self.fault = fault_in_stream(error)

    def _item(self, raw: msgspec.Raw) -> int:
        """An item is whole. What has come of it in pieces is counted; who writes it in one goes is not forgotten."""
        if self.content_bytes == self._counted:
            try:
                size, kind = _sized(_any.decode(raw))
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                return PASS
            self.content_bytes += size
            if not size and kind in _SILENT:
                return PASS
            self._began = True
        self._counted = self.content_bytes
        return CONTENT if self._began else PASS

    def _feed_odd(self, data: bytes) -> int:
        """An event whose types are not the wire's: look at what of it is, or leave it alone if it is not JSON."""
        try:
            value = _any.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return PASS
        if not isinstance(value, dict):
            return PASS
        event = Event()
        kind, number = value.get("type"), value.get("sequence_number")
        if isinstance(kind, str):
            event.type = kind
        if isinstance(number, int) and not isinstance(number, bool):
            event.sequence_number = number
        for name in ("delta", "response", "item", "error"):
            if name in value:
                setattr(event, name, msgspec.Raw(_encode(value[name])))
        return self._see(event, data)


def _sized(item: Any) -> tuple[int, str]:
    """How much of an answer there is in a whole item, in bytes of JSON text, and its type."""
    if not isinstance(item, dict):
        return 0, ""
    size = _of(item)
    for name in ("content", "summary"):
        parts = item.get(name)
        if isinstance(parts, list):
            size += sum(_of(part) for part in parts if isinstance(part, dict))
    kind = item.get("type")
    return size, kind if isinstance(kind, str) else ""


def _of(fields: dict[str, Any]) -> int:
    return sum(max(len(_encode(fields[name])) - 2, 0) for name in _TEXTS if fields.get(name))
