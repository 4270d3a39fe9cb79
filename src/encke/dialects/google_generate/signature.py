"""Signatures of thoughts on this wire: bytes, in base64, on the part that they belong to.

Google's own stay as they are. Another dialect's stand in a carrier (`encke.dialects.carrier`), whose text is in base64.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from encke.dialects.carrier import PREFIX, unwrap, wrap
from encke.dialects.google_generate.fields import standard

ORIGIN: Final = "google_generate"

# "skip_thought_signature_validator" in base64: what Google documents (ai.google.dev/gemini-api/docs/thought-signatures)
# for calls that no model of its own has made, where it would refuse them without a signature.
SENTINEL: Final = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
_SENTINELS: Final = frozenset(
    {
        SENTINEL,
        "skip/thought/signature/validator",  # written without base64, and read in its standard alphabet
        "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv",
        "context/engineering/is/the/way/to/go",
    }
)
MARK: Final = base64.b64encode(PREFIX.encode() + b"___")[: len(PREFIX) // 3 * 4].decode()


def unpack(told: str) -> tuple[str, str, str]:
    """Origin, signature and id of a `thoughtSignature`; three times "" for none, or one that says nothing."""
    if not told:
        return "", "", ""
    told = standard(told)
    if told in _SENTINELS:
        return "", "", ""
    if told.startswith(MARK):
        try:
            return unwrap(base64.b64decode(told, validate=True).decode(), ORIGIN)
        except (binascii.Error, UnicodeDecodeError, ValueError):
            pass
    return ORIGIN, told, ""


def pack(origin: str, signature: str, id: str = "") -> str:
    """The `thoughtSignature` that brings a signature through a caller of this dialect; "" for none."""
    if not signature and not id:
        return ""
    if origin == ORIGIN:
        return signature
    return base64.b64encode(wrap(origin, signature, id).encode()).decode()
