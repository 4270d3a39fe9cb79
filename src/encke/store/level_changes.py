"""What has changed since a version, as rows that Grants are composed of."""

from __future__ import annotations

from typing import Any, TypeVar

import apsw
import msgspec

from encke.keys.grant import Limit, Rules
from encke.keys.granting import Changes, KeyRow, LevelRow, pack

LIMIT = "SELECT level, owner, id, kind, amount, period, zone, anchor, strict, removed FROM limits "

_OF_LEVELS = LIMIT + "WHERE removed IS NULL AND level IN ('organisation', 'project') ORDER BY id"
_OF_KEYS = LIMIT + "WHERE removed IS NULL AND level = 'key' ORDER BY id"
_CHANGED = "AND owner IN (SELECT public_id FROM keys WHERE changed > ?) "
_OF_CHANGED_KEYS = LIMIT + "WHERE removed IS NULL AND level = 'key' " + _CHANGED + "ORDER BY id"
_ORGANISATIONS = "SELECT id, archived, name, 0, expires, rules FROM organisations WHERE changed > ? ORDER BY id"
_PROJECTS = "SELECT id, archived, name, organisation, expires, rules FROM projects WHERE changed > ? ORDER BY id"
_KEYS = """
SELECT digest, revoked IS NOT NULL, public_id, name, created, project, expires, NULL, rules
FROM keys WHERE changed > ?1
UNION ALL
SELECT o.digest, k.revoked IS NOT NULL OR o.until = 0, k.public_id, k.name, k.created, k.project, k.expires, o.until,
    k.rules
FROM keys k JOIN old_secrets o USING (public_id) WHERE k.changed > ?1
"""
Id = TypeVar("Id")
Row = TypeVar("Row")

_rules = msgspec.json.Decoder(Rules).decode


def limit_of(row: tuple[Any, ...]) -> Limit:
    """The limit in a row of LIMIT; whose it is stands beside it."""
    return Limit(row[2], row[3], row[4], "", row[5], row[6], row[7], bool(row[8]))


def read(db: apsw.Connection, version: int, since: int | None) -> Changes:
    """See `Levels.changes`; within a transaction of the caller's."""
    after = -1 if since is None else since
    limits = _owned(db.execute(_OF_LEVELS))
    organisations = _levels(db.execute(_ORGANISATIONS, (after,)), "organisation", limits)
    projects = _levels(db.execute(_PROJECTS, (after,)), "project", limits)
    of_keys = _owned(db.execute(_OF_KEYS) if since is None else db.execute(_OF_CHANGED_KEYS, (since,)))
    keys = _keys(db.execute(_KEYS, (after,)), of_keys)
    if since is not None:
        return Changes(version, organisations, projects, keys)
    return Changes(version, _live(organisations), _live(projects), _live(keys))


def _live(rows: list[tuple[Id, Row | None]]) -> list[tuple[Id, Row | None]]:
    return [each for each in rows if each[1] is not None]


def _owned(rows: apsw.Cursor) -> dict[tuple[str, str], list[Limit]]:
    found: dict[tuple[str, str], list[Limit]] = {}
    for row in rows:
        found.setdefault((row[0], row[1]), []).append(limit_of(row))
    return found


def _levels(
    rows: apsw.Cursor, level: str, limits: dict[tuple[str, str], list[Limit]]
) -> list[tuple[int, LevelRow | None]]:
    found: list[tuple[int, LevelRow | None]] = []
    for id, archived, name, organisation, expires, rules in rows:
        owned = tuple(limits.get((level, str(id)), ()))
        row = LevelRow(name, organisation, expires, owned, _rules(rules))
        found.append((id, row if archived is None else None))
    return found


def _keys(rows: apsw.Cursor, limits: dict[tuple[str, str], list[Limit]]) -> list[tuple[bytes, bytes | None]]:
    found: list[tuple[bytes, bytes | None]] = []
    for digest, gone, id, name, created, project, expires, until, rules in rows:
        if gone:
            found.append((digest, None))
            continue
        owned = tuple(limits.get(("key", id), ()))
        found.append((digest, pack(KeyRow(id, name, created, project, expires, until, owned, _rules(rules)))))
    return found
