"""Output items, one after the other, as events and as what the Response has in it at the end."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Audio, Citation, Image, TokenLogprob
from encke.core.delta import (
    CITATION,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    TEXT,
    THINKING,
    TOOL,
    Delta,
)
from encke.dialects import carrier
from encke.dialects.openai_responses.beside import annotation, is_json, logprob
from encke.dialects.openai_responses.conversation import OF_CALL, OF_TEXT
from encke.dialects.openai_responses.item_events import ItemEvents
from encke.dialects.openai_responses.wire import NAME

_encode: Final = msgspec.json.Encoder().encode

_EMPTY_TEXT: Final = b'{"type":"output_text","text":"","annotations":[],"logprobs":[]}'


class Items(ItemEvents):
    """Writes blocks as items. `status` is what an item gets that ends."""

    def __init__(self, out: list[bytes], id: str, quiet: bool) -> None:
        super().__init__(out, id, quiet)
        self.status = b"completed"
        self._kind = TEXT
        self._call = b""  # of a call: its id, JSON
        self._name = b""  # and its name, JSON
        self._call_id = ""
        self._custom = False
        self._head = b""  # what its deltas' events begin with
        self._pieces: list[str] = []
        self._length = 0  # of them, in characters
        self._annotations: list[bytes] = []
        self._logprobs: list[bytes] = []
        self._pending: list[bytes] = []  # logprobs that came before their text
        self._signature = ""
        self._origin = ""
        self._thought_id = ""
        self._media: Any = None

    def open(self, delta: Delta) -> None:
        """See `BlockSink`. What has no text yet is not begun."""
        self._kind = delta.kind
        self.begun = False
        self._pieces = []
        self._length = 0
        self._annotations = []
        self._logprobs = []
        self._signature = self._origin = ""
        self._thought_id = delta.id
        if delta.kind == TOOL:
            self._custom = delta.data is True
            self._call_id = delta.id
            self._call = _encode(delta.id)
            self._name = _encode(delta.name)
            self._begin_call()
        elif delta.kind == MEDIA:
            self._media = delta.data

    def add(self, delta: Delta) -> None:
        """See `BlockSink`."""
        kind = delta.kind
        if kind in (SIGNATURE, REDACTED):
            self._signature, self._origin = delta.text, delta.name
        elif kind == CITATION:
            self._annotate(delta.data)
        elif kind == MEDIA:
            pass  # is all written at once
        elif delta.text:
            if not self.begun:
                self._begin()
            self._pieces.append(delta.text)
            self._length += len(delta.text)
            if not self.quiet:
                self._delta(delta.text)

    def close(self) -> None:
        """See `BlockSink`."""
        kind = self._kind
        if kind in (TEXT, REFUSAL):
            if self.begun:
                self._end_message()
            self._sign(OF_TEXT)
        elif kind in (THINKING, REDACTED):
            if self.begun or self._signature:
                self._end_reasoning()
        elif kind == TOOL:
            self._end_call()
            self._sign(OF_CALL + self._call_id)
        elif kind == MEDIA:
            self._write_media()
        self.begun = False

    def logprobs(self, tokens: tuple[TokenLogprob, ...]) -> None:
        """How likely tokens were, of the text that is open or that begins next."""
        told = [_encode(logprob(token)) for token in tokens]
        if self.begun and self._kind == TEXT:
            self._logprobs += told
            self._weigh(told)
        else:
            self._pending += told

    def _weigh(self, told: list[bytes]) -> None:
        """A piece without text: with the logprobs of the text around it."""
        if not self.quiet:
            self.out.append(
                b'%b"","logprobs":[%b],"sequence_number":%d}\n\n' % (self._head, b",".join(told), self.sequence)
            )
            self.sequence += 1

    def _delta(self, text: str) -> None:
        number = self.sequence
        if self._kind == TEXT:
            self.out.append(b'%b%b,"logprobs":[],"sequence_number":%d}\n\n' % (self._head, _encode(text), number))
        else:
            self.out.append(b'%b%b,"sequence_number":%d}\n\n' % (self._head, _encode(text), number))
        self.sequence = number + 1

    def _deltas(self, kind: bytes, at: bytes) -> None:
        """What all deltas of a part begin with."""
        self._head = b'event: %b\ndata: {"type":"%b",%b,"delta":' % (kind, kind, at)

    def _begin(self) -> None:
        """A message or a thought begins, with its one part."""
        kind = self._kind
        if kind == THINKING:
            self._begin_thought()
            return
        self.new_item("msg")
        self.added(b'{"type":"message","id":"%b","status":"in_progress","role":"assistant","content":[]}' % self.item)
        part = _EMPTY_TEXT if kind == TEXT else b'{"type":"refusal","refusal":""}'
        at = b'%b,"content_index":0' % self.where()
        self._deltas(b"response.output_text.delta" if kind == TEXT else b"response.refusal.delta", at)
        self.event(b"response.content_part.added", b'%b,"part":%b' % (at, part))
        if self._pending and kind == TEXT:
            pending, self._pending = self._pending, []
            self._logprobs += pending
            self._weigh(pending)

    def _begin_thought(self) -> None:
        self.new_item("rs")
        self.added(b'{"type":"reasoning","id":"%b","summary":[]}' % self.item)
        at = b'%b,"summary_index":0' % self.where()
        self._deltas(b"response.reasoning_summary_text.delta", at)
        self.event(b"response.reasoning_summary_part.added", b'%b,"part":{"type":"summary_text","text":""}' % at)

    def _begin_call(self) -> None:
        custom = self._custom
        self.new_item("ctc" if custom else "fc")
        kind = b"response.custom_tool_call_input.delta" if custom else b"response.function_call_arguments.delta"
        self._deltas(kind, self.where())
        self.added(self._call_item(b"in_progress", b'""'))

    def _call_item(self, status: bytes, told: bytes) -> bytes:
        kind, field = (b"custom_tool_call", b"input") if self._custom else (b"function_call", b"arguments")
        return b'{"type":"%b","id":"%b","call_id":%b,"name":%b,"%b":%b,"status":"%b"}' % (
            kind, self.item, self._call, self._name, field, told, status,
        )  # fmt: skip

    def _end_message(self) -> None:
        text = _encode("".join(self._pieces))
        at = b'%b,"content_index":0' % self.where()
        if self._kind == TEXT:
            logprobs = b",".join(self._logprobs)
            self.event(b"response.output_text.done", b'%b,"text":%b,"logprobs":[%b]' % (at, text, logprobs))
            part = b'{"type":"output_text","text":%b,"annotations":[%b],"logprobs":[%b]}' % (
                text, b",".join(self._annotations), logprobs,
            )  # fmt: skip
        else:
            self.event(b"response.refusal.done", b'%b,"refusal":%b' % (at, text))
            part = b'{"type":"refusal","refusal":%b}' % text
        self.event(b"response.content_part.done", b'%b,"part":%b' % (at, part))
        self.item_done(
            b'{"type":"message","id":"%b","status":"%b","role":"assistant","content":[%b]}'
            % (self.item, self.status, part)
        )

    def _end_reasoning(self) -> None:
        summary = b""
        if self.begun:
            text = _encode("".join(self._pieces))
            at = b'%b,"summary_index":0' % self.where()
            summary = b'{"type":"summary_text","text":%b}' % text
            self.event(b"response.reasoning_summary_text.done", b'%b,"text":%b' % (at, text))
            self.event(b"response.reasoning_summary_part.done", b'%b,"part":%b' % (at, summary))
        else:
            self.new_item("rs")
            self.added(b'{"type":"reasoning","id":"%b","summary":[]}' % self.item)
        self._end_thought(summary, self._thought_id)

    def _end_thought(self, summary: bytes, id: str) -> None:
        sealed = b""
        if self._signature:
            own = self._origin in (NAME, "")
            held = self._signature if own else carrier.wrap(self._origin, self._signature, id)
            sealed = b',"encrypted_content":' + _encode(held)
        self.item_done(b'{"type":"reasoning","id":"%b","summary":[%b]%b}' % (self.item, summary, sealed))

    def _sign(self, of: str) -> None:
        """A signature that is not a thought's goes in an item of its own, that says whose it is."""
        if self._signature:
            self.new_item("rs")
            self.added(b'{"type":"reasoning","id":"%b","summary":[]}' % self.item)
            self._end_thought(b"", of)

    def _end_call(self) -> None:
        told = "".join(self._pieces)
        status = self.status
        if not self._custom:
            if not told.strip():
                if not self.quiet:
                    self._delta("{}")
                told = "{}"
            elif not is_json(told):
                status = b"incomplete"
        text = _encode(told)
        if self._custom:
            self.event(b"response.custom_tool_call_input.done", b'%b,"input":%b' % (self.where(), text))
        else:
            self.event(
                b"response.function_call_arguments.done",
                b'%b,"name":%b,"arguments":%b' % (self.where(), self._name, text),
            )
        self.item_done(self._call_item(status, text))

    def _annotate(self, citation: Citation) -> None:
        if not self.begun:
            self._begin()
        made = annotation(citation, self._length)
        if made is None:
            return
        told = _encode(made)
        self.event(
            b"response.output_text.annotation.added",
            b'%b,"content_index":0,"annotation_index":%d,"annotation":%b'
            % (self.where(), len(self._annotations), told),
        )
        self._annotations.append(told)

    def _write_media(self) -> None:
        media, self._media = self._media, None
        if isinstance(media, Image) and media.data:
            self.new_item("ig")
            start = b'{"type":"image_generation_call","id":"%b","status":' % self.item
            self.added(start + b'"in_progress","result":null}')
            format = media.media_type.rpartition("/")[2]
            self.item_done(
                b'%b"completed","output_format":%b,"result":%b}' % (start, _encode(format), _encode(media.data))
            )
        elif isinstance(media, Audio) and media.transcript:
            self._kind = TEXT
            self._begin()
            self._pieces.append(media.transcript)
            if not self.quiet:
                self._delta(media.transcript)
            self._end_message()
