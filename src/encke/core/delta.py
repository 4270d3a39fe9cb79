"""Delta: what an event of a stream adds to an answer, in no dialect's words. Many a second, so plain classes."""

from __future__ import annotations

from typing import Any, Final

# What a delta is, with what of it is used. `key` tells blocks of one choice apart: a text, a thought, a tool call.
START: Final = 0  # `id` and `name` (the model) as upstream has them, `data`: created, UTC seconds, 0 if unknown. Once.
TEXT: Final = 1  # `text`
THINKING: Final = 2  # `text`; `name` "summary" if it is one; `id` the item's own, where there is one
SIGNATURE: Final = 3  # `text`: of the block `key` (thought, text or tool call), whole; `name`: the dialect it is of
REDACTED: Final = 4  # `text`: a thought that is all opaque; `name`: the dialect it is of; `id` the item's own
TOOL: Final = 5  # a tool call begins: `id`, `name`; `data` True if it is a custom tool
ARGUMENTS: Final = 6  # `text`: more of its arguments
CLOSE: Final = 7  # the block `key` is whole
REFUSAL: Final = 8  # `text`
CITATION: Final = 9  # `data`: a `core.chat.Citation` of the text `key`
LOGPROBS: Final = 10  # `data`: a tuple of `core.chat.TokenLogprob`
MEDIA: Final = 11  # `data`: a `core.chat.Image`, `Audio` or `File`, whole
FOREIGN: Final = 12  # `data`: a `core.chat.Foreign`, whole
FINISH: Final = 13  # `name`: a `core.chat.Finish`; `text`: the stop sequence; `id`: the reason in upstream's own word
USAGE: Final = 14  # the reader's `usage` is new

# Those that are something of the answer: Content.
CONTENT_KINDS: Final = frozenset({TEXT, THINKING, REDACTED, TOOL, ARGUMENTS, REFUSAL, MEDIA, FOREIGN})


class Delta:
    """One of them. `choice` is the answer's index."""

    __slots__ = ("choice", "data", "id", "key", "kind", "name", "text")

    def __init__(
        self, kind: int, choice: int = 0, key: int = 0, text: str = "", name: str = "", id: str = "", data: Any = None
    ) -> None:
        self.kind = kind
        self.choice = choice
        self.key = key
        self.text = text
        self.name = name
        self.id = id
        self.data = data

    def __repr__(self) -> str:
        return (
            f"Delta({self.kind}, {self.choice}, {self.key}, {self.text!r}, {self.name!r}, {self.id!r}, {self.data!r})"
        )
