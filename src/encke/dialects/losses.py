"""What a request holds and a wire has no words for, by the hub's names, each once; and plain text out of documents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

from encke.core.chat import ChatRequest, File
from encke.core.embed import EmbedRequest


class Losses:
    """Collects names, in the order in which they came."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """One more, if it is new."""
        self._names[name] = None

    def add_extra(self, request: ChatRequest | EmbedRequest, origin: str, known: Collection[str]) -> None:
        """The extra fields but those `known`, which may have the dialect `origin` before their names."""
        for name in request.extra:
            if name not in known and name.removeprefix(origin + ".") not in known:
                self.add(name)

    def all(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._names)


def own_extra(request: ChatRequest | EmbedRequest, origin: str, name: str) -> bytes:
    """The extra field `name` of dialect `origin`, as a caller who knows the target sends it; b"" if there is none."""
    return request.extra.get(f"{origin}.{name}") or request.extra.get(name, b"")


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
