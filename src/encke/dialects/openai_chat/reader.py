"""Reads a provider's stream of this wire into deltas.

A reason for the end is kept back until the stream is over, since some tell it early, twice, or tool calls after it.
Most events are the one before with another piece of text: what stands around the text is remembered, and of an event
that has the same around one text no more is decoded than that.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Audio, ChatRequest
from encke.core.delta import FINISH, LOGPROBS, MEDIA, START, TEXT, THINKING, USAGE, Delta
from encke.core.faults import Fault
from encke.dialects.faults import fault_in_stream
from encke.dialects.openai_chat.logprobs import read_logprobs
from encke.dialects.openai_chat.read_choice import ChoiceReader
from encke.dialects.openai_chat.reply import ERROR, Names, read_chunk, sound_format, sources, stop_in, usage_in
from encke.dialects.openai_chat.stream_wire import HubChoice, HubChunk
from encke.dialects.openai_chat.wire import NOTHING
from encke.dialects.port import Reader

MAX_CHOICES: Final = 256
MAX_LEARNED: Final = 8
_PROBE: Final = "encke"
_EMPTY: Final = (b"", b"null", b'""', b"[]", b"{}")
_encode: Final = msgspec.json.Encoder().encode
_string: Final = msgspec.json.Decoder(str)


class ChatReader(Reader):
    """One stream."""

    def __init__(self, request: ChatRequest, call_id: str) -> None:
        super().__init__()
        self._names = Names(call_id)
        self._sound = sound_format(request)
        self._choices: dict[int, ChoiceReader] = {}
        self._single = request.n is None or request.n <= 1
        self._first = 0  # the index of the first choice, which is the only one that is asked for
        self._began = False
        self._open = 0  # choices without a reason for their end
        self._results = NOTHING
        self._addresses = NOTHING
        self._before = b""
        self._after = b""
        self._learned = 0
        self._like = Delta(TEXT)  # what an event of the remembered form is

    def feed(self, data: bytes) -> list[Delta]:
        """Read one event's data."""
        if self._before and data.startswith(self._before) and data.endswith(self._after):
            text = _between(data, len(self._before), len(data) - len(self._after))
            if text:
                like = self._like
                return [Delta(like.kind, like.choice, like.key, text)]
        if data.startswith(b"[DONE]"):
            return self._done()
        chunk = read_chunk(data)
        if chunk is None:
            return []
        if len(chunk.error) > 4 and bytes(chunk.error) not in _EMPTY:
            self.fault = fault_in_stream(chunk.error)
            return []
        if chunk.object == ERROR and chunk.choices is None:
            self.fault = fault_in_stream(msgspec.Raw(data))
            return []
        found: list[Delta] = []
        if chunk.choices:
            if not self._began:
                self._began = True
                found.append(Delta(START, id=chunk.id or "", name=chunk.model or "", data=chunk.created or 0))
            for choice in chunk.choices:
                self._choice(choice, found)
                if self.fault is not None:
                    return found
        if len(chunk.search_results) > 4 or len(chunk.citations) > 4:
            self._results, self._addresses = chunk.search_results, chunk.citations
        usage = usage_in(chunk)
        if usage is not None:
            self.usage = usage
            found.append(Delta(USAGE))
        elif len(found) == 1 and self._learned < MAX_LEARNED:
            self._learn(data, chunk, found[0])
        return found

    def _choice(self, choice: HubChoice, found: list[Delta]) -> None:
        if len(choice.error) > 4 and bytes(choice.error) not in _EMPTY:
            self.fault = fault_in_stream(choice.error)
            return
        index = choice.index
        if not self._choices and self._single:
            self._first = index
        if self._first:  # not everybody counts from 0
            index = 0 if index == self._first else index or self._first
        reader = self._choices.get(index)
        if reader is None:
            if len(self._choices) >= MAX_CHOICES:
                self.fault = _bad(f"has more than {MAX_CHOICES} choices")
                return
            reader = self._choices[index] = ChoiceReader(index, self._names)
            self._open += 1
        if len(choice.logprobs) > 4:
            tokens = read_logprobs(choice.logprobs)
            if tokens:
                found.append(Delta(LOGPROBS, index, data=tokens))
        if choice.delta is not None:
            reader.read(choice.delta, found)
        elif choice.message is not None:
            reader.read(choice.message, found)
        elif choice.text:
            found.append(Delta(TEXT, index, text=choice.text))
        word = choice.finish_reason
        if word:
            if not reader.word:
                self._open -= 1
            reader.word, reader.stop = word, stop_in(choice)
            self.finish_reason = word
        self.finished = self._open == 0

    def _done(self) -> list[Delta]:
        if not self._choices:
            self.fault = _bad("ended without an answer")
        else:
            self.ended = True
        return []

    def finish(self) -> list[Delta]:
        """What was kept back: sound, sources, and why each choice ended."""
        found: list[Delta] = []
        cited = sources(self._results, self._addresses)
        for index in sorted(self._choices):
            reader = self._choices[index]
            reader.close(found, cited)
            if reader.sound is not None:
                found.append(Delta(MEDIA, index, reader.new_key(), data=self._whole(reader)))
            if reader.word:
                found.append(Delta(FINISH, index, text=reader.met, name=reader.finish(), id=reader.word))
            elif self.ended:  # by its end mark: the answer is whole, as it would be for a caller of this wire
                found.append(Delta(FINISH, index, name="tool_calls" if reader.calls else "other"))
        return found

    def _whole(self, reader: ChoiceReader) -> Audio:
        sound = reader.sound
        assert sound is not None
        return Audio("".join(reader.heard), self._sound, sound.id, "".join(reader.transcript), sound.expires_at)

    def _learn(self, data: bytes, chunk: HubChunk, delta: Delta) -> None:
        """Remember what stands around the text of an event that is one text and nothing else."""
        self._learned += 1
        self._before = b""
        text = _text_of(chunk, delta.kind)
        if text is None or text != delta.text or text == _PROBE:
            return
        written = _encode(text)
        at = data.find(written)
        if at < 0:
            return
        before, after = data[: at + 1], data[at + len(written) - 1 :]
        # The same text may stand elsewhere too: with another one in this place, the event must read like that.
        probed = read_chunk(before + _PROBE.encode() + after)
        if probed is not None and _text_of(probed, delta.kind) == _PROBE and _same_but_text(chunk, probed, delta.kind):
            self._before, self._after, self._like = before, after, delta


