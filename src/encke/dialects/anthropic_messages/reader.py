"""A provider's stream, into deltas."""

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
from encke.dialects.anthropic_messages.block_wire import Event, EventBlock, EventDelta, Typed
from encke.dialects.anthropic_messages.names import ORIGIN, finish_of
from encke.dialects.anthropic_messages.parse_blocks import citation
from encke.dialects.anthropic_messages.parse_reply import settled
from encke.dialects.anthropic_messages.tools import ToolNames, free_text
from encke.dialects.anthropic_messages.usage import Tally
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import loosely, mend, relax
from encke.dialects.openai_chat.assistant import arguments_of
from encke.dialects.port import Reader

_event: Final = msgspec.json.Decoder(Event)
_block: Final = msgspec.json.Decoder(EventBlock)
_map: Final = msgspec.json.Decoder(dict[str, Any])
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode
_NOTHING: Final[list[Delta]] = []

MAX_OPEN: Final = 1024
MAX_KEPT: Final = 4 << 20  # bytes that are kept of all open blocks together
# What a block is.
_TEXT: Final = 1
_THOUGHT: Final = 2
_CALL: Final = 3
_FREE: Final = 4  # a call of a tool that takes free text: what comes is kept until its end
_ANSWER: Final = 5  # a call that stands for the answer
_FOREIGN: Final = 6
_WHOLE: Final = 7


class _Block:
    """A block that is being written. `how` says what it is; `said`: something of it was told."""

    __slots__ = ("how", "index", "kept", "key", "raw", "said")

    def __init__(self, index: int, key: int, how: int, raw: bytes = b"") -> None:
        self.index = index  # on the wire
        self.key = key  # of its deltas
        self.how = how
        self.raw = raw
        self.said = False
        self.kept = bytearray()  # the pieces that have come


