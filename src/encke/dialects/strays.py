"""Reading objects of requests, with the fields that their shapes do not name: what nobody looks at is lost, and has to
be told as that.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeVar

import msgspec

from encke.core.chat import Part, Text
from encke.dialects.places import Places
from encke.dialects.typed import read, read_map, read_string

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", bound=msgspec.Struct)

# What asks for nothing.
_IDLE: Final = (b"", b"null", b"false", b'""', b"[]", b"{}")


def read_text(raw: msgspec.Raw, path: str, places: Places | None) -> list[Part]:
    """A message's content that is one text; nothing of an empty one. Raises Fault."""
    text = read_string(raw, path)
    if not text:
        return []
    said = Text(text)
    if places is not None:
        places.note(said, path)
    return [said]


class Strays:
    """`lost` has them by path, with the dialect before it, as `ChatRequest.extra` does."""

    __slots__ = ("_origin", "lost")

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.lost: dict[str, bytes] = {}

    def read(
        self,
        raw: bytes | msgspec.Raw,
        strict: msgspec.json.Decoder[S],
        decoder: msgspec.json.Decoder[T],
        path: str,
        harmless: Collection[str] = (),
    ) -> S | T:
        """An object, by a shape that forbids other fields, or else as `typed.read` does it. `harmless` are fields that
        mean nothing to any other dialect."""
        try:
            return strict.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            found = read(raw, decoder, path)
        known = found.__struct_encode_fields__
        for name, value in read_map(raw, path).items():
            if name not in known and name not in harmless:
                self.note(f"{path}.{name}", value)
        return found

    def note(self, path: str, value: bytes | msgspec.Raw) -> None:
        """A field, unless it asks for nothing."""
        if bytes(value) not in _IDLE:
            self.lost[f"{self._origin}.{path}"] = bytes(value)

    def forget(self, count: int) -> None:
        """What was found since `lost` had so many: it is of an object that goes on as it is."""
        while len(self.lost) > count:
            self.lost.popitem()
