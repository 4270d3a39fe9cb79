"""Opaque things of one dialect, carried through another and back.

A thought's signature is of use only to who made it, and has to come back with the conversation. Where a caller's
dialect has a place for such a thing but the answer came from another dialect, the place holds a carrier:

    encke.<origin dialect>.<id>.<signature>

with `id` and `signature` in base64 (URL-safe, without padding). What does not begin so is the caller's dialect's own.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

PREFIX: Final = "encke."
_ORIGINS: Final = frozenset(
    {
        "openai_chat", "openai_responses", "anthropic_messages", "google_generate", "mistral_chat", "cohere_chat",
        "ollama_chat",
    }
)  # fmt: skip


def wrap(origin: str, signature: str, id: str = "") -> str:
    """The carrier."""
    return f"{PREFIX}{origin}.{_coded(id)}.{_coded(signature)}"


def unwrap(text: str, own: str) -> tuple[str, str, str]:
    """Origin, signature and id of what stands in a place of dialect `own`: its own, unless it is a carrier."""
    if text.startswith(PREFIX):
        _, origin, *rest = text.split(".")
        if origin in _ORIGINS and len(rest) == 2:
            try:
                return origin, _plain(rest[1]), _plain(rest[0])
            except (binascii.Error, UnicodeDecodeError, ValueError):
                pass
    return own, text, ""


def _coded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _plain(text: str) -> str:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
