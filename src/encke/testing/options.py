"""What a request or a rule may say about its answer, and the calls of functions in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True)
class ToolCall:
    """A call of a function that the answer makes; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str

    @property
    def parts(self) -> list[str]:
        """The arguments as they come in a stream: in two pieces, cut anywhere."""
        cut = (len(self.arguments) + 1) // 2
        return [part for part in (self.arguments[:cut], self.arguments[cut:]) if part]


class Options(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a request or a rule may say about its answer. `name` picks the behaviour; the others dial it."""

    name: str = "polite"
    chunks: int = 4  # pieces of content
    each: int = 1  # output tokens in each
    after: int = 2  # a fault in the middle comes after this many pieces
    interval: float = 0.0  # seconds between pieces of a stream
    first_delay: float = 0.0  # seconds before the head
    content: str | None = None  # the first piece, instead of the nonce
    piece: str | None = None  # every further piece, instead of the nonce and a number
    thinking: str = ""  # thoughts before the answer
    signature: str = ""  # what proves them, where the wire knows such a thing
    calls: list[dict[str, Any]] = []  # functions to call, if the request has them: {"name": …, "arguments": {…}}
    interleave: bool = False  # pieces of several calls by turns, where the wire can
    prompt_tokens: int | None = None  # usage claimed, instead of counted
    completion_tokens: int | None = None
    cached: int = 0  # of the prompt's tokens, read from a cache
    reasoning: int = 0  # of the answer's tokens, thoughts
    usage: dict[str, Any] | None = None  # the whole of it, instead of those four; OpenAI's chat only
    honour_max: bool = True  # false: write more than max_tokens allows
    seconds: int = 7  # for Retry-After
    megabytes: int = 64  # for big bodies
    location: str = "http://127.0.0.1:9/elsewhere"  # for redirects
    eol: str = "\n"
