"""A provider's stream of this dialect, read into deltas.

An item may come in pieces, or whole when it is done, or only in the Response at the end; what has come in pieces is not
read again from the whole.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    FINISH,
    LOGPROBS,
    REFUSAL,
    START,
    TEXT,
    THINKING,
    USAGE,
    Delta,
)
from encke.core.faults import Fault
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import loosely
from encke.dialects.openai_chat.assistant import arguments_of
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.conversation import SEPARATOR
from encke.dialects.openai_responses.output import finish, read_logprobs
from encke.dialects.openai_responses.parse import finish_of
from encke.dialects.openai_responses.parts import citation_of
from encke.dialects.openai_responses.usage import parse_usage
from encke.dialects.openai_responses.whole import KEYS, SUMMARY, WholeItems
from encke.dialects.openai_responses.wire import ENDS, FAILED, NOTHING, NULL
from encke.dialects.port import Reader

_event: Final = msgspec.json.Decoder(wire.StreamEvent)
_response: Final = msgspec.json.Decoder(wire.Response)

# Events that tell the whole of what comes in pieces: the event of a piece, and where the whole stands.
_WHOLES: Final[dict[str, tuple[str, str]]] = {
    "response.output_text.done": ("response.output_text.delta", "text"),
    "response.refusal.done": ("response.refusal.delta", "refusal"),
    "response.function_call_arguments.done": ("response.function_call_arguments.delta", "arguments"),
    "response.custom_tool_call_input.done": ("response.custom_tool_call_input.delta", "input"),
    "response.reasoning_summary_text.done": ("response.reasoning_summary_text.delta", "text"),
    "response.reasoning_text.done": ("response.reasoning_text.delta", "text"),
}
_THOUGHTS: Final = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_SPOKEN: Final = frozenset({"text", "refusal"})
_BEGINNINGS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})


class ResponsesReader(Reader):
    """Reads one."""

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self._items = WholeItems(call_id.replace("-", ""))
        self._started = False
        self._summary = -1  # the summary part that is open: with its item's index, one number

    def feed(self, data: bytes) -> list[Delta]:
        """See `Reader`."""
        event = loosely(data, _event, wire.StreamEvent)
        return [] if event is None else self._read(event, data)

    def _read(self, event: wire.StreamEvent, data: bytes) -> list[Delta]:
        kind = event.type
        if kind == "response.output_text.delta":
            return self._text(event)
        if kind.endswith(".delta"):
            return self._piece(event, kind)
        if kind == "response.output_item.done":
            return self._items.done(event.output_index, event.item)
        if kind == "response.output_item.added":
            return self._items.added(event.output_index, event.item)
        if kind in ENDS:
            return self._end(event.response)
        if kind in FAILED or (not kind and event.error not in (NOTHING, NULL)):
            self._fail(event, data)
            return []
        if kind in _BEGINNINGS:
            return self._start(event.response)
        if kind == "response.output_text.annotation.added":
            return self._annotation(event)
        return self._told(event, kind) if kind in _WHOLES else []

    def _text(self, event: wire.StreamEvent) -> list[Delta]:
        key = event.output_index * KEYS + event.content_index
        found = [Delta(TEXT, 0, key, event.delta)]
        if key not in self._items.said:
            self._items.speak(event.output_index, key)
        if len(event.logprobs) > 2:
            tokens = read_logprobs(event.logprobs)
            if tokens:
                self._items.weighed.add(key)
                found.append(Delta(LOGPROBS, 0, key, data=tuple(tokens)))
        return found

    def _piece(self, event: wire.StreamEvent, kind: str) -> list[Delta]:
        """More of a thought, a call or a refusal; of what a provider runs itself only the whole is of interest."""
        text, items = event.delta, self._items
        key = event.output_index * KEYS
        if not text:
            return []
        if kind == "response.function_call_arguments.delta" or kind == "response.custom_tool_call_input.delta":
            if key not in items.opened:
                return []  # the whole will come
            items.said.add(key)
            return [Delta(ARGUMENTS, 0, key, text)]
        if kind == "response.reasoning_summary_text.delta":
            key += SUMMARY
            text = self._separated(key, event.summary_index, text)
            items.said.add(key)
            return [Delta(THINKING, 0, key, text, "summary", event.item_id)]
        if kind == "response.reasoning_text.delta":
            text = self._separated(key, event.content_index, text)
            items.said.add(key)
            return [Delta(THINKING, 0, key, text, "", event.item_id)]
        if kind == "response.refusal.delta":
            key += event.content_index
            if key not in items.said:
                items.speak(event.output_index, key)
            return [Delta(REFUSAL, 0, key, text)]
        return []

    def _told(self, event: wire.StreamEvent, kind: str) -> list[Delta]:
        """The whole of something that may have come in no pieces."""
        piece, field = _WHOLES[kind]
        key = event.output_index * KEYS
        if piece in _THOUGHTS:
            own, part = key, event.content_index
            if piece == "response.reasoning_summary_text.delta":
                own, part = key + SUMMARY, event.summary_index
            seen = own * KEYS + part == self._summary
        else:
            seen = (key + event.content_index if field in _SPOKEN else key) in self._items.said
        event.delta = "" if seen else arguments_of(getattr(event, field))
        if not event.delta:
            return []
        return self._text(event) if piece == "response.output_text.delta" else self._piece(event, piece)

    def _separated(self, key: int, part: int, text: str) -> str:
        """A thought's parts are one in the hub: between them stands what stands there in a whole answer."""
        at = key * KEYS + part
        if at == self._summary:
            return text
        self._summary = at
        return SEPARATOR + text if key in self._items.said else text

    def _annotation(self, event: wire.StreamEvent) -> list[Delta]:
        citation = citation_of(event.annotation)
        if citation is None:
            return []
        key = event.output_index * KEYS + event.content_index
        self._items.cited.add(key)
        return [Delta(CITATION, 0, key, data=citation)]

    def _start(self, raw: msgspec.Raw) -> list[Delta]:
        if self._started:
            return []
        response = loosely(raw, _response, wire.Response)
        return [] if response is None else self._begin(response)

    def _begin(self, response: wire.Response) -> list[Delta]:
        if self._started:
            return []
        self._started = True
        created = int(response.created_at or 0)
        return [Delta(START, id=response.id or "", name=response.model or "", data=created)]

    def _end(self, raw: msgspec.Raw) -> list[Delta]:
        response = loosely(raw, _response, wire.Response)
        if response is None:
            self.fault = Fault(
                "upstream_bad_response", "The provider's stream ended without telling how.", verdict="next"
            )
            return []
        found = self._begin(response)
        if not self._items.any:
            for at, item in enumerate(response.output or ()):
                found += self._items.done(at, item)
        found += self._items.rest()
        self.usage = parse_usage(response.usage)
        if self.usage is not None:
            found.append(Delta(USAGE))
        reason = finish_of(response.status or "completed", response.incomplete_details)
        self.finish_reason = reason
        name = finish(reason, self._items.called)
        found.append(Delta(FINISH, name=name or "other", id=reason))
        self.ended = self.finished = True
        return found

    def _fail(self, event: wire.StreamEvent, data: bytes) -> None:
        error = event.error if event.error is not NOTHING else msgspec.Raw(data)
        if event.response is not NOTHING:
            response = loosely(event.response, _response, wire.Response) or wire.Response()
            error = response.error
            self.usage = parse_usage(response.usage)
        self.fault = fault_in_stream(error)
