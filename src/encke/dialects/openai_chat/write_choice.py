"""Writes the chunks of one choice of a stream."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from encke.core.chat import Audio, Citation, Finish, Image, Thinking, TokenLogprob
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    FINISH,
    LOGPROBS,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    TOOL,
    Delta,
)
from encke.dialects.openai_chat.finish import write_finish
from encke.dialects.openai_chat.logprobs import write_logprobs
from encke.dialects.openai_chat.render_reply import NO_ARGUMENTS, annotation, audio_entry, image_entry
from encke.dialects.openai_chat.thoughts import details_of, extra_content

_encode: Final = msgspec.json.Encoder().encode
_OPEN: Final = b'},"logprobs":null,"finish_reason":null'
_ROLE: Final = b'"role":"assistant","content":'


class _Block:
    """A thought that may yet be signed: its text so far."""

    __slots__ = ("id", "summary", "texts")

    def __init__(self, id: str, summary: bool) -> None:
        self.id = id
        self.summary = summary
        self.texts: list[str] = []


class ChoiceWriter:
    """One choice. `head` and `tail` are what stands around a choice in every chunk; of `id` ids of calls are made that
    have none."""

    def __init__(
        self, out: list[bytes], head: bytes, tail: bytes, index: int, id: str, legacy: bool, thoughts: bool
    ) -> None:
        self._out = out
        self._id = id
        self._before = head + b'{"index":%d,"delta":{' % index
        self._text = self._before + b'"content":'
        self._thinking = self._before + b'"reasoning_content":'
        self._after = _OPEN + tail
        self._tail = tail
        self._legacy = legacy
        self._wants_thoughts = thoughts
        self._begun = False
        self._finish: Delta | None = None
        self.finished = False
        self._logprobs: list[TokenLogprob] = []
        self._calls: dict[int, tuple[int, bool]] = {}  # by key: index, and whether it is a custom tool's
        self._silent: set[int] = set()  # keys of calls without arguments so far
        self._blocks: dict[int, _Block] = {}
        self._entries = 0  # of `reasoning_details` so far
        self._images = 0
        self._citations = 0
        self._size = 0  # characters of content so far
        self._texts: dict[int, int] = {}  # by key: where in the content a text begins
        self._text_key = -1
        self._last_signature: tuple[str, str] | None = None
        self._refused = False

    def text(self, text: str, key: int) -> None:
        """More content."""
        if not self._begun:
            self._begin(b'""')
        if key != self._text_key:
            self._text_key = key
            self._texts.setdefault(key, self._size)
        self._size += len(text)
        if self._logprobs:
            self._chunk(b'"content":' + _encode(text))
        else:
            self._out.append(b"%b%b%b" % (self._text, _encode(text), self._after))

    def thought(self, delta: Delta) -> None:
        """More of a thought. Its text is kept, since its signature, if there is one, stands beside all of it."""
        block = self._blocks.get(delta.key)
        if block is None:
            self._blocks[delta.key] = block = _Block(delta.id, delta.name == "summary")
        if not delta.text:
            return
        block.texts.append(delta.text)
        if not self._begun:
            self._begin(b'""')
        self._out.append(b"%b%b%b" % (self._thinking, _encode(delta.text), self._after))

    def arguments(self, delta: Delta) -> None:
        """More of a call's arguments."""
        call = self._calls.get(delta.key)
        if call is None or not delta.text:
            return
        index, custom = call
        if self._silent and delta.text.strip():
            self._silent.discard(delta.key)
        if self._legacy:
            self._chunk(b'"function_call":{"arguments":%b}' % _encode(delta.text))
            return
        field = b'"custom":{"input"' if custom else b'"function":{"arguments"'
        self._chunk(b'"tool_calls":[{"index":%d,%b:%b}}]' % (index, field, _encode(delta.text)))

    def other(self, delta: Delta) -> None:
        """What comes seldom."""
        kind = delta.kind
        if kind == TOOL:
            self._tool(delta)
        elif kind == REFUSAL:
            self._refused = True
            self._chunk(b'"refusal":' + _encode(delta.text))
        elif kind == SIGNATURE:
            self._signature(delta)
        elif kind == REDACTED:
            if self._wants_thoughts:
                self._details(Thinking("", delta.text, delta.name, redacted=True, id=delta.id))
        elif kind == CITATION:
            self._citation(cast(Citation, delta.data), delta.key)
        elif kind == LOGPROBS:
            self._logprobs.extend(cast(tuple[TokenLogprob, ...], delta.data))
        elif kind == MEDIA:
            self._media(delta.data)
        elif kind == FINISH and self._finish is None:
            self._finish = delta

    def finish(self) -> None:
        """The reason for the end, once, and what could only be said now."""
        delta = self._finish
        if delta is None or self.finished:
            return
        self.finished = True
        if delta.name != "length":
            for key in sorted(self._silent):
                self.arguments(Delta(ARGUMENTS, key=key, text=NO_ARGUMENTS))
        if self._last_signature is not None:
            self._field("extra_content", extra_content(*self._last_signature))
        if not self._begun:
            self._begin(b'""')
        finish, calls = cast(Finish, delta.name), bool(self._calls)
        fields = write_finish(finish, delta.id, delta.text, calls=calls, legacy=self._legacy)
        logprobs = self._take_logprobs()
        self._out.append(b'%b},"logprobs":%b,%b%b' % (self._before, logprobs, _encode(fields)[1:-1], self._tail))

    def _begin(self, content: bytes) -> None:
        self._begun = True
        self._out.append(b"%b%b%b%b" % (self._before, _ROLE, content, self._after))

    def _chunk(self, fields: bytes) -> None:
        if not self._begun:
            self._begin(b"null" if fields[:6] in (b'"tool_', b'"funct') else b'""')
        if not self._logprobs:
            self._out.append(b"%b%b%b" % (self._before, fields, self._after))
            return
        logprobs = self._take_logprobs()
        self._out.append(b'%b%b},"logprobs":%b,"finish_reason":null%b' % (self._before, fields, logprobs, self._tail))

    def _take_logprobs(self) -> bytes:
        if not self._logprobs:
            return b"null"
        made = _encode(write_logprobs(self._logprobs, refused=self._refused and not self._size))
        self._logprobs.clear()
        return made

    def _field(self, name: str, value: Any) -> None:
        self._chunk(_encode({name: value})[1:-1])

    def _tool(self, delta: Delta) -> None:
        if delta.key in self._calls:
            return
        index, custom = len(self._calls), bool(delta.data)
        if self._legacy:
            if not self._calls:
                self._calls[delta.key] = (0, False)
                self._silent.add(delta.key)
                self._field("function_call", {"name": delta.name, "arguments": ""})
            return
        self._calls[delta.key] = (index, custom)
        if not custom:
            self._silent.add(delta.key)
        id = delta.id or f"call_{self._id}_{index}"
        call: dict[str, Any] = {"index": index, "id": id, "type": "custom" if custom else "function"}
        if custom:
            call["custom"] = {"name": delta.name, "input": ""}
        else:
            call["function"] = {"name": delta.name, "arguments": ""}
        self._field("tool_calls", [call])

    def _signature(self, delta: Delta) -> None:
        call, block = self._calls.get(delta.key), self._blocks.get(delta.key)
        if call is not None:
            if not self._legacy:
                # An empty piece with it: OpenAI's client for Python refuses an entry without `function`.
                empty = {"custom": {"input": ""}} if call[1] else {"function": {"arguments": ""}}
                entry = {"index": call[0], **empty, "extra_content": extra_content(delta.text, delta.name)}
                self._field("tool_calls", [entry])
        elif block is not None:
            text = "".join(block.texts)
            self._details(Thinking(text, delta.text, delta.name, summary=block.summary, id=block.id))
            del self._blocks[delta.key]  # what comes under this key now is another thought
        elif delta.key in self._texts:
            self._last_signature = (delta.text, delta.name)
        elif self._wants_thoughts:  # of a thought that is not shown
            self._details(Thinking("", delta.text, delta.name, id=delta.id))

    def _details(self, thought: Thinking) -> None:
        entries = details_of(thought, self._entries)
        self._entries += len(entries)
        self._field("reasoning_details", entries)

    def _citation(self, citation: Citation, key: int) -> None:
        # Clients that put deltas together (OpenAI's for Python) refuse entries of lists that have no index.
        entry = {"index": self._citations, **annotation(citation, self._texts.get(key, 0), self._size)}
        self._field("annotations", [entry])
        self._citations += 1

    def _media(self, media: Any) -> None:
        if isinstance(media, Image):
            self._field("images", [image_entry(media, self._images)])
            self._images += 1
        elif isinstance(media, Audio):
            self._field("audio", audio_entry(media))
