"""How much of an answer there is in a body that is not read: the lengths of its texts, for an estimate."""

from __future__ import annotations

import re


def texts_of(*names: str) -> re.Pattern[bytes]:
    """Finds strings that stand under these names in JSON; the last may lack its end."""
    # Possessive: nothing is kept to come back to.
    return re.compile(rb'"(?:' + "|".join(names).encode() + rb')"\s*+:\s*+"([^"\\]*+(?:\\.[^"\\]*+)*+)', re.DOTALL)


def text_bytes(texts: re.Pattern[bytes], body: bytes) -> int:
    """The bytes of all of them, as JSON has them."""
    return sum(found.end(1) - found.start(1) for found in texts.finditer(body))
