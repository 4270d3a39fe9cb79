"""Items of a stream that are whole: what of them has not come in pieces before.

A key of a delta is made of the item's index and the part's, so that what is open at once is told apart.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Foreign, Image
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FOREIGN,
    LOGPROBS,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    TEXT,
    THINKING,
    TOOL,
    Delta,
)
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.conversation import thoughts_of
from encke.dialects.openai_responses.output import read_call, read_logprobs, read_other, said_in
from encke.dialects.openai_responses.parts import TEXTS, citations_of
from encke.dialects.openai_responses.wire import NAME

_typed: Final = msgspec.json.Decoder(wire.Typed)
_reasoning: Final = msgspec.json.Decoder(wire.ReasoningItem)

KEYS: Final = 4096  # of one item
SUMMARY: Final = KEYS - 1  # the key of its summary
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})


class WholeItems:
    """What has come of the items of one stream. `said`, `cited`, `weighed`: keys of which text, citations, logprobs
    have come; `opened`: of calls that have begun. `id` is what ids are made of."""

    def __init__(self, id: str) -> None:
        self.said: set[int] = set()
        self.cited: set[int] = set()
        self.weighed: set[int] = set()
        self.opened: set[int] = set()
        self.any = False
        self._id = id
        self._given: dict[int, str] = {}  # arguments that calls began with
        self._spoken: dict[int, list[int]] = {}  # by item: keys of its texts, as they came

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return bool(self.opened)

    def speak(self, index: int, key: int) -> None:
        """A text of an item begins."""
        self.said.add(key)
        self._spoken.setdefault(index, []).append(key)

    def added(self, index: int, raw: msgspec.Raw) -> list[Delta]:
        """An item begins: of interest is a call, whose name is known."""
        self.any = True
        try:
            kind = _typed.decode(raw).type or ""
            return self._open(index, raw, kind == "custom_tool_call") if kind in _CALLS else []
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return []

    def done(self, index: int, raw: msgspec.Raw) -> list[Delta]:
        """An item is whole: what is missing of it. One of no shape that is known is left out."""
        self.any = True
        try:
            kind = _typed.decode(raw).type or ""
            if kind == "message":
                return self._message(index, said_in(raw))
            if kind in _CALLS:
                return self._call(index, raw, kind == "custom_tool_call")
            if kind == "reasoning":
                return self._thought(index, _reasoning.decode(raw))
            if not kind:
                return []
            part = read_other(raw, kind)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return []
        if isinstance(part, Image):
            return [Delta(MEDIA, 0, index * KEYS, data=part)]
        return [Delta(FOREIGN, 0, index * KEYS, data=part)] if isinstance(part, Foreign) else []

    def _open(self, index: int, raw: msgspec.Raw, custom: bool) -> list[Delta]:
        call = read_call(raw, f"call_{self._id}_{index}", custom=custom)
        key = index * KEYS
        if not call.name or key in self.opened:
            return []
        self.opened.add(key)
        if call.arguments:  # they come again, in pieces or with the whole; if not, there they are
            self._given[key] = call.arguments
        return [Delta(TOOL, 0, key, name=call.name, id=call.id, data=custom)]

    def _call(self, index: int, raw: msgspec.Raw, custom: bool) -> list[Delta]:
        key = index * KEYS
        found = self._open(index, raw, custom)
        if key not in self.opened:
            return []
        if key not in self.said:
            self.said.add(key)
            found.append(Delta(ARGUMENTS, 0, key, read_call(raw, "", custom=custom).arguments))
        found.append(Delta(CLOSE, 0, key))
        return found

    def rest(self) -> list[Delta]:
        """The stream is over: arguments of calls that did not come again."""
        return [Delta(ARGUMENTS, 0, key, text) for key, text in self._given.items() if key not in self.said]

    def _message(self, index: int, parts: list[wire.Part]) -> list[Delta]:
        found: list[Delta] = []
        # Not everybody counts parts in the stream as they stand in the item, but all have the same order.
        keys = self._spoken.get(index, [])
        for at, part in enumerate(parts):
            key = keys[at] if at < len(keys) else (keys[-1] if keys else index * KEYS) + at - len(keys) + 1
            refused = part.type == "refusal"
            text = part.refusal if refused else part.text if part.type in TEXTS else None
            if at >= len(keys) and text:
                found.append(Delta(REFUSAL if refused else TEXT, 0, key, text))
            if key not in self.cited and len(part.annotations) > 2:
                found += [Delta(CITATION, 0, key, data=citation) for citation in citations_of(part.annotations)]
            if key not in self.weighed:
                tokens = read_logprobs(part.logprobs)
                if tokens:
                    found.append(Delta(LOGPROBS, 0, key, data=tuple(tokens)))
            found.append(Delta(CLOSE, 0, key))
        return found

    def _thought(self, index: int, item: wire.ReasoningItem) -> list[Delta]:
        told, summary = index * KEYS, index * KEYS + SUMMARY
        found: list[Delta] = []
        for thought in thoughts_of(item, item.encrypted_content or "", NAME):
            key = summary if thought.summary else told
            if thought.redacted:
                if told not in self.said and summary not in self.said:
                    found.append(Delta(REDACTED, 0, told, thought.signature, NAME, thought.id))
                    continue
                key = summary if summary in self.said else told
            elif key not in self.said:
                found.append(Delta(THINKING, 0, key, thought.text, "summary" if thought.summary else "", thought.id))
            if thought.signature:
                found.append(Delta(SIGNATURE, 0, key, thought.signature, NAME))
        if found or told in self.said:
            found.append(Delta(CLOSE, 0, told))
        if found or summary in self.said:
            found.append(Delta(CLOSE, 0, summary))
        return found
