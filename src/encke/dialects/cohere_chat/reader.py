"""Streams of Cohere's chat, read: one event after the other, `message-end` and `[DONE]` at the end."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    LOGPROBS,
    START,
    TEXT,
    THINKING,
    TOOL,
    USAGE,
    Delta,
)
from encke.core.faults import Fault
from encke.dialects.cohere_chat.citations import PLAN, read_citation
from encke.dialects.cohere_chat.odd import odd_event
from encke.dialects.cohere_chat.parse import FINISHES, failure, logprob_of, made_id
from encke.dialects.cohere_chat.usage import parse_usage
from encke.dialects.cohere_chat.wire import NOTHING, Call, Content, Event, EventDelta
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import mend, readable, relaxed
from encke.dialects.port import Reader

_event: Final = msgspec.json.Decoder(Event)
_any: Final = msgspec.json.Decoder()

_DONE: Final = b"[DONE]"
_PLAN: Final = 0  # the key of the tool plan; blocks of content have odd keys, tool calls even ones
_NULL: Final = "null"
_BARE: Final = 64  # more than so much white space is not kept back


class CohereReader(Reader):
    """Reads one stream."""

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self._call_id = call_id
        self._text = 1  # the key of the text that was written last: citations that name no block are of it
        self._texts: set[int] = set()
        self._named: set[int] = set()  # calls that have begun
        self._bare: dict[int, str] = {}  # calls whose arguments have not begun, with what may yet become "null"

    def feed(self, data: bytes) -> list[Delta]:
        """See `Reader`."""
        if data.strip() == _DONE:
            if self.finished:
                self.ended = True
            else:
                self._untold()
            return []
        event = relaxed(data, _event, Event)
        if event is None:
            event = odd_event(readable(data))
        kind, delta = event.type, event.delta
        if delta is None:
            return self._without_delta(event)
        if kind == "content-delta" or kind == "content-start":
            return self._content(event, delta)
        if kind == "tool-plan-delta":
            message = delta.message
            plan = message.tool_plan if message is not None else None
            return [Delta(TEXT, 0, _PLAN, plan)] if plan else []
        if kind == "tool-call-delta" or kind == "tool-call-start":
            return self._call(event, delta)
        if kind == "citation-start":
            return self._cited(delta)
        if kind == "message-start":
            return [Delta(START, id=event.id or "", data=0)]
        return self._end(delta) if kind == "message-end" else []

    def _without_delta(self, event: Event) -> list[Delta]:
        kind = event.type
        if kind == "content-end":
            return [Delta(CLOSE, 0, 2 * (event.index or 0) + 1)]
        if kind == "tool-call-end":
            key = 2 * (event.index or 0) + 2
            bare = self._bare.pop(key, None)
            closed = Delta(CLOSE, 0, key)
            return [closed] if bare is None else [Delta(ARGUMENTS, 0, key, _settled(bare)), closed]
        if not kind and event.message is not NOTHING:
            self.fault = fault_in_stream(event.message)
        elif kind == "message-end":
            self._untold()
        return []

    def _content(self, event: Event, delta: EventDelta) -> list[Delta]:
        message = delta.message
        content = message.content if message is not None else None
        if not isinstance(content, Content):
            return []
        key = 2 * (event.index or 0) + 1
        deltas = []
        if content.thinking:
            deltas.append(Delta(THINKING, 0, key, content.thinking))
        if content.text:
            self._text = key
            self._texts.add(key)
            deltas.append(Delta(TEXT, 0, key, content.text))
        if event.logprobs is not None:
            deltas.append(Delta(LOGPROBS, data=(logprob_of(event.logprobs),)))
        return deltas

    def _call(self, event: Event, delta: EventDelta) -> list[Delta]:
        message = delta.message
        call = message.tool_calls if message is not None else None
        if isinstance(call, list):  # as in a whole answer
            call = mend(call[0], Call) if call else None
        if call is None:
            return []
        key = 2 * (event.index or 0) + 2
        function = call.function
        deltas = []
        name = function.name if function is not None else None
        if name and key not in self._named:
            self._named.add(key)
            deltas.append(Delta(TOOL, 0, key, name=name, id=call.id or made_id(self._call_id, len(self._named) - 1)))
            self._bare[key] = ""
        text = function.arguments if function is not None else None
        if key not in self._named:
            self.fault = Fault(
                "upstream_bad_response", "The provider's stream has a tool call without a name.", verdict="next"
            )
        elif text:
            bare = self._bare.pop(key, None) if self._bare else None
            if bare is not None:
                text = bare + text
                if len(text) <= _BARE and _NULL.startswith(text.strip()):
                    self._bare[key] = text
                    return deltas
            deltas.append(Delta(ARGUMENTS, 0, key, text))
        return deltas

    def _cited(self, delta: EventDelta) -> list[Delta]:
        message = delta.message
        if message is None or message.citations is NOTHING:
            return []
        block, citations = read_citation(message.citations)
        key = _PLAN if block == PLAN else self._text if block is None else 2 * block + 1
        if key not in self._texts and key != _PLAN:
            key = self._text  # events count all blocks as 0 where a thought comes before the text
        return [Delta(CITATION, 0, key, data=citation) for citation in citations]

    def _end(self, delta: EventDelta) -> list[Delta]:
        reason = delta.finish_reason
        deltas = []
        usage = parse_usage(delta.usage)
        if usage is not None:
            self.usage = usage
            deltas.append(Delta(USAGE))
        if not reason:
            self._untold()
            return deltas
        self.finish_reason = reason
        if reason in ("ERROR", "TIMEOUT"):
            self.fault = failure(reason, _said(delta.error))
            return deltas
        self.finished = True
        deltas.extend(Delta(ARGUMENTS, 0, key, _settled(bare)) for key, bare in self._bare.items())
        self._bare.clear()
        deltas.append(Delta(FINISH, name=FINISHES.get(reason, "other"), id=reason))
        return deltas

    def _untold(self) -> None:
        self.fault = Fault("upstream_bad_response", "The provider's stream ended without telling why.", verdict="next")


def _settled(bare: str) -> str:
    """The arguments of a call that had none, or null."""
    return "{}" if bare.strip() in ("", _NULL) else bare


def _said(raw: msgspec.Raw) -> str:
    try:
        value: Any = _any.decode(raw) if raw is not NOTHING else ""
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    return value if isinstance(value, str) else ""
