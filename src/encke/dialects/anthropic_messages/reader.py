"""A provider's stream, into deltas. A block's `key` is its index on the wire."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Foreign
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    FOREIGN,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    START,
    TEXT,
    THINKING,
    TOOL,
    USAGE,
    Delta,
)
from encke.core.faults import Fault
from encke.dialects.anthropic_messages.block_wire import Event, EventBlock, EventDelta
from encke.dialects.anthropic_messages.names import ORIGIN, finish_of
from encke.dialects.anthropic_messages.parse_blocks import citation
from encke.dialects.anthropic_messages.parse_reply import settled
from encke.dialects.anthropic_messages.tools import ToolNames, free_text
from encke.dialects.anthropic_messages.usage import Tally
from encke.dialects.faults import fault_in_stream
from encke.dialects.port import Reader

_event: Final = msgspec.json.Decoder(Event)
_block: Final = msgspec.json.Decoder(EventBlock)
_map: Final = msgspec.json.Decoder(dict[str, Any])
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode
_NOTHING: Final[list[Delta]] = []

# What the open block is.
_NONE: Final = 0
_TEXT: Final = 1
_THOUGHT: Final = 2
_CALL: Final = 3
_FREE: Final = 4  # a call of a tool that takes free text: what comes is kept until its end
_ANSWER: Final = 5  # a call that stands for the answer
_FOREIGN: Final = 6
_WHOLE: Final = 7


class MessagesReader(Reader):
    """Reads one stream."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__()
        self._names = ToolNames(request)
        self._tally = Tally()
        self._open = _NONE
        self._key = -1
        self._began = False
        self._said = False  # something of the open block
        self._raw = b""
        self._kept: list[str] = []
        self._calls = False

    def feed(self, data: bytes) -> list[Delta]:
        """See `Reader`."""
        if self.ended:
            return _NOTHING  # what follows is no part of the answer
        try:
            event = _event.decode(data)
        except (msgspec.ValidationError, RecursionError):
            return self._odd(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _NOTHING
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            return _NOTHING if delta is None else self._more(delta, event.index)
        if kind == "content_block_start":
            return self._start(event)
        if kind == "content_block_stop":
            return self._close()
        if kind == "message_start":
            return self._begin(event)
        if kind == "message_delta":
            return self._end(event)
        if kind == "message_stop":
            return self._stop()
        if kind == "error" or len(event.error) > 4:
            self.fault = fault_in_stream(event.error if len(event.error) else msgspec.Raw(b"{}"))
        return _NOTHING

    def _odd(self, data: bytes) -> list[Delta]:
        """An event that is not as the wire has it: an error is one all the same, of others nobody can tell what is
        missing then."""
        try:
            value: Any = _any.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return _NOTHING
        if not isinstance(value, dict):
            return _NOTHING
        if value.get("type") == "error" or value.get("error"):
            self.fault = fault_in_stream(msgspec.Raw(_encode(value.get("error"))))
        elif str(value.get("type")).startswith(("message_", "content_block_")):
            self.fault = _senseless("an event has fields of other types than it should")
        return _NOTHING

    def _begin(self, event: Event) -> list[Delta]:
        message = event.message
        if message is None:
            return _NOTHING
        if self._began and (self._open != _NONE or self._key >= 0):
            self.fault = _senseless("the answer began anew in its middle")
            return _NOTHING
        found = [] if self._began else [Delta(START, name=message.model, id=message.id, data=0)]
        self._began = True
        self._told(message.usage, found)
        return found

    def _told(self, raw: msgspec.Raw, found: list[Delta]) -> None:
        if self._tally.feed(raw):
            self.usage = self._tally.usage
            found.append(Delta(USAGE))

    def _start(self, event: Event) -> list[Delta]:
        found = self._close()
        try:
            block = _block.decode(event.content_block)
        except msgspec.ValidationError:
            block = EventBlock("?")  # of a block that only this dialect has, the fields may be anything
        except (msgspec.DecodeError, RecursionError):
            return found
        key = self._key = event.index
        kind = block.type
        if kind == "text":
            self._open = _TEXT
            if block.text:
                self._said = True
                found.append(Delta(TEXT, key=key, text=block.text))
        elif kind == "thinking":
            self._open = _THOUGHT
            if block.thinking:
                self._said = True
                found.append(Delta(THINKING, key=key, text=block.thinking))
            if block.signature:
                self._sign(block.signature, found)
        elif kind == "redacted_thinking":
            self._open = _WHOLE
            found.append(Delta(REDACTED, key=key, text=block.data or "", name=ORIGIN))
        elif kind == "tool_use":
            self._call(block, found)
        else:
            self._open = _FOREIGN
            self._raw = bytes(event.content_block)
        return found

    def _call(self, block: EventBlock, found: list[Delta]) -> None:
        name = block.name or ""
        self._raw = bytes(block.input)
        if name == self._names.answer:
            self._open = _ANSWER
            return
        self._calls = True
        free = self._names.takes_text(name)
        self._open = _FREE if free else _CALL
        found.append(
            Delta(TOOL, key=self._key, id=block.id or "", name=self._names.own(name), data=True if free else None)
        )

    def _more(self, delta: EventDelta, key: int) -> list[Delta]:
        if self._open == _NONE:
            self._key = key
            self._open = _TEXT if delta.text is not None else _THOUGHT if delta.thinking is not None else _NONE
        text = delta.text
        if text is not None and self._open == _TEXT:
            self._said = True
            return [Delta(TEXT, key=self._key, text=text)]
        if delta.thinking is not None and self._open == _THOUGHT:
            self._said = True
            return [Delta(THINKING, key=self._key, text=delta.thinking)]
        piece = delta.partial_json
        if piece is not None:
            return self._piece(piece)
        found: list[Delta] = []
        if delta.signature is not None and self._open == _THOUGHT:
            self._sign(delta.signature, found)
        elif len(delta.citation) and self._open == _TEXT:
            if not self._said:  # they come before the text that they are of
                self._said = True
                found.append(Delta(TEXT, key=self._key))
            found.append(Delta(CITATION, key=self._key, data=citation(delta.citation)))
        elif delta.content is not None and self._open == _FOREIGN:
            self._kept.append(delta.content)
        return found

    def _piece(self, piece: str) -> list[Delta]:
        how = self._open
        if how in (_CALL, _ANSWER):
            if not piece:
                return _NOTHING
            self._said = True
            return [Delta(ARGUMENTS if how == _CALL else TEXT, key=self._key, text=piece)]
        if how in (_FREE, _FOREIGN):
            self._kept.append(piece)
        return _NOTHING

    def _sign(self, signature: str, found: list[Delta]) -> None:
        if not self._said:
            self._said = True
            found.append(Delta(THINKING, key=self._key))
        found.append(Delta(SIGNATURE, key=self._key, text=signature, name=ORIGIN))

    def _close(self) -> list[Delta]:
        """The open block is whole."""
        how, key, found = self._open, self._key, []
        if how == _NONE:
            return []
        kept, raw = "".join(self._kept), self._raw
        if how == _CALL and not self._said:
            found.append(Delta(ARGUMENTS, key=key, text=_given(raw)))
        elif how == _ANSWER and not self._said:
            found.append(Delta(TEXT, key=key, text=_given(raw)))
        elif how == _FREE:
            found.append(Delta(ARGUMENTS, key=key, text=free_text(kept or _given(raw))))
        elif how == _FOREIGN:
            foreign = _foreign(raw, kept)
            if foreign is not None:
                found.append(Delta(FOREIGN, key=key, data=foreign))
        if how != _FOREIGN:
            found.append(Delta(CLOSE, key=key))
        self._open = _NONE
        self._said = False
        self._raw = b""
        self._kept.clear()
        return found

    def _end(self, event: Event) -> list[Delta]:
        found: list[Delta] = []
        delta = event.delta
        if delta is not None and delta.stop_reason:
            reason = delta.stop_reason
            found += self._close()
            if delta.stop_details is not None and delta.stop_details.explanation:
                found.append(Delta(REFUSAL, key=self._key + 1, text=delta.stop_details.explanation))
            finish = settled(finish_of(reason), self._calls, self._names.answer)
            found.append(Delta(FINISH, name=finish or "other", text=delta.stop_sequence or "", id=reason))
            self.finish_reason = reason
            self.finished = True
        self._told(event.usage, found)
        return found

    def _stop(self) -> list[Delta]:
        if not self.finished:
            self.fault = _senseless("it ended and did not say why")
            return _NOTHING
        self.ended = True
        return self._close()


def _given(raw: bytes) -> str:
    """Arguments that a call began with; none are those of an empty object."""
    return raw.decode("utf-8", "replace") if raw[:1] == b"{" else "{}"


def _foreign(raw: bytes, kept: str) -> Foreign | None:
    """A block as it would stand in a whole answer: with what came in pieces in its place."""
    try:
        fields = _map.decode(raw)
        if kept and "input" in fields:
            fields["input"] = _any.decode(kept)
        elif kept:
            fields["content"] = kept
    except (msgspec.DecodeError, RecursionError):
        return None
    return Foreign(ORIGIN, str(fields.get("type")), _encode(fields) if kept else raw)


def _senseless(why: str) -> Fault:
    return Fault("upstream_bad_response", f"The provider's stream makes no sense: {why}.", verdict="next")