class MessagesReader(Reader):
    """Reads one stream."""

    def __init__(self, request: ChatRequest, call_id: str) -> None:
        super().__init__()
        self._names = ToolNames(request)
        self._call_id = call_id.replace("-", "")
        self._tally = Tally()
        self._last: _Block | None = None  # the open block that was written last
        self._open: dict[int, _Block] = {}  # by index: some servers write several at a time
        self._size = 0  # of what is kept of them
        self._next = 0
        self._began = False
        self._calls = False

    def feed(self, data: bytes) -> list[Delta]:
        """See `Reader`."""
        if self.ended:
            return _NOTHING  # what follows is no part of the answer
        try:
            event = _event.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            mended = relax(data, Event)
            if mended is None:
                return self._odd(data)
            event = mended
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            return _NOTHING if delta is None else self._more(delta, event.index)
        if kind == "content_block_start":
            return self._start(event)
        if kind == "content_block_stop":
            return self._stopped(event.index)
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
        """An event that is not as the wire has it, though it is JSON: an error is one all the same, of others nobody
        can tell what is missing then."""
        typed = mend(data, Typed)
        if typed is None:
            return _NOTHING
        if typed.type == "error" or len(typed.error) > 4:
            self.fault = fault_in_stream(typed.error if len(typed.error) else msgspec.Raw(b"{}"))
        elif typed.type.startswith(("message_", "content_block_")):
            self.fault = _senseless("an event has fields of other types than it should")
        return _NOTHING

    def _begin(self, event: Event) -> list[Delta]:
        message = event.message
        if message is None:
            return _NOTHING
        if self._began and self._next:
            self.fault = _senseless("the answer began anew in its middle")
            return _NOTHING
        found = [] if self._began else [Delta(START, name=message.model or "", id=message.id or "", data=0)]
        self._began = True
        self._told(message.usage, found)
        return found

    def _told(self, raw: msgspec.Raw, found: list[Delta]) -> None:
        if self._tally.feed(raw):
            self.usage = self._tally.usage
            found.append(Delta(USAGE))

    def _opened(self, index: int, how: int, raw: bytes = b"") -> _Block:
        block = self._last = self._open[index] = _Block(index, self._next, how, raw)
        self._next += 1
        self._keep(len(raw))
        return block

    def _keep(self, size: int) -> None:
        """So many bytes more stay until their block is whole."""
        self._size += size
        if self._size > MAX_KEPT:
            self.fault = Fault("upstream_too_large", "The provider's stream has too much in blocks that are open.")

    def _start(self, event: Event) -> list[Delta]:
        found = self._stopped(event.index) if event.index in self._open else []
        told = loosely(event.content_block, _block, EventBlock)
        if told is None:
            told = EventBlock("?")
        if len(self._open) >= MAX_OPEN:
            self.fault = _senseless(f"it has more than {MAX_OPEN} open blocks")
            return found
        index, kind = event.index, told.type
        if kind == "text":
            block = self._opened(index, _TEXT)
            if told.text:
                block.said = True
                found.append(Delta(TEXT, key=block.key, text=told.text))
        elif kind == "thinking":
            block = self._opened(index, _THOUGHT)
            if told.thinking:
                block.said = True
                found.append(Delta(THINKING, key=block.key, text=told.thinking))
            if told.signature:
                _sign(block, told.signature, found)
        elif kind == "redacted_thinking":
            block = self._opened(index, _WHOLE)
            found.append(Delta(REDACTED, key=block.key, text=told.data or "", name=ORIGIN))
        elif kind == "tool_use":
            self._call(index, told, found)
        else:
            self._opened(index, _FOREIGN, bytes(event.content_block))
        return found

    def _call(self, index: int, told: EventBlock, found: list[Delta]) -> None:
        name, raw = told.name or "", bytes(told.input)
        if name == self._names.answer:
            self._opened(index, _ANSWER, raw)
            return
        self._calls = True
        free = self._names.takes_text(name)
        block = self._opened(index, _FREE if free else _CALL, raw)
        id = told.id or f"call_{self._call_id}_{block.key}"
        found.append(Delta(TOOL, key=block.key, id=id, name=self._names.own(name), data=True if free else None))

    def _more(self, delta: EventDelta, index: int) -> list[Delta]:
        block = self._last
        if block is None or block.index != index:
            block = self._found(delta, index)
            if block is None:
                return _NOTHING
        text, how = delta.text, block.how
        if text is not None and how == _TEXT:
            block.said = True
            return [Delta(TEXT, key=block.key, text=text)]
        if delta.thinking is not None and how == _THOUGHT:
            block.said = True
            return [Delta(THINKING, key=block.key, text=delta.thinking)]
        piece = delta.partial_json
        if piece is not None:
            return self._piece(block, piece)
        found: list[Delta] = []
        if delta.signature is not None and how == _THOUGHT:
            _sign(block, delta.signature, found)
        elif len(delta.citation) and how == _TEXT:
            if not block.said:  # they come before the text that they are of
                block.said = True
                found.append(Delta(TEXT, key=block.key))
            found.append(Delta(CITATION, key=block.key, data=citation(delta.citation)))
        elif delta.content is not None and how == _FOREIGN:
            self._kept(block, delta.content)
        return found

    def _piece(self, block: _Block, piece: str) -> list[Delta]:
        how = block.how
        if how in (_CALL, _ANSWER):
            if not piece:
                return _NOTHING
            block.said = True
            return [Delta(ARGUMENTS if how == _CALL else TEXT, key=block.key, text=piece)]
        if how in (_FREE, _FOREIGN):
            self._kept(block, piece)
        return _NOTHING

    def _kept(self, block: _Block, piece: str) -> None:
        data = piece.encode("utf-8", "replace")
        block.kept += data
        self._keep(len(data))

    def _found(self, delta: EventDelta, index: int) -> _Block | None:
        """The block that a piece is of: that of its index, else the only one there is, or one that nobody began."""
        block = self._open.get(index)
        if block is None and len(self._open) == 1:
            block = next(iter(self._open.values()))
        if block is None and (delta.text is not None or delta.thinking is not None):
            block = self._opened(index, _TEXT if delta.text is not None else _THOUGHT)
        self._last = block
        return block

    def _stopped(self, index: int) -> list[Delta]:
        """The block of this index is whole."""
        block = self._open.pop(index, None)
        if block is None:
            return []
        if block is self._last:
            self._last = None
        found: list[Delta] = []
        self._size -= len(block.raw) + len(block.kept)
        key, how, kept = block.key, block.how, block.kept.decode()
        if how == _CALL and not block.said:
            found.append(Delta(ARGUMENTS, key=key, text=_given(block.raw)))
        elif how == _ANSWER and not block.said:
            found.append(Delta(TEXT, key=key, text=_given(block.raw)))
        elif how == _FREE:
            found.append(Delta(ARGUMENTS, key=key, text=free_text(kept or _given(block.raw))))
        elif how == _FOREIGN:
            foreign = _foreign(block.raw, kept)
            if foreign is not None:
                found.append(Delta(FOREIGN, key=key, data=foreign))
        if how != _FOREIGN:
            found.append(Delta(CLOSE, key=key))
        return found

    def _close(self) -> list[Delta]:
        """All blocks are whole."""
        found: list[Delta] = []
        for index in list(self._open):
            found += self._stopped(index)
        return found

    def _end(self, event: Event) -> list[Delta]:
        found: list[Delta] = []
        delta = event.delta
        if delta is not None and delta.stop_reason and not self.finished:
            reason = delta.stop_reason
            found += self._close()
            if delta.stop_details is not None and delta.stop_details.explanation:
                found.append(Delta(REFUSAL, key=self._next, text=delta.stop_details.explanation))
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


def _sign(block: _Block, signature: str, found: list[Delta]) -> None:
    if not block.said:
        block.said = True
        found.append(Delta(THINKING, key=block.key))
    found.append(Delta(SIGNATURE, key=block.key, text=signature, name=ORIGIN))


def _given(raw: bytes) -> str:
    """Arguments that a call began with; none are those of an empty object."""
    return (arguments_of(msgspec.Raw(raw)) if raw[:1] in (b"{", b'"') else "") or "{}"


def _foreign(raw: bytes, kept: str) -> Foreign | None:
    """A block as it would stand in a whole answer: with what came in pieces in its place."""
    try:
        fields = _map.decode(raw)
        if kept and "input" in fields:
            fields["input"] = _any.decode(kept)
        elif kept:
            fields["content"] = kept
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return Foreign(ORIGIN, str(fields.get("type")), _encode(fields) if kept else raw)


def _senseless(why: str) -> Fault:
    return Fault("upstream_bad_response", f"The provider's stream makes no sense: {why}.", verdict="next")
