"""Writes a stream for a caller of this dialect, as events or as one JSON array.

Texts go out as they come. A call of a function is a part, and so goes out when it is whole; why an answer has ended
stands once, in its last chunk, and usage with it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Citation, Text, TokenLogprob, ToolCall
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    FINISH,
    FOREIGN,
    LOGPROBS,
    MEDIA,
    REDACTED,
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
from encke.dialects.blocks import Blocks, BlockSink
from encke.dialects.google_generate.faults import render_fault
from encke.dialects.google_generate.grounding import grounding_metadata
from encke.dialects.google_generate.parse_parts import REDACTED as OPAQUE
from encke.dialects.google_generate.render_parts import reply_part
from encke.dialects.google_generate.render_reply import logprobs_result
from encke.dialects.google_generate.signature import ORIGIN, pack
from encke.dialects.google_generate.usage import usage_metadata
from encke.dialects.google_generate.words import word_of
from encke.dialects.port import Writer

_encode: Final = msgspec.json.Encoder().encode


class Answer(BlockSink):
    """One candidate: its blocks in order, each as parts."""

    def __init__(self, writer: GenerateWriter, index: int) -> None:
        self._writer = writer
        self._before = b'{"candidates":[{"content":{"parts":['
        self._after = b'],"role":"model"},"index":%d}]' % index
        self.index = index
        self.blocks = Blocks(self)
        self.finish = ""
        self.finish_raw = ""
        self.logs: list[TokenLogprob] = []
        self.citations: list[tuple[int, Citation]] = []  # with the characters before the text that cites
        self.texts: list[str] = []
        self._characters = 0
        self._text_start = 0
        self._tool: Delta | None = None
        self._arguments: list[str] = []
        self._signature = ""
        self._kind = TEXT
        self._id = ""

    def open(self, delta: Delta) -> None:
        """See `BlockSink`."""
        self._kind = delta.kind
        self._text_start = self._characters
        self._signature = ""
        self._id = delta.id if delta.kind != TOOL else ""
        if delta.kind == TOOL:
            self._tool = delta
            self._arguments.clear()

    def add(self, delta: Delta) -> None:
        """See `BlockSink`."""
        kind = delta.kind
        if kind == TEXT:
            if delta.text:
                self._characters += len(delta.text)
                self.texts.append(delta.text)
                self.part(b'{"text":%b}' % _encode(delta.text))
        elif kind == ARGUMENTS:
            self._arguments.append(delta.text)
        elif kind == THINKING:
            if delta.text:
                self.part(b'{"text":%b,"thought":true}' % _encode(delta.text))
        elif kind == SIGNATURE:
            self._sign(delta)
        elif kind == REDACTED:
            self._redacted(delta)
        elif kind == CITATION:
            self.citations.append((self._text_start, delta.data))
        elif kind == MEDIA:
            self.made(reply_part(delta.data))
        elif delta.text:
            self.part(b'{"text":%b}' % _encode(delta.text))  # a refusal

    def close(self) -> None:
        """See `BlockSink`."""
        tool, self._tool = self._tool, None
        if tool is not None:
            text = "".join(self._arguments)
            call = ToolCall(tool.id, tool.name, text, custom=tool.data is True)
            made = reply_part(call)
            if self._signature:
                made["thoughtSignature"] = self._signature
            self.made(made)

    def made(self, part: Any) -> None:
        """Write a part, if there is one."""
        if part is not None:
            self.part(_encode(part))

    def part(self, part: bytes) -> None:
        """Write a chunk with one part."""
        self._writer.chunk(self._before + part + self._after)

    def end(self) -> dict[str, Any]:
        """The candidate of the last chunk."""
        made: dict[str, Any] = {"content": {"parts": [{"text": ""}], "role": "model"}}
        if self.finish:
            made["finishReason"] = word_of(self.finish, self.finish_raw)
        made["index"] = self.index
        if self.citations:
            cited = [_moved(citation, before) for before, citation in self.citations]
            grounding = grounding_metadata([Text("".join(self.texts), citations=tuple(cited))])
            if grounding is not None:
                made["groundingMetadata"] = grounding
        if self.logs:
            made["logprobsResult"] = logprobs_result(self.logs)
        return made

    def _sign(self, delta: Delta) -> None:
        signature = pack(delta.name or ORIGIN, delta.text, self._id)
        if not signature:
            return
        if self._kind == TOOL:
            self._signature = signature
        elif self._kind == THINKING:
            self.made({"text": "", "thought": True, "thoughtSignature": signature})
        else:
            self.made({"text": "", "thoughtSignature": signature})

    def _redacted(self, delta: Delta) -> None:
        if delta.name == ORIGIN:
            self.made({"text": "", "thoughtSignature": delta.text})
        else:
            signature = pack(delta.name, delta.text, OPAQUE + delta.id)
            self.made({"text": "", "thought": True, "thoughtSignature": signature})


class GenerateWriter(Writer):
    """Writes one stream."""

    def __init__(self, model: str, call_id: str, array: bool) -> None:
        super().__init__()
        self._model = model
        self._call_id = call_id
        self._tail = b""
        self._array = array
        self._opened = False
        self._answers: dict[int, Answer] = {}

    def feed(self, delta: Delta) -> None:
        """Write what a delta adds."""
        kind = delta.kind
        if kind == START:
            if not self._tail:
                self._model = delta.name or self._model
            return
        if kind == USAGE:
            return
        answer = self._answers.get(delta.choice)
        if answer is None:
            answer = self._answers[delta.choice] = Answer(self, delta.choice)
        if kind == FINISH:
            answer.finish, answer.finish_raw = delta.name, delta.id
        elif kind == LOGPROBS:
            answer.logs.extend(delta.data)
        elif kind == FOREIGN:
            answer.made(reply_part(delta.data))
        else:
            answer.blocks.feed(delta)

    def finish(self, usage: Usage | None) -> None:
        """The last chunk: every candidate's end, and usage."""
        for index in sorted(self._answers):
            self._answers[index].blocks.end()
        last: dict[str, Any] = {"candidates": [self._answers[index].end() for index in sorted(self._answers)]}
        if usage is not None:
            last["usageMetadata"] = usage_metadata(usage)
        self.chunk(_encode(last)[:-1])
        if self._array:
            self.out.append(b"\n]")

    def break_off(self, fault: Fault, request_id: str) -> bytes:
        """How the client is told that the stream has failed."""
        self._write(render_fault(fault, request_id))
        if self._array:
            self.out.append(b"\n]")
        made = b"".join(self.out)
        self.out.clear()
        return made

    def chunk(self, data: bytes) -> None:
        """Write a chunk, which lacks what all of them end with."""
        if not self._tail:
            self._tail = b',"modelVersion":%b,"responseId":%b}' % (_encode(self._model), _encode(self._call_id))
        self._write(data + self._tail)

    def _write(self, data: bytes) -> None:
        if not self._array:
            self.out.append(b"data: %b\n\n" % data)
            return
        self.out.append((b"\n,\r\n" if self._opened else b"[") + data)
        self._opened = True


def _moved(citation: Citation, before: int) -> Citation:
    if not before or citation.end is None:
        return citation
    return msgspec.structs.replace(citation, start=(citation.start or 0) + before, end=citation.end + before)
