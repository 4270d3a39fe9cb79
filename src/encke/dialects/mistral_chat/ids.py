"""Ids of tool calls, which Mistral wants to be nine letters or digits ("a-z, A-Z, 0-9, with a length of 9").

Those that are not are hashed, the same id always to the same nine, so that a conversation that is sent again is the
same to the byte; two of one request that would come out alike do not.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

LENGTH: Final = 9
_FIT: Final = re.compile(r"[A-Za-z0-9]{9}", re.ASCII)
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class CallIds:
    """The ids of one request."""

    __slots__ = ("_given", "_taken")

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()

    def fit(self, id: str) -> str:
        """The id as it goes out."""
        given = self._given.get(id)
        if given is not None:
            return given
        given = id if _FIT.fullmatch(id) else hashed(id)
        again = 0
        while given in self._taken:
            again += 1
            given = hashed(f"{id}#{again}")
        self._taken.add(given)
        self._given[id] = given
        return given


def hashed(id: str) -> str:
    """Nine letters and digits for any text."""
    number = int.from_bytes(hashlib.blake2b(id.encode("utf-8", "replace"), digest_size=8).digest())
    found = []
    for _ in range(LENGTH):
        number, at = divmod(number, len(_LETTERS))
        found.append(_LETTERS[at])
    return "".join(found)