def _between(data: bytes, start: int, end: int) -> str:
    """The text that stands there, between quotes; "" if there is more than one, or none."""
    if start >= end:
        return ""
    try:
        if data.find(b'"', start, end) < 0 and data.find(b"\\", start, end) < 0:
            return data[start:end].decode()
        return _string.decode(data[start - 1 : end + 1])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _text_of(chunk: HubChunk, kind: int) -> str | None:
    """The text that is all there is to an event, if it is of that kind."""
    choices = chunk.choices
    if choices is None or len(choices) != 1 or choices[0].finish_reason or len(choices[0].logprobs) > 4:
        return None
    delta = choices[0].delta
    if delta is None or len(chunk.search_results) > 4 or len(chunk.citations) > 4:
        return None
    if delta.refusal or delta.tool_calls or delta.function_call is not None or len(delta.reasoning_details) > 4:
        return None
    if (
        len(delta.thinking) > 2
        or len(delta.audio) > 4
        or len(delta.images) > 4
        or len(delta.annotations) > 4
        or len(delta.extra_content) > 4
    ):
        return None
    thought = delta.reasoning_content or delta.reasoning
    if kind == THINKING:
        return thought if len(delta.content) <= 4 else None
    if kind != TEXT or thought:
        return None
    content = bytes(delta.content)
    try:
        return str(msgspec.json.decode(content)) if content[:1] == b'"' else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _same_but_text(chunk: HubChunk, probed: HubChunk, kind: int) -> bool:
    """Whether only the text of the event is another: the model's name, an id or a fingerprint might be like it."""
    assert chunk.choices and probed.choices
    return (
        chunk.id == probed.id
        and chunk.model == probed.model
        and chunk.choices[0].index == probed.choices[0].index
        and chunk.choices[0].delta is not None
    )


def _bad(what: str) -> Fault:
    return Fault("upstream_bad_response", f"The provider's stream {what}.", verdict="next")
