"""A stream for a caller, in the order that this wire has:

    message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop

Blocks stand strictly one after the other (`encke.dialects.blocks`). What upstream has read is told at the end, if it
was not known at the start; the sums at the end are those that count. A signature of a call or a text, which has no
place here, is a redacted thought beside it (`encke.dialects.carrier`); that of the last text, which its maker does not
demand back, is left out, as no turn ends with a thought here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Foreign
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    FINISH,
    FOREIGN,
    LOGPROBS,
    MEDIA,
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
from encke.core.usage import Usage
from encke.dialects.anthropic_messages.answer import (
    call_carrier,
    citation_json,
    media_text,
    message_id,
    shows_thoughts,
    signature_of,
    stop_reason,
    stopped_by,
    text_carrier,
)
from encke.dialects.anthropic_messages.faults import render_stream_fault
from encke.dialects.anthropic_messages.names import ORIGIN
from encke.dialects.anthropic_messages.usage import usage_json
from encke.dialects.anthropic_messages.wire import STOP
from encke.dialects.blocks import Blocks, BlockSink
from encke.dialects.port import Writer
from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Blocks of this dialect alone of which a member comes in pieces: its name, its deltas, and what it is at the start.
_INPUT: Final = ("input", b'"input_json_delta","partial_json":', b"{}")
_PIECES: Final[dict[str, tuple[str, bytes, bytes]]] = {
    "server_tool_use": _INPUT,
    "mcp_tool_use": _INPUT,
    "compaction": ("content", b'"compaction_delta","content":', b"null"),
}
_OTHERS: Final = frozenset({LOGPROBS, USAGE})
_START: Final = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b}}\n\n'
_DELTA_HEAD: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b'
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'


class MessagesWriter(Writer):
    """Writes one stream. Of several answers it is the first."""

    def __init__(self, request: Request, call_id: str) -> None:
        super().__init__()
        self._model = request.model
        self._id = message_id(call_id)
        self._began = False
        self._usage: Usage | None = None
        self._finish = ""
        self._stopped_by: str | None = None
        self._sole = stopped_by(request, "stop_sequence", "")  # now: the request's body is let go of meanwhile
        self._sink = _Sink(self.out, shows_thoughts(request))
        self._blocks = Blocks(self._sink)

    def feed(self, delta: Delta) -> None:
        """See `Writer`."""
        kind = delta.kind
        if kind == START:
            if delta.name:
                self._model = delta.name
            return
        if delta.choice != 0 or kind in _OTHERS:
            if kind == USAGE and isinstance(delta.data, Usage):
                self._usage = delta.data
            return
        if not self._began:
            self._begin()
        if kind == FINISH:
            self._finish = delta.name
            self._stopped_by = delta.text or (self._sole if delta.name == "stop_sequence" else None)
        elif kind == FOREIGN:
            foreign = delta.data
            if isinstance(foreign, Foreign) and foreign.origin == ORIGIN:
                self._blocks.end()
                self._sink.foreign(foreign)
        else:
            self._blocks.feed(delta)

    def finish(self, usage: Usage | None) -> None:
        """See `Writer`."""
        if not self._began:
            self._begin()
        self._blocks.end()
        sink = self._sink
        reason = stop_reason(self._finish, sink.called, sink.refused) if self._finish else None
        self.out.append(
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":%b,"stop_sequence":%b},'
            b'"usage":%b}\n\n' % (_encode(reason), _encode(self._stopped_by), usage_json(usage))
        )
        self.out.append(STOP)

    def break_off(self, fault: Fault, request_id: str) -> bytes:
        """See `Writer`."""
        return render_stream_fault(fault, request_id)

    def _begin(self) -> None:
        self._began = True
        self.out.append(
            b'event: message_start\ndata: {"type":"message_start","message":{"id":%b,"type":"message",'
            b'"role":"assistant","model":%b,"content":[],"stop_reason":null,"stop_sequence":null,"usage":%b}}\n\n'
            % (_encode(self._id), _encode(self._model), usage_json(self._usage))
        )


class _Sink(BlockSink):
    """Writes the blocks. A call's start waits for what comes next, since its signature stands before it."""

    __slots__ = (
        "_arguments", "_call", "_call_id", "_head", "_index", "_kind", "_out", "_shown", "_thought", "_trailer",
        "called", "refused",
    )  # fmt: skip

    def __init__(self, out: list[bytes], shown: bool) -> None:
        self._out = out
        self._shown = shown
        self._index = 0
        self._kind = TEXT
        self._head = b""  # of a delta of the open block; b"" if the block is not begun
        self._call: Delta | None = None
        self._call_id = ""
        self._arguments: list[str] | None = None  # of a tool that takes free text
        self._thought = ""  # the item that an open thought is of
        self._trailer = ""  # a carrier that follows the open block
        self.called = False
        self.refused = False

    def open(self, delta: Delta) -> None:
        """See `BlockSink`."""
        kind = self._kind = delta.kind
        if self._trailer:
            self.whole(_redacted(self._trailer))
            self._trailer = ""
        if kind == TOOL:
            self.called = True
            self._call = delta
            self._call_id = delta.id
            self._arguments = [] if delta.data is True else None
        elif kind == THINKING:
            self._thought = delta.id
        elif kind == REFUSAL:
            self.refused = True

    def add(self, delta: Delta) -> None:
        """See `BlockSink`."""
        kind = delta.kind
        if kind in (TEXT, REFUSAL):
            if delta.text:
                self._say(delta.text)
        elif kind == THINKING:
            if delta.text and self._shown:
                self._begin(b'{"type":"thinking","thinking":"","signature":""}', b'"thinking_delta","thinking":')
                self._out.append(b"%b%b}}\n\n" % (self._head, _encode(delta.text)))
        elif kind == ARGUMENTS:
            if self._arguments is not None:
                self._arguments.append(delta.text)
            else:
                self._give(delta.text)
        elif kind == SIGNATURE:
            self._sign(delta)
        elif kind == CITATION:
            self._begin(b'{"type":"text","text":""}', b'"text_delta","text":')
            cited = _encode(citation_json(delta.data))
            self._out.append(_DELTA % (self._index, b'"citations_delta","citation":%b' % cited))
        elif kind == REDACTED:
            carried = signature_of(delta.text, delta.name, delta.id)
            if carried:
                self._begin(_redacted(carried), b"")
        elif kind == MEDIA:
            text = media_text(delta.data)
            if text:
                self._say(text)

    def close(self) -> None:
        """See `BlockSink`."""
        if self._kind == TOOL:
            if self._arguments is not None:
                self._give(_encode({"input": "".join(self._arguments)}).decode())
                self._arguments = None
            self._begin_call()
        if self._head:
            self._out.append(_STOP % self._index)
            self._index += 1
            self._head = b""
        # A text's waits for the next block: programs take the last one for the answer, and a turn ends with no thought.
        if self._trailer and self._kind != TEXT:
            self.whole(_redacted(self._trailer))
            self._trailer = ""

    def whole(self, block: bytes) -> None:
        """A block that has no deltas."""
        self._out.append(_START % (self._index, block))
        self._out.append(_STOP % self._index)
        self._index += 1

    def foreign(self, part: Foreign) -> None:
        """A block that only this dialect has: what comes in pieces there does so here."""
        try:
            fields = _map.decode(part.raw)
        except (msgspec.DecodeError, RecursionError):
            return
        name, kind, empty = _PIECES.get(part.kind, ("", b"", b""))
        if name not in fields or bytes(fields[name]) == empty:
            self.whole(part.raw)
            return
        said = bytes(fields[name])
        fields[name] = msgspec.Raw(empty)
        self._begin(_encode(fields), kind)
        text = said if said[:1] == b'"' else _encode(said.decode())
        self._out.append(b"%b%b}}\n\n" % (self._head, text))
        self._out.append(_STOP % self._index)
        self._index += 1
        self._head = b""

    def _say(self, text: str) -> None:
        self._begin(b'{"type":"text","text":""}', b'"text_delta","text":')
        self._out.append(b"%b%b}}\n\n" % (self._head, _encode(text)))

    def _begin(self, block: bytes, kind: bytes) -> None:
        if not self._head:
            self._out.append(_START % (self._index, block))
            self._head = _DELTA_HEAD % (self._index, kind)

    def _begin_call(self) -> None:
        call = self._call
        if call is not None:
            self._call = None
            block = b'{"type":"tool_use","id":%b,"name":%b,"input":{}}' % (_encode(call.id), _encode(call.name))
            self._begin(block, b'"input_json_delta","partial_json":')

    def _give(self, text: str) -> None:
        self._begin_call()
        if text:
            self._out.append(b"%b%b}}\n\n" % (self._head, _encode(text)))

    def _sign(self, delta: Delta) -> None:
        if not delta.text:
            return
        if self._kind == THINKING:
            self._begin(b'{"type":"thinking","thinking":"","signature":""}', b'"thinking_delta","thinking":')
            signature = signature_of(delta.text, delta.name, self._thought or delta.id)
            self._out.append(_DELTA % (self._index, b'"signature_delta","signature":%b' % _encode(signature)))
        elif self._kind == TEXT:
            self._trailer = text_carrier(delta.text, delta.name)
        elif self._kind == TOOL:
            carried = call_carrier(self._call_id, delta.text, delta.name)
            if self._call is not None:
                self.whole(_redacted(carried))
            else:
                self._trailer = carried


def _redacted(data: str) -> bytes:
    return b'{"type":"redacted_thinking","data":%b}' % _encode(data)
