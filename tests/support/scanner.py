"""Finds secrets in bytes: whole, in slices of 12 characters, and in the usual disguises. Knows nothing of the gateway.

How it is fast: every window of 12 bytes holds, at a multiple of 7 from the start of the data, 6 bytes that begin within
it. So only every seventh place is looked at, against a set of all runs of 6 bytes of all forms of all secrets; what is
in the set is then compared in full.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

SLICE = 12  # characters of a secret that are too many
_GRAM = 6
_STRIDE = SLICE - _GRAM + 1
_CUT = struct.Struct(f"{_GRAM}s{_STRIDE - _GRAM}x")


class Form(NamedTuple):
    """A secret in one disguise. `least`: how long a run of it has to be to be 12 characters of the secret."""

    name: str
    disguise: str
    data: bytes
    least: int


class Hit(NamedTuple):
    """Which secret, in which disguise, at which offset, how many bytes of the disguise."""

    name: str
    disguise: str
    offset: int
    length: int


def forms(name: str, secret: bytes) -> Iterator[Form]:
    """The disguises: plain, base64 in both alphabets at each of three alignments, hex, percent-encoded."""
    yield Form(name, "plain", secret, SLICE)
    for shift in range(3):
        # What stands before and after may be anything, so the characters that it takes part in are left out.
        coded = base64.b64encode(b"\0" * shift + secret)
        first = -(-shift * 8 // 6)
        inner = coded[first : (shift + len(secret)) * 8 // 6]
        yield Form(name, f"base64+{shift}", inner, SLICE * 8 // 6 - 2)
        safe = inner.translate(bytes.maketrans(b"+/", b"-_"))
        if safe != inner:
            yield Form(name, f"base64url+{shift}", safe, SLICE * 8 // 6 - 2)
    for disguise, text in (("hex", secret.hex()), ("hex upper", secret.hex().upper())):
        yield Form(name, disguise, text.encode(), 2 * SLICE)
    for disguise, pattern in (("percent", "%%%02x"), ("percent upper", "%%%02X")):
        yield Form(name, disguise, "".join(pattern % byte for byte in secret).encode(), 3 * SLICE)


class Scanner:
    """`add` secrets, then `find` them in data. Secrets shorter than 12 bytes are refused (ValueError)."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._grams: dict[bytes, list[tuple[Form, int]]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def add(self, name: str, secret: str | bytes) -> None:
        """One more secret. It has to be random: what is a word somewhere would be found there."""
        data = secret.encode() if isinstance(secret, str) else secret
        if len(data) < SLICE:
            raise ValueError(f"{name}: a secret of {len(data)} bytes is too short to be told from chance")
        if data in self._known:
            return
        self._known.add(data)
        for form in forms(name, data):
            for at in range(len(form.data) - _GRAM + 1):
                self._grams.setdefault(form.data[at : at + _GRAM], []).append((form, at))

    def find(self, data: bytes) -> list[Hit]:
        """Every secret in `data`, each disguise once, where it is longest."""
        padded = data + bytes(-len(data) % _STRIDE)
        if self._grams.keys().isdisjoint(chain.from_iterable(_CUT.iter_unpack(padded))):
            return []
        best: dict[tuple[str, str], Hit] = {}
        for number, (gram,) in enumerate(_CUT.iter_unpack(padded)):
            for form, at in self._grams.get(gram, ()):
                hit = _run(data, number * _STRIDE, form, at)
                known = best.get((hit.name, hit.disguise))
                if hit.length >= form.least and (known is None or known.length < hit.length):
                    best[hit.name, hit.disguise] = hit
        return list(best.values())


def _run(data: bytes, place: int, form: Form, at: int) -> Hit:
    """How far `data` around `place` and the form around `at` are the same."""
    text = form.data
    start, begin = place, at
    while start > 0 and begin > 0 and data[start - 1] == text[begin - 1]:
        start, begin = start - 1, begin - 1
    end, stop = place, at
    while end < len(data) and stop < len(text) and data[end] == text[stop]:
        end, stop = end + 1, stop + 1
    return Hit(form.name, form.disguise, start, end - start)
