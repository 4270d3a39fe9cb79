"""`data:` addresses, which are not addresses but the thing itself (RFC 2397)."""

from __future__ import annotations

import base64
import re
from typing import Final

_PREFIX: Final = "data:"
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def split(url: str) -> tuple[str, str] | None:
    """The media type and the base64 of a `data:` address; None for another. What is not base64 is made so."""
    if url[:5].lower() != _PREFIX:
        return None
    head, comma, payload = url[5:].partition(",")
    if not comma:
        return None
    media_type, *options = head.split(";")
    media_type = media_type.strip().lower() or "text/plain"
    if any(option.strip().lower() == "base64" for option in options):
        return media_type, payload
    return media_type, base64.b64encode(_plain(payload)).decode()


def _plain(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode("utf-8", "replace"))


def join(media_type: str, data: str) -> str:
    """The address of base64 `data`."""
    return f"{_PREFIX}{media_type};base64,{data}"
