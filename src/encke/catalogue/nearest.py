"""The names most like one that does not exist, in a time that a typing error in a busy client cannot turn into a stall.

`difflib` takes some 0.1 ms for each name, and providers list hundreds: so it sees only a short list, chosen by what
letters stand next to each other.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

SHORT_LIST: Final = 12
CUTOFF: Final = 0.5

_BITS: Final = 256


class Nearest:
    """Finds names; upper and lower case are alike to it."""

    __slots__ = ("_marked",)

    def __init__(self, names: Iterable[str]) -> None:
        self._marked = [(name, _marks(name.lower())) for name in names]

    def find(self, name: str) -> list[str]:
        """Up to three names, the nearest first."""
        name = name.lower()
        return self._close(name) or self._close(name.rpartition("/")[2])

    def _close(self, name: str) -> list[str]:
        marks = _marks(name)
        count = marks.bit_count()
        scored = [
            (2 * (marks & other).bit_count() / max(count + other.bit_count(), 1), index)
            for index, (_, other) in enumerate(self._marked)
        ]
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        short: dict[str, str] = {}
        for _, index in scored[:SHORT_LIST]:
            found = self._marked[index][0]
            short.setdefault(found.lower(), found)
        return [short[match] for match in difflib.get_close_matches(name, short, 3, CUTOFF)]


def _marks(text: str) -> int:
    """A bit for each pair of neighbours, begin and end counted; pairs may share a bit."""
    marks = 0
    last = 0
    for letter in [*text.encode("utf-8", "replace"), 0]:
        marks |= 1 << ((last * 31 + letter) % _BITS)
        last = letter
    return marks
