"""`data:` addresses, which are not addresses but the thing itself (RFC 2397)."""

from __future__ import annotations

import base64
import re
from typing import Final

from encke.dialects.typed import invalid

_SAFE: Final = str.maketrans("-_", "+/")  # the alphabet for addresses, RFC 4648, section 5
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_AROUND: Final = b"= \t\r\n"  # padding, and the ends of lines that some put in
_PREFIX: Final = "data:"
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def checked(data: str, path: str) -> str:
    """Base64 that a caller sent, in the standard alphabet. Raises Fault invalid_value for what is none, and for
    nothing, which nobody could read."""
    if "-" in data or "_" in data:
        data = data.translate(_SAFE)
    rest = data.encode("ascii", "replace").translate(None, _ALPHABET)
    if not data:
        raise invalid(path, "must be base64; it is empty")
    if rest.strip(_AROUND) or (len(data) - len(rest)) % 4 == 1 or "=" in data.rstrip("= \t\r\n"):
        raise invalid(path, "must be base64 of the standard alphabet")
    return data


def split(url: str, path: str = "") -> tuple[str, str] | None:
    """The media type and the base64 of a `data:` address; None for another. What is not base64 is made so. With the
    `path` of what a caller sent it raises Fault as `checked`."""
    if url[:5].lower() != _PREFIX:
        return None
    head, comma, payload = url[5:].partition(",")
    if not comma:
        return None
    media_type, *options = head.split(";")
    media_type = media_type.strip().lower() or "text/plain"
    if any(option.strip().lower() == "base64" for option in options):
        if "%" in payload:
            payload = _plain(payload).decode("latin-1")
        return media_type, checked(payload, path) if path else payload
    return media_type, base64.b64encode(_plain(payload)).decode()


def _plain(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode("utf-8", "replace"))


def join(media_type: str, data: str) -> str:
    """The address of base64 `data`."""
    return f"{_PREFIX}{media_type};base64,{data}"
