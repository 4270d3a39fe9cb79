"""Reads a provider's stream.

Texts come in pieces, calls whole (or in pieces of their arguments), and a finish reason may stand in every event, so an
answer's end is told when the stream is over. There is no end mark: `finished` says that a clean end is the end.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Audio, ChatRequest, File, Foreign, Image
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
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
from encke.dialects.google_generate.calls import Calls
from encke.dialects.google_generate.events import Event, EventCall, EventCandidate, EventPart
from encke.dialects.google_generate.faults import fault_of_event
from encke.dialects.google_generate.fields import standard
from encke.dialects.google_generate.grounding import Cited, Offsets, grounded
from encke.dialects.google_generate.parse_parts import read_part
from encke.dialects.google_generate.parse_reply import custom_tools, read_logs, refusal, unwrapped
from encke.dialects.google_generate.partial import PartialArguments
from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.google_generate.usage import parse_usage
from encke.dialects.google_generate.wire import NOTHING, NULL
from encke.dialects.google_generate.words import blocked_word, finish_of, finish_word
from encke.dialects.mend import relaxed
from encke.dialects.openai_chat.assistant import arguments_of
from encke.dialects.port import Reader

MAX_CANDIDATES: Final = 256
MAX_KEPT: Final = 4 << 20  # bytes of texts, and of what they cite, that are kept of all answers together
_NOBODY: Final = -1
EACH: Final = 8  # usage stands in every event: of so many before the end, one is read
_FOREIGN: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_EMPTY: Final = (NOTHING, NULL)

_event: Final = msgspec.json.Decoder(Event)
_call: Final = msgspec.json.Decoder(EventCall)
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode


class Candidate:
    """What is known of one answer."""

    __slots__ = (
        "cited", "finish", "grounding", "has_calls", "is_blocked", "is_signed", "key", "kind", "message", "partial",
        "partial_name", "spoke", "text", "text_start", "used",
    )  # fmt: skip

    def __init__(self) -> None:
        self.kind = _NOBODY  # of the open block: TEXT, THINKING, TOOL
        self.key = 0
        self.used = 0
        self.finish = ""
        self.message = ""
        self.is_blocked = False
        self.has_calls = False
        self.spoke = False
        self.text = bytearray()  # of all blocks, for the places of what it cites
        self.text_start = 0  # in `text`, of the last block of text
        self.is_signed = False  # the open block
        self.grounding = NOTHING
        self.cited = Cited()
        self.partial: PartialArguments | None = None
        self.partial_name = ""


class GenerateReader(Reader):
    """Reads one stream."""

    def __init__(self, request: ChatRequest, call_id: str) -> None:
        super().__init__()
        self._calls = Calls(call_id.replace("-", ""))
        self._customs = custom_tools(request)
        self._candidates: dict[int, Candidate] = {}
        self._single = request.n is None or request.n <= 1
        self._first = 0  # the index of the first candidate, which is the only one that is asked for
        self._started = False
        self._unfinished = 0
        self._text_size = 0
        self._cited_size = 0
        self._unread = 0  # usages since one was read
        self._told: msgspec.Raw = NOTHING  # the last of them

    def feed(self, data: bytes) -> list[Delta]:
        """Read one event's data."""
        out: list[Delta] = []
        event = relaxed(data, _event, Event)
        if event is None:
            self._odd(data)
            return out
        if event.error not in _EMPTY:
            self.fault = fault_of_event(event.error)
            return out
        if not self._started:
            self._started = True
            out.append(Delta(START, id=event.responseId or "", name=event.modelVersion or "", data=0))
        try:
            for candidate in event.candidates or ():
                self._look(candidate, out)
            self._see_blocked(event, out)
        except Fault as fault:
            self.fault = fault
            return out
        if len(event.usageMetadata) > 4:
            self._told = event.usageMetadata
            self._unread += 1
        if self._unread >= EACH or self.finished or self.usage is None:
            self._read_usage(out)
        return out

    def finish(self) -> list[Delta]:
        """What was kept back: the rest of the blocks, citations, and why each answer has ended."""
        out: list[Delta] = []
        self._read_usage(out)
        for index in sorted(self._candidates):
            state = self._candidates[index]
            if state.partial is not None:
                self._end_partial(state, index, out)
            self._cite(state, index, out)
            self._close(state, index, out)
            finish = finish_of(state.finish, state.has_calls) if state.finish else ""
            if state.is_blocked:
                finish = "content_filter"  # whatever the reason is called
            if finish in ("content_filter", "error") and not state.spoke and state.message:
                out.append(Delta(REFUSAL, index, self._key(state), text=state.message))
                out.append(Delta(CLOSE, index, state.key))
            if finish:
                out.append(Delta(FINISH, index, name=finish, id=state.finish))
        return out

    def _read_usage(self, out: list[Delta]) -> None:
        usage = parse_usage(self._told) if self._unread else None
        self._unread = 0
        if usage is not None:
            self.usage = usage
            out.append(Delta(USAGE))

    def _odd(self, data: bytes) -> None:
        """An event whose types are not the wire's: an error all the same, or one that cannot be translated."""
        try:
            value: Any = _any.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        if value.get("error"):
            self.fault = fault_of_event(_encode(value["error"]))
            return
        self.fault = Fault("upstream_bad_response", "The provider sent an event that cannot be read.", verdict="next")

    def _look(self, candidate: EventCandidate, out: list[Delta]) -> None:
        index = candidate.index or 0
        if not self._candidates and self._single and index > 0:
            self._first = index
        if self._first:  # not everybody counts from 0
            index = 0 if index == self._first else index or self._first
        state = self._candidates.get(index)
        if state is None:
            if len(self._candidates) == MAX_CANDIDATES or index < 0:
                raise Fault("upstream_bad_response", "The provider's stream has too many candidates.", verdict="next")
            state = self._candidates[index] = Candidate()
            self._unfinished += 1
            self.finished = False
        content = candidate.content
        if content is not None and content.parts is not None:
            for part in content.parts:
                self._part(part, state, index, out)
        if len(candidate.groundingMetadata) > 4:
            self._ground(candidate.groundingMetadata, state)
        if len(candidate.citationMetadata) > 4:
            self._cited_size += state.cited.add(candidate.citationMetadata, MAX_KEPT - self._cited_size)
        if candidate.logprobsResult is not NOTHING:
            logs = read_logs(candidate.logprobsResult)
            if logs:
                out.append(Delta(LOGPROBS, index, data=logs))
        if candidate.finishMessage:
            state.message = candidate.finishMessage
        word = finish_word(candidate.finishReason)
        if word:
            if not state.finish:
                self._unfinished -= 1
            state.finish = self.finish_reason = word
            self.finished = self._unfinished == 0

    def _ground(self, raw: msgspec.Raw, state: Candidate) -> None:
        """What was found, the last of which counts. Copied, or it would hold the whole event."""
        size = self._cited_size + len(raw) - len(state.grounding)
        if size <= MAX_KEPT:
            self._cited_size = size
            state.grounding = raw.copy()

    def _see_blocked(self, event: Event, out: list[Delta]) -> None:
        feedback = event.promptFeedback
        if feedback is None or self._candidates:
            return
        word = blocked_word(feedback)
        if not word:
            return
        state = self._candidates[0] = Candidate()
        state.finish = self.finish_reason = word
        state.is_blocked = True
        state.message = refusal(word, feedback.blockReasonMessage)
        out.append(Delta(REFUSAL, 0, self._key(state), text=state.message))
        out.append(Delta(CLOSE, 0, state.key))
        state.spoke = True
        self.finished = True

    def _part(self, part: EventPart, state: Candidate, index: int, out: list[Delta]) -> None:
        text = part.text
        if text:
            kind = THINKING if part.thought else TEXT
            if state.kind != kind or state.is_signed:
                self._open(state, index, kind, out)
            out.append(Delta(kind, index, state.key, text, "summary" if kind == THINKING else ""))
            if kind == TEXT:
                state.spoke = True
                self._remember(text, state)
        elif part.functionCall is not NOTHING:
            self._function(part.functionCall, part.thoughtSignature, state, index, out)
            return
        elif part.inlineData is not NOTHING or part.fileData is not NOTHING:
            self._media(part, state, index, out)
            return
        elif text is None and self._foreign(part, state, index, out):
            return
        if part.thoughtSignature:
            self._sign(standard(part.thoughtSignature), state, index, out)

    def _remember(self, text: str, state: Candidate) -> None:
        """Texts, up to where there are too many: what is cited behind that has no place."""
        data = text.encode("utf-8", "replace")
        self._text_size += len(data)
        if self._text_size <= MAX_KEPT:
            state.text += data

    def _key(self, state: Candidate) -> int:
        state.key = state.used
        state.used += 1
        return state.key

    def _open(self, state: Candidate, index: int, kind: int, out: list[Delta]) -> None:
        self._close(state, index, out)
        self._key(state)
        state.kind = kind
        state.is_signed = False
        if kind == TEXT:
            state.text_start = len(state.text)

    def _close(self, state: Candidate, index: int, out: list[Delta]) -> None:
        if state.kind != _NOBODY:
            out.append(Delta(CLOSE, index, state.key))
            state.kind = _NOBODY

    def _sign(self, signature: str, state: Candidate, index: int, out: list[Delta]) -> None:
        """A signature belongs to the part that it stands on, or to what stands before an empty one; after it another
        part begins."""
        if state.kind != _NOBODY and not state.is_signed:
            state.is_signed = True
            out.append(Delta(SIGNATURE, index, state.key, signature, ORIGIN))
            return
        self._close(state, index, out)
        out.append(Delta(REDACTED, index, self._key(state), signature, ORIGIN))
        out.append(Delta(CLOSE, index, state.key))

    def _function(
        self, raw: msgspec.Raw, signature: str | None, state: Candidate, index: int, out: list[Delta]
    ) -> None:
        call = relaxed(raw, _call, EventCall)
        if call is None:
            raise Fault("upstream_bad_response", "The provider sent a call that cannot be read.", verdict="next")
        if call.name:
            if state.partial is not None:
                self._end_partial(state, index, out)
            self._open(state, index, TOOL, out)
            state.has_calls = state.spoke = True
            id = self._calls.call(call.id or "", call.name)
            out.append(Delta(TOOL, index, state.key, id=id, name=call.name, data=call.name in self._customs))
            if signature:
                state.is_signed = True
                out.append(Delta(SIGNATURE, index, state.key, standard(signature), ORIGIN))
            state.partial_name = call.name
            if call.willContinue or call.partialArgs:
                state.partial = PartialArguments()
            else:
                arguments = arguments_of(call.args) or "{}"
                out.append(Delta(ARGUMENTS, index, state.key, self._said(call.name, arguments)))
        elif state.partial is None:
            raise Fault("upstream_bad_response", "The provider sent a call without a name.", verdict="next")
        if state.partial is not None:
            for piece in call.partialArgs or ():
                state.partial.add(piece)
            if not call.willContinue:
                self._end_partial(state, index, out)

    def _end_partial(self, state: Candidate, index: int, out: list[Delta]) -> None:
        partial = state.partial
        if partial is not None:
            state.partial = None
            out.append(Delta(ARGUMENTS, index, state.key, self._said(state.partial_name, partial.text())))

    def _said(self, name: str, arguments: str) -> str:
        return unwrapped(arguments) if name in self._customs else arguments

    def _media(self, part: EventPart, state: Candidate, index: int, out: list[Delta]) -> None:
        name = "inlineData" if part.inlineData is not NOTHING else "fileData"
        fields: dict[str, Any] = {name: getattr(part, name)}
        if part.thoughtSignature:
            fields["thoughtSignature"] = part.thoughtSignature
        try:
            found = read_part(msgspec.Raw(_encode(fields)), name, self._calls, model=True)
        except Fault as fault:
            raise Fault("upstream_bad_response", f"The provider's {fault.message}", verdict="next") from None
        self._close(state, index, out)
        state.spoke = True
        if isinstance(found, Image | Audio | File):
            out.append(Delta(MEDIA, index, self._key(state), data=found))
        elif isinstance(found, Foreign):
            out.append(Delta(FOREIGN, index, self._key(state), data=found))

    def _foreign(self, part: EventPart, state: Candidate, index: int, out: list[Delta]) -> bool:
        for name in _FOREIGN:
            raw = getattr(part, name)
            if raw is not NOTHING:
                fields: dict[str, Any] = {name: raw}
                if part.thoughtSignature:
                    fields["thoughtSignature"] = part.thoughtSignature
                self._close(state, index, out)
                state.spoke = True
                out.append(Delta(FOREIGN, index, self._key(state), data=Foreign(ORIGIN, name, _encode(fields))))
                return True
        return False

    def _cite(self, state: Candidate, index: int, out: list[Delta]) -> None:
        """Citations, of the last block of text, if that is still open."""
        if state.kind != TEXT:
            return
        spans = [*grounded(state.grounding), *state.cited.spans]
        if not spans:
            return
        before = state.text_start
        offsets = Offsets(state.text[before:].decode())
        for span in spans:
            citation = span.citation
            if span.start >= before and 0 <= span.end - before <= offsets.size:
                citation = msgspec.structs.replace(
                    citation,
                    start=offsets.character(span.start - before),
                    end=offsets.character(span.end - before),
                )
            out.append(Delta(CITATION, index, state.key, data=citation))
