"""How much of an answer has come, and whether there is any of it yet: what the taps of all dialects count alike."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.dialects.port import Tap

# What fields hold where there is nothing of an answer. The first is what `msgspec` leaves for a field that is missing.
EMPTY: Final = tuple(msgspec.Raw(text) for text in (b"", b"null", b'""', b"[]", b"{}"))
_LONG: Final = 64  # bytes of JSON; what is longer is content without a look, in practice

_any: Final = msgspec.json.Decoder()


class CountingTap(Tap):
    """A tap that counts values as they stand in the JSON of an event."""

    __slots__ = ("_began",)

    def __init__(self) -> None:
        super().__init__()
        self._began = False  # there was something other than white space

    def _count(self, raw: msgspec.Raw) -> bool:
        """Count a value; True if it is content. White space is none before there is some, and matters no more after."""
        size = len(raw)
        if size <= 4 and raw in EMPTY:
            return False
        self.content_bytes += max(size - 2, 0)
        if not self._began:
            self._began = size > _LONG or not is_blank(raw)
        return self._began


def text_size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def is_blank(raw: msgspec.Raw) -> bool:
    """Whether a value is a text of white space."""
    text = bytes(raw)
    if text[:1] != b'"':
        return False
    try:
        value = _any.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(value, str) and not value.strip()
