"""Ids of function calls, which this wire may leave out: results then belong to calls by name and order."""

from __future__ import annotations

from collections import deque

from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.strays import Strays


class Calls:
    """Makes ids for calls that have none ("call_1", or with `prefix` before the number), and finds a result's call.
    `strays`: fields of the parts that have no place in the hub."""

    __slots__ = ("_by_name", "_made", "_open", "_prefix", "strays")

    def __init__(self, prefix: str = "") -> None:
        self._prefix = f"call_{prefix}_" if prefix else "call_"
        self._made = 0
        self.strays = Strays(ORIGIN)
        self._open: set[str] = set()
        self._by_name: dict[str, deque[str]] = {}

    def call(self, id: str, name: str) -> str:
        """A call's id."""
        if not id:
            self._made += 1
            id = f"{self._prefix}{self._made}"
        self._open.add(id)
        self._by_name.setdefault(name, deque()).append(id)
        return id

    def result(self, id: str, name: str) -> str:
        """The id of the call that a result answers: the one of that id, else the first of that name that waits, else
        its own, or a new one: the provider may say what it thinks of it."""
        if id and id in self._open:
            self._open.discard(id)
            return id
        waiting = self._by_name.get(name)
        while waiting:
            found = waiting.popleft()
            if found in self._open:
                self._open.discard(found)
                return found
        if id:
            return id
        self._made += 1
        return f"{self._prefix}{self._made}"
