"""Reads the deltas of one choice of a stream: texts, thoughts and their signatures, tool calls in all their forms."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Audio, Citation, Finish
from encke.core.delta import (
    ARGUMENTS,
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
from encke.core.faults import Fault
from encke.dialects.body import opener
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.openai_chat.assistant import arguments_of, audio_of, citations_of, details_in, images_of, texts_in
from encke.dialects.openai_chat.finish import read_finish
from encke.dialects.openai_chat.parts import ORIGIN
from encke.dialects.openai_chat.reply import MISTRAL, Names, thought_in
from encke.dialects.openai_chat.thoughts import ENCRYPTED, SUMMARY, pack, signature_in
from encke.dialects.openai_chat.thoughts import TEXT as DETAIL_TEXT

_string: Final = msgspec.json.Decoder(str)
TEXT_KEY: Final = 0
REFUSAL_KEY: Final = 1
MAX_SOUND: Final = 1 << 25  # characters of base64 that are kept until they are all there
MAX_CALLS: Final = 1024
MAX_EARLY: Final = 1000
EARLY_SIZE: Final = 1 << 20  # characters of those that are kept


class Slot:
    """A tool call that is being written. `index` as the wire has it, None where it has none."""

    __slots__ = ("begun", "id", "index", "key", "name", "waiting")

    def __init__(self, key: int, index: int | None, id: str) -> None:
        self.key = key
        self.index = index
        self.id = id
        self.name = ""
        self.begun = False
        self.waiting: list[str] = []  # arguments that came before the name


class ChoiceReader:
    """One choice. `word` is upstream's reason for the end, `stop` the stop sequence; `sound`, `heard` and `transcript`
    are what of sound has come."""

    def __init__(self, index: int, names: Names) -> None:
        self.index = index
        self.word = ""
        self.stop = ""
        self.sound: Audio | None = None
        self.heard: list[str] = []
        self.transcript: list[str] = []
        self._size = 0
        self._names = names
        self._next = 2
        self._slots: list[Slot] = []
        self._by_index: dict[int, Slot] = {}
        self._by_id: dict[str, Slot] = {}
        self._thought = -1  # the key of the thought that is being written, -1 if there is none
        self._thought_at: int | None = None  # and its index in `reasoning_details`
        self._cited = False
        self._early: list[Citation] = []  # that came before there was a text to cite
        self._early_size = 0
        self._spoke = False
        self._plain = False  # thoughts came as plain text

    def new_key(self) -> int:
        """A key for one more block."""
        self._next += 1
        return self._next - 1

    @property
    def met(self) -> str:
        """The stop sequence that ended it."""
        return self.stop if self.finish() == "stop_sequence" else ""

    @property
    def calls(self) -> bool:
        """Whether it calls tools."""
        return any(slot.begun for slot in self._slots)

    def finish(self) -> Finish:
        """Why it ended, in the hub's word."""
        return read_finish(self.word, self.stop, self.calls)

    def read(self, delta: wire.Message, found: list[Delta]) -> None:
        """What an event adds. Raises Fault for more than can be kept."""
        thought = delta.reasoning_content or delta.reasoning or ""
        if len(delta.thinking) > 2 and not thought:
            thought = thought_in(delta.thinking)
        if thought:
            self._plain = True
        if len(delta.reasoning_details) > 4:
            self._details(details_in(delta.reasoning_details), thought, found)
        elif thought:
            found.append(Delta(THINKING, self.index, self._thinking(), thought))
        if len(delta.content) > 2:
            self._content(delta.content, found)
        if delta.refusal:
            found.append(Delta(REFUSAL, self.index, REFUSAL_KEY, delta.refusal))
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._call(call, found)
        if delta.function_call is not None:
            self._function(delta.function_call, found)
        if len(delta.annotations) > 4:
            for citation in citations_of(delta.annotations):
                self._cited = True
                if self._spoke:
                    found.append(Delta(CITATION, self.index, TEXT_KEY, data=citation))
                else:
                    self._wait(citation)
        if len(delta.extra_content) > 4 and (signature := signature_in(delta.extra_content)):
            found.append(Delta(SIGNATURE, self.index, TEXT_KEY, signature, ORIGIN))
        if len(delta.images) > 4:
            for image in images_of(delta.images):
                found.append(Delta(MEDIA, self.index, self.new_key(), data=image))
        if len(delta.audio) > 4:
            self._audio(delta.audio)

    def close(self, found: list[Delta], cited: tuple[Citation, ...]) -> None:
        """The end: sources, if the text has said nothing of any. Raises Fault for a call that has no name: nobody can
        run it."""
        if any(slot.waiting for slot in self._slots):
            raise Fault("upstream_bad_response", "The provider's stream has a tool call without a name.")
        late = self._early if self._cited else cited
        found += [Delta(CITATION, self.index, TEXT_KEY, data=citation) for citation in late]

    def _wait(self, citation: Citation) -> None:
        self._early_size += len(citation.url) + len(citation.title) + len(citation.quote) + len(citation.raw)
        if len(self._early) < MAX_EARLY and self._early_size <= EARLY_SIZE:
            self._early.append(citation)

    def _thinking(self) -> int:
        if self._thought < 0:
            self._thought = self.new_key()
        return self._thought

    def _content(self, raw: msgspec.Raw, found: list[Delta]) -> None:
        first = opener(raw)
        if first == b'"':
            try:
                text = _string.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return
            if text:
                self._text(text, found)
        elif first == b"[":
            for part in texts_in(raw):
                if part.type == "thinking":
                    self._chunk_of_thought(part, found)
                elif part.type == "refusal" and part.refusal:
                    found.append(Delta(REFUSAL, self.index, REFUSAL_KEY, part.refusal))
                elif part.text:
                    self._text(part.text, found)

    def _chunk_of_thought(self, part: wire.Part, found: list[Delta]) -> None:
        """Mistral's way to tell thoughts, of which some are signed."""
        thought = thought_in(part.thinking)
        if thought:
            found.append(Delta(THINKING, self.index, self._thinking(), thought))
        if part.signature:
            found.append(Delta(SIGNATURE, self.index, self._thinking(), part.signature, MISTRAL))
            self._thought = -1

    def _text(self, text: str, found: list[Delta]) -> None:
        self._spoke = True
        found.append(Delta(TEXT, self.index, TEXT_KEY, text))

    def _details(self, details: list[wire.Detail], thought: str, found: list[Delta]) -> None:
        """Entries of thoughts. Their texts are those of `reasoning` again, where that is there; and one that is signed
        may hold all of its thought, which then has been told."""
        signs = any(detail.signature or detail.data for detail in details)
        for detail in details:
            if detail.type == ENCRYPTED:
                if detail.data:
                    self._encrypted(detail, found)
                continue
            if self._thought_at is not None and detail.index is not None and detail.index != self._thought_at:
                self._thought = -1
            if detail.index is not None:
                self._thought_at = detail.index
            text = thought
            if not text and not (signs and self._plain):
                text = (detail.summary if detail.type == SUMMARY else detail.text) or ""
            thought = ""
            if text:
                kind = "summary" if detail.type == SUMMARY else ""
                found.append(Delta(THINKING, self.index, self._thinking(), text, kind, detail.id or ""))
            if detail.type == DETAIL_TEXT and detail.signature:
                found.append(Delta(SIGNATURE, self.index, self._thinking(), pack(detail), ORIGIN))
        if thought:
            found.append(Delta(THINKING, self.index, self._thinking(), thought))

    def _encrypted(self, detail: wire.Detail, found: list[Delta]) -> None:
        if self._thought >= 0 and detail.index == self._thought_at:
            found.append(Delta(SIGNATURE, self.index, self._thought, pack(detail), ORIGIN))
            self._thought, self._thought_at = -1, None
        else:
            found.append(Delta(REDACTED, self.index, self.new_key(), pack(detail), ORIGIN, detail.id or ""))

    def _call(self, call: wire.Call, found: list[Delta]) -> None:
        function, custom = call.function, call.custom
        is_custom = custom is not None and (call.type == "custom" or function is None)
        name: str | None = None
        if is_custom and custom is not None:
            name = custom.name
        elif function is not None:
            name = function.name
        name = name or ""
        slot = self._slot(call, name)
        if name and not slot.name:
            slot.name = name
            self._open(slot, is_custom, found)
        text = ""
        if is_custom and custom is not None:
            text = custom.input or ""
        elif function is not None and len(function.arguments) >= 2:
            text = arguments_of(function.arguments)
        self._arguments(slot, text, found)
        if len(call.extra_content) > 4 and (signature := signature_in(call.extra_content)):
            found.append(Delta(SIGNATURE, self.index, slot.key, signature, ORIGIN))

    def _function(self, function: wire.Function, found: list[Delta]) -> None:
        """The older form: one call, without an id."""
        self._call(wire.Call(index=-1, function=function), found)

    def _arguments(self, slot: Slot, text: str, found: list[Delta]) -> None:
        if not text:
            return
        if slot.begun:
            found.append(Delta(ARGUMENTS, self.index, slot.key, text))
        else:
            slot.waiting.append(text)

    def _open(self, slot: Slot, custom: bool, found: list[Delta]) -> None:
        slot.begun = True
        if not slot.id:
            slot.id = self._names()
        found.append(Delta(TOOL, self.index, slot.key, name=slot.name, id=slot.id, data=custom))
        found += [Delta(ARGUMENTS, self.index, slot.key, text) for text in slot.waiting]
        slot.waiting.clear()

    def _slot(self, call: wire.Call, name: str) -> Slot:
        """Which call a piece is of: by its index, unless a new id and name, or without ids another name, show that this
        index is used again; else by its id; else it is the last one, unless a name begins another."""
        id = call.id or ""
        if call.index is not None:
            slot = self._by_index.get(call.index)
            if slot is not None and not _begins(slot, id, name):
                return slot
        elif id:
            slot = self._by_id.get(id)
            if slot is not None:
                return slot
        elif self._slots and not name:
            return self._slots[-1]
        if len(self._slots) >= MAX_CALLS:
            raise Fault("upstream_too_large", f"The provider's stream has more than {MAX_CALLS} tool calls.")
        slot = Slot(self.new_key(), call.index, id)
        self._slots.append(slot)
        if call.index is not None:
            self._by_index[call.index] = slot
        if id:
            self._by_id[id] = slot
        return slot

    def _audio(self, raw: msgspec.Raw) -> None:
        piece = audio_of(raw)
        if piece is None:
            if self.sound is None:
                return
            piece = Audio("", "")
        self._size += len(piece.data)
        if self._size > MAX_SOUND:
            raise Fault("upstream_too_large", "The provider's stream has more sound in it than can be kept.")
        self.heard.append(piece.data)
        self.transcript.append(piece.transcript)
        held = self.sound or Audio("", "")
        self.sound = Audio("", "", held.id or piece.id, "", piece.expires_at or held.expires_at)


def _begins(slot: Slot, id: str, name: str) -> bool:
    """Whether a piece with the index of a call is another one all the same."""
    if not name or not slot.name:
        return False
    return id != slot.id if id and slot.id else not id and name != slot.name
