"""How a target reads its input: a few bytes choose, the rest is what the parser gets. Pure, and without atheris."""

from __future__ import annotations

import random
from collections.abc import Iterator


class Bits:
    """Takes choices from the front of an input."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """A number under `below` (at most 256); 0 when the input is at its end."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1] % below

    @property
    def rest(self) -> bytes:
        """All that was not taken."""
        return self._data[self._at :]


def cut(data: bytes, seed: int) -> Iterator[bytes]:
    """The same bytes in pieces: whole (0), one by one (1), or in pieces of chance that the seed repeats."""
    if seed == 0:
        yield data
        return
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        size = 1 if seed == 1 else chance.randint(1, max(1, len(data) // 3))
        yield data[at : at + size]
        at += size
