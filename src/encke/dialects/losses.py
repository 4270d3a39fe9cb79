"""What a request holds and a wire has no words for, by the hub's names, each once; and plain text out of documents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Final

from encke.core.chat import ChatRequest, File, Image, Text, Tool, ToolCall, ToolResult
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
