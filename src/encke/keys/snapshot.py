"""What the keeper tells the workers of keys: all at first, then only what has changed, in parts of bounded size.

A hundred thousand keys are some ten megabytes. In parts no message is over the limit, and no worker stands still over
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from encke.keys.granting import Changes, Grants, LevelRow, pack

PART_BYTES: Final = 128 * 1024
# What a row takes beside its own bytes, at most.
_AROUND: Final = 64


class Part(msgspec.Struct, frozen=True):
    """Leads from version `since` to `version`, with the other parts (`more`: this is not the last one). From null: all
    that there is. Rows as in `Changes`. `pepper` makes digests of keys."""

    version: int
    since: int | None
    pepper: bytes
    organisations: list[tuple[int, LevelRow | None]] = []
    projects: list[tuple[int, LevelRow | None]] = []
    keys: list[tuple[bytes, bytes | None]] = []
    more: bool = False


class OutOfStep(Exception):
    """A part of changes to another version than the one that is known: all of it is needed."""


def parts(changes: Changes, since: int | None, pepper: bytes) -> Iterator[Part]:
    """The changes in parts; those of organisations and projects come before those of their keys."""
    part, size = Part(changes.version, since, pepper, more=True), 0
    for where, id, row in _all_rows(changes):
        own = _AROUND + (len(row) if isinstance(row, bytes) else 0 if row is None else len(pack(row)))
        if size and size + own > PART_BYTES:
            yield part
            part, size = Part(changes.version, since, pepper, more=True), 0
        size += own
        getattr(part, where).append((id, row))
    yield msgspec.structs.replace(part, more=False)


def _all_rows(changes: Changes) -> Iterator[tuple[str, int | bytes, LevelRow | bytes | None]]:
    for where in ("organisations", "projects", "keys"):
        for id, row in getattr(changes, where):
            yield where, id, row


class Received:
    """What a worker knows of keys. `version` is -1 before it knows all."""

    def __init__(self) -> None:
        self.version = -1
        self.pepper = b""
        self.grants = Grants()
        self._coming: Grants | None = None

    def take(self, part: Part) -> bool:
        """Take a part in; whether that changed anything for callers: not before the last part of all that there is.
        Raises OutOfStep."""
        changes = Changes(part.version, part.organisations, part.projects, part.keys)
        if part.since is not None:
            if part.since != self.version:
                raise OutOfStep
            self.grants.apply(changes)
            self._arrive(part)
            return True
        if self._coming is None:
            self._coming = Grants()
        self._coming.apply(changes)
        if part.more:
            return False
        self.grants, self._coming = self._coming, None
        self._arrive(part)
        return True

    def lost(self) -> None:
        """The keeper is away: what it was in the middle of telling comes no more."""
        self._coming = None

    def _arrive(self, part: Part) -> None:
        self.pepper = part.pepper
        if not part.more:
            self.version = part.version
