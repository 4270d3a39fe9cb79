"""What a request holds and a wire has no words for, by the hub's names, each once; and plain text out of documents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Final

from encke.core.chat import ChatRequest, File, Image, Part, Text, Thinking, Tool, ToolCall, ToolResult
from encke.core.embed import EmbedRequest

_CALLERS: Final = "openai_chat"


class Losses:
    """Collects names, in the order in which they came."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """One more, if it is new."""
        self._names[name] = None

    def add_extra(self, request: ChatRequest | EmbedRequest, origin: str, known: Collection[str]) -> None:
        """The extra fields but those `known` (see `own_extra`)."""
        for name in request.extra:
            dialect, _, own = name.rpartition(".")
            if own not in known or dialect not in ("", origin, _CALLERS):
                self.add(name)

    def add_marks(self, part: Text | Image | File | Tool | ToolCall | ToolResult, path: str) -> None:
        """A prompt-cache mark, and an opaque thing that only another dialect can take back."""
        if part.cache is not None:
            self.add(f"{path}.cache")
        if isinstance(part, Text | Image | ToolCall) and part.signature:
            self.add("thinking")

    def all(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._names)


# Values that ask for nothing but what is done without them, by the names of extra fields; null is one of each.
_IDLE_EXTRA: Final[dict[str, tuple[bytes, ...]]] = {
    "logit_bias": (b"{}",),
    "metadata": (b"{}",),
    "modalities": (b'["text"]',),
    "service_tier": (b'"auto"', b'"default"'),
    "store": (b"false",),
    "truncation": (b'"disabled"',),
    "verbosity": (b'"medium"',),
}


def is_idle(request: ChatRequest, name: str, origin: str = "") -> bool:
    """Whether what was left out asks for nothing but what is done without it: leaving it out is no loss. `origin` is
    the dialect that the target takes opaque things of."""
    if name in ("thinking", "reasoning_content"):
        return not any(_is_sealed(part, origin) for message in request.messages for part in message.parts)
    if name in request.extra:
        return request.extra[name] == b"null" or request.extra[name] in _IDLE_EXTRA.get(name, ())
    reasoning, choice = request.reasoning, request.tool_choice
    if name == "reasoning.summary":
        return reasoning is not None and reasoning.summary == "auto"
    if name == "tool_choice":
        return choice is not None and choice.mode == "auto" and not choice.names
    if name == "logprobs":
        return request.logprobs is False
    if name == "top_logprobs":
        return request.top_logprobs == 0
    if name == "n":
        return request.n == 1
    if name in ("presence_penalty", "frequency_penalty"):
        return (request.presence_penalty if name == "presence_penalty" else request.frequency_penalty) == 0
    return False


def _is_sealed(part: Part, origin: str) -> bool:
    """Whether there is something in it that only another dialect than `origin` can take back. A thought without is a
    text that no model has to have again."""
    if isinstance(part, Thinking):
        return (bool(part.signature) or part.redacted) and part.origin != origin
    return isinstance(part, Text | Image | ToolCall) and bool(part.signature) and part.origin != origin


def own_extra(request: ChatRequest | EmbedRequest, origin: str, name: str) -> bytes:
    """The extra field `name` of dialect `origin`, b"" if there is none.

    Callers who know their target send it beside the fields of their own dialect: the OpenAI SDKs have `extra_body`.
    """
    extra = request.extra
    return extra.get(f"{origin}.{name}") or extra.get(name) or extra.get(f"{_CALLERS}.{name}", b"")


def plain_text(file: File) -> str | None:
    """The text of a document that is nothing but text; None for any other."""
    if file.text:
        return file.text
    if not file.data or not file.media_type.startswith("text/"):
        return None
    try:
        return base64.b64decode(file.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
