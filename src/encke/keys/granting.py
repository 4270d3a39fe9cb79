"""What the levels say, row by row, and the Grants composed of it.

A key's row holds only what is its own; what its project and its organisation say stands once, in theirs. So a hundred
thousand keys of one project do not repeat its limits, and all Grants without limits of their own share one tuple.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from encke.core.traits import strictest
from encke.keys.grant import Grant, Level, Limit, Rules

NO_RULES = Rules()


class KeyRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a key says itself. `until` is the end of an earlier secret's time of grace, where the row is for one."""

    public_id: str
    name: str
    created: int
    project: int
    expires: int | None = None
    until: int | None = None
    limits: tuple[Limit, ...] = ()
    rules: Rules = NO_RULES


class LevelRow(msgspec.Struct, frozen=True, array_like=True):
    """What a project says, or an organisation (its own `organisation` is 0)."""

    name: str
    organisation: int = 0
    expires: int | None = None
    limits: tuple[Limit, ...] = ()
    rules: Rules = NO_RULES


class Changes(NamedTuple):
    """What has changed up to `version`; None in place of a row: it is no more. Keys are packed, by digest."""

    version: int
    organisations: Sequence[tuple[int, LevelRow | None]]
    projects: Sequence[tuple[int, LevelRow | None]]
    keys: Sequence[tuple[bytes, bytes | None]]


class Above(NamedTuple):
    """What all keys of a project have in common."""

    expires: int | None
    limits: tuple[Limit, ...]
    rules: tuple[Rules, ...]


pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(KeyRow).decode


class Grants:
    """All keys' Grants by digest. A Grant is composed when it is first asked for, and stays the same object until
    something that it is made of changes."""

    def __init__(self) -> None:
        self._organisations: dict[int, LevelRow] = {}
        self._projects: dict[int, LevelRow] = {}
        self._keys: dict[bytes, bytes] = {}
        self._above: dict[int, Above | None] = {}
        self._made: dict[bytes, Grant] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def apply(self, changes: Changes) -> None:
        """Take in what has changed."""
        levels = [*_apply(self._organisations, changes.organisations), *_apply(self._projects, changes.projects)]
        if levels:
            self._above.clear()
            self._made.clear()
        for digest, packed in changes.keys:
            self._made.pop(digest, None)
            if packed is None:
                self._keys.pop(digest, None)
            else:
                self._keys[digest] = packed

    def find(self, digest: bytes) -> Grant | None:
        """The Grant of the key with this digest. None if there is none, or if its project is archived."""
        made = self._made.get(digest)
        if made is None and (packed := self._keys.get(digest)) is not None:
            made = self._compose(_unpack(packed))
            if made is not None:
                self._made[digest] = made
        return made

    def names(self, project: int) -> tuple[str, str]:
        """The names of a project and of its organisation."""
        lower = self._projects.get(project)
        upper = self._organisations.get(lower.organisation) if lower is not None else None
        return lower.name if lower is not None else "", upper.name if upper is not None else ""

    def everything(self) -> dict[bytes, Grant]:
        """All of them, composed."""
        return {digest: grant for digest in self._keys if (grant := self.find(digest)) is not None}

    def _compose(self, row: KeyRow) -> Grant | None:
        above = self._above_of(row.project)
        if above is None:
            return None
        own = tuple(named(row.limits, "key", row.name))
        rules = above.rules if row.rules == NO_RULES else (*above.rules, row.rules)
        return Grant(
            row.public_id,
            row.name,
            row.created,
            earliest(row.expires, row.until, above.expires),
            row.project,
            above.limits + own if own else above.limits,
            rules,
            strictest(each.on_unsupported for each in rules),
        )

    def _above_of(self, project: int) -> Above | None:
        if project not in self._above:
            self._above[project] = self._levels_of(project)
        return self._above[project]

    def _levels_of(self, project: int) -> Above | None:
        lower = self._projects.get(project)
        upper = self._organisations.get(lower.organisation) if lower is not None else None
        if lower is None or upper is None:
            return None
        return Above(
            earliest(upper.expires, lower.expires),
            (*named(upper.limits, "organisation", upper.name), *named(lower.limits, "project", lower.name)),
            tuple(rules for rules in (upper.rules, lower.rules) if rules != NO_RULES),
        )


def earliest(*times: int | None) -> int | None:
    """The first of several moments; null is never."""
    return min((time for time in times if time is not None), default=None)


def scope(level: Level, name: str) -> str:
    """Whose a limit is, for messages: `project "web"`."""
    return f'{level} "{name}"'


def named(limits: Iterable[Limit], level: Level, name: str) -> Iterable[Limit]:
    """The limits, with whose they are."""
    text = scope(level, name)
    return (msgspec.structs.replace(limit, scope=text) for limit in limits)


def _apply(rows: dict[int, LevelRow], changed: Sequence[tuple[int, LevelRow | None]]) -> list[int]:
    for id, row in changed:
        if row is None:
            rows.pop(id, None)
        else:
            rows[id] = row
    return [id for id, _ in changed]
