"""The gateway's own secrets, kept out of what it repeats of an upstream's words."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any

MASK = "[redacted]"
# A shorter key is a word such as `ollama` or `none`, which a server that wants none was given; it is no secret.
SHORTEST = 8
# So many characters of a longer one are too many.
SLICE = 12
# A key of this gateway, whosever: `encke.keys.secret` has the shape.
_KEY = re.compile(r"\bsk-[A-Za-z0-9_\-]{8,}")


def without_keys(text: str) -> str:
    """A caller's text with what looks like a key masked: in a wrong place it is a key all the same."""
    return _KEY.sub(MASK, text) if "sk-" in text else text


class Redactor:
    """Masks secrets in texts: whole, in slices of 12 characters, and in base64, hex and percent-encoding.

    For errors, which are short and rare; never for what streams by.
    """

    __slots__ = ("_grams",)

    def __init__(self, secrets: Iterable[str]) -> None:
        self._grams: dict[int, set[str]] = {}
        for secret in secrets:
            for text, size in _disguises(secret) if len(secret) >= SHORTEST else ():
                grams = self._grams.setdefault(size, set())
                grams.update(text[at : at + size] for at in range(len(text) - size + 1))

    def clean(self, text: str) -> str:
        """`text` with every secret in it masked."""
        for size, grams in self._grams.items():
            found = [at for at in range(len(text) - size + 1) if text[at : at + size] in grams]
            for start, end in reversed(list(_joined(found, size))):
                text = text[:start] + MASK + text[end:]
        return text

    def clean_values(self, values: dict[str, Any]) -> dict[str, Any]:
        """The same with every text in a flat dict masked."""
        return {name: self.clean(value) if isinstance(value, str) else value for name, value in values.items()}


def _disguises(secret: str) -> Iterator[tuple[str, int]]:
    """Texts that tell the secret, and how long a run of each is too long."""
    data = secret.encode("utf-8", "surrogatepass")
    size = min(SLICE, len(secret))
    yield secret, size
    for shift in range(3):
        # Three alignments; the characters that what stands around takes part in are left out.
        coded = base64.b64encode(bytes(shift) + data).decode()
        inner = coded[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
        for text in {inner, inner.replace("+", "-").replace("/", "_")}:
            yield text, size * 8 // 6 - 2
    for text in (data.hex(), data.hex().upper()):
        yield text, 2 * size
    for pattern in ("%%%02x", "%%%02X"):
        yield "".join(pattern % byte for byte in data), 3 * size


def _joined(starts: list[int], size: int) -> Iterator[tuple[int, int]]:
    """Ranges covered by runs of `size` that begin at `starts`, which rise."""
    begin = end = -1
    for start in starts:
        if start > end:
            if begin >= 0:
                yield begin, end
            begin = start
        end = start + size
    if begin >= 0:
        yield begin, end
