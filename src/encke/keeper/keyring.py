"""What the keeper knows of keys and limits, so that a change costs what it changes, not what there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from encke.admin.frames import encode
from encke.keys.grant import Limit
from encke.keys.granting import Changes, LevelRow
from encke.keys.snapshot import parts
from encke.store.levels import Levels

Id = TypeVar("Id")
Row = TypeVar("Row")


class Keyring:
    """`limits` are all that have not been removed, by id, whoever's they are; `changed` are the ids of those that the
    last `refresh` found other than before. `version` is -1 before the first."""

    def __init__(self, store: Levels, pepper: bytes) -> None:
        self.limits: dict[int, Limit] = {}
        self.changed: list[int] = []
        self.version = -1
        self._store = store
        self._pepper = pepper
        self._organisations: dict[int, LevelRow] = {}
        self._projects: dict[int, LevelRow] = {}
        self._keys: dict[bytes, bytes] = {}
        self._before = -1  # the version that `_last` leads on from
        self._last = Changes(-1, [], [], [])

    def refresh(self) -> None:
        """Read what has changed. Raises StoreError, and knows what it knew before then."""
        changes = self._store.changes(None if self.version < 0 else self.version)
        limits = self._store.changed_limits(self.version)
        self.changed = [id for id, _ in limits]
        _apply(self.limits, limits)
        _apply(self._organisations, changes.organisations)
        _apply(self._projects, changes.projects)
        _apply(self._keys, changes.keys)
        if changes.version != self.version:
            self._before, self._last = self.version, changes
            self.version = changes.version

    def frames(self, known: int) -> list[bytes]:
        """The messages that bring a worker up to date which knows that version; -1: nothing. Empty if it is."""
        if known == self.version:
            return []
        if known >= 0 and known == self._before:
            return _encode(self._last, known, self._pepper)
        levels = [*self._organisations.items()], [*self._projects.items()]
        return _encode(Changes(self.version, *levels, [*self._keys.items()]), None, self._pepper)


def _encode(changes: Changes, since: int | None, pepper: bytes) -> list[bytes]:
    return [encode("snapshot", 0, part) for part in parts(changes, since, pepper)]


def _apply(rows: dict[Id, Row], changed: Iterable[tuple[Id, Row | None]]) -> None:
    for id, row in changed:
        if row is None:
            rows.pop(id, None)
        else:
            rows[id] = row
