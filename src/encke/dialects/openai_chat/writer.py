"""Writes a stream for a caller of this wire: the role first, exactly one reason for the end per choice, usage if it was
asked for, and the end mark.

A reason for the end waits until the stream is over, so that nothing of a choice ever comes after it. Where a choice has
got none, the stream does not end: no mark is written.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.delta import ARGUMENTS, CLOSE, START, TEXT, THINKING, USAGE, Delta
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_chat.faults import render_stream_fault
from encke.dialects.openai_chat.fields import is_legacy, wants_thoughts
from encke.dialects.openai_chat.render_reply import ID_PREFIX
from encke.dialects.openai_chat.stream import DONE
from encke.dialects.openai_chat.usage_out import render_usage
from encke.dialects.openai_chat.write_choice import ChoiceWriter
from encke.dialects.port import Writer
from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode


class ChatWriter(Writer):
    """One stream."""

    def __init__(self, request: Request, call_id: str, created: int) -> None:
        super().__init__()
        self._id = ID_PREFIX + call_id
        self._call_id = call_id.replace("-", "")
        self._created = created
        self._model = request.model
        self._include_usage = request.include_usage
        self._legacy = is_legacy(request.body)
        self._thoughts = wants_thoughts(request.body)
        self._choices: dict[int, ChoiceWriter] = {}
        self._head = b""
        self._tail = b'}],"usage":null}\n\n' if request.include_usage else b"}]}\n\n"

    def feed(self, delta: Delta) -> None:
        """Write what a delta adds."""
        kind = delta.kind
        if kind == START:
            if not self._head:
                self._model = delta.name or self._model
                self._created = delta.data or self._created
            return
        writer = self._choices.get(delta.choice)
        if writer is None:
            if kind in (CLOSE, USAGE):
                return  # nothing of a choice
            writer = self._begin(delta.choice)
        if kind == TEXT:
            writer.text(delta.text, delta.key)
        elif kind == THINKING:
            if self._thoughts:
                writer.thought(delta)
        elif kind == ARGUMENTS:
            writer.arguments(delta)
        else:
            writer.other(delta)

    def _begin(self, index: int) -> ChoiceWriter:
        if not self._head:
            self._head = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":[' % (
                _encode(self._id),
                self._created,
                _encode(self._model),
            )
        writer = ChoiceWriter(self.out, self._head, self._tail, index, self._call_id, self._legacy, self._thoughts)
        self._choices[index] = writer
        return writer

    def finish(self, usage: Usage | None) -> None:
        """Write the end."""
        for index in sorted(self._choices):
            self._choices[index].finish()
        if not self._choices or not all(writer.finished for writer in self._choices.values()):
            return
        if self._include_usage and usage is not None:
            self.out.append(self._head + b'],"usage":%b}\n\n' % render_usage(usage))
        self.out.append(DONE)

    def break_off(self, fault: Fault, request_id: str) -> bytes:
        """How the client is told that the stream has failed."""
        return render_stream_fault(fault, request_id)
