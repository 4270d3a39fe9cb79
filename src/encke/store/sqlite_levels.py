"""Organisations, projects, keys and limits in SQLite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from encke.keys.grant import Level, Limit, Rules
from encke.keys.granting import Changes, Grants
from encke.store import level_changes
from encke.store.level_changes import LIMIT, limit_of
from encke.store.levels import NO_EDIT, LimitEdit, LiveKeys, OldSecret, OwnedLimit, StoredKey, StoredLevel, Upper
from encke.store.opening import reading, writing
from encke.store.port import NameTaken, StoreError
from encke.store.trouble import plainly

_KEY = "SELECT public_id, name, created, expires, revoked, project, rules FROM keys "

_LEVELS: dict[Upper, str] = {
    "organisation": "SELECT id, name, created, archived, expires, rules, 0 FROM organisations ORDER BY id",
    "project": "SELECT id, name, created, archived, expires, rules, organisation FROM projects ORDER BY id",
}
_ADD: dict[Upper, str] = {
    "organisation": "INSERT INTO organisations (name, created, expires, rules, changed) "
    "VALUES (:name, :created, :expires, :rules, :version)",
    "project": "INSERT INTO projects (organisation, name, created, expires, rules, changed) "
    "VALUES (:organisation, :name, :created, :expires, :rules, :version)",
}
_PUT: dict[Upper, str] = {
    "organisation": "UPDATE organisations SET name = :name, expires = :expires, rules = :rules, changed = :version "
    "WHERE id = :id AND archived IS NULL",
    "project": "UPDATE projects SET name = :name, expires = :expires, rules = :rules, changed = :version "
    "WHERE id = :id AND archived IS NULL",
}
_ARCHIVE: dict[Upper, tuple[str, ...]] = {
    "organisation": (
        "UPDATE organisations SET archived = :at, changed = :version WHERE id = :id AND archived IS NULL",
        "UPDATE projects SET archived = :at, changed = :version WHERE organisation = :id AND archived IS NULL",
        "UPDATE keys SET revoked = :at, changed = :version WHERE revoked IS NULL "
        "AND project IN (SELECT id FROM projects WHERE organisation = :id)",
    ),
    "project": (
        "UPDATE projects SET archived = :at, changed = :version WHERE id = :id AND archived IS NULL",
        "UPDATE keys SET revoked = :at, changed = :version WHERE revoked IS NULL AND project = :id",
    ),
}
_json = msgspec.json.Encoder().encode
_rules = msgspec.json.Decoder(Rules).decode


class SqliteLevels:
    """See `encke.store.levels.Levels`. A part of SqliteStore."""

    _db: apsw.Connection
    path: Path

    @contextlib.contextmanager
    def _write(self) -> Iterator[apsw.Connection]:
        with plainly(self.path), writing(self._db):
            yield self._db

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[apsw.Connection]:
        """A transaction that fails with NameTaken where something stands there already."""
        try:
            with self._write() as db:
                yield db
        except StoreError as error:
            if isinstance(error.__cause__, apsw.ConstraintError):
                raise NameTaken(name) from None
            raise

    # Keys

    def add_key(self, key: StoredKey, digest: bytes, limits: Sequence[Limit] = ()) -> None:
        """See `Levels`."""
        with self._naming(key.name) as db:
            if _known(db, digest):
                raise NameTaken(key.name)
            version = _changed(db)
            db.execute(
                "INSERT INTO keys (public_id, name, digest, created, expires, revoked, project, rules, changed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (key.public_id, key.name, digest, *_when(key), key.project, _text(key.rules), version),
            )
            _edit(db, "key", key.public_id, LimitEdit(add=limits), key.created, version)

    def put_key(self, key: StoredKey, edit: LimitEdit = NO_EDIT) -> bool:
        """See `Levels`."""
        with self._naming(key.name) as db:
            db.execute(
                "UPDATE keys SET name = ?, expires = ?, rules = ?, changed = ? WHERE public_id = ? AND revoked IS NULL",
                (key.name, key.expires, _text(key.rules), _next(db), key.public_id),
            )
            if done := db.changes() == 1:
                _edit(db, "key", key.public_id, edit, key.created, _changed(db))
        return done

    def rotate_key(self, public_id: str, digest: bytes, until: int) -> bool:
        """See `Levels`."""
        with self._naming(public_id) as db:
            if _known(db, digest):
                raise NameTaken(public_id)
            now = db.execute("SELECT digest FROM keys WHERE public_id = ? AND revoked IS NULL", (public_id,)).fetchone()
            if now is None:
                return False
            # Kept for good, so that it is known that they were this key's.
            db.execute("UPDATE old_secrets SET until = 0 WHERE public_id = ?", (public_id,))
            db.execute("INSERT INTO old_secrets (digest, public_id, until) VALUES (?, ?, ?)", (*now, public_id, until))
            put = "UPDATE keys SET digest = ?, changed = ? WHERE public_id = ?"
            db.execute(put, (digest, _changed(db), public_id))
        return True

    def revoke_key(self, public_id: str, at: int) -> bool:
        """See `Levels`."""
        with self._write() as db:
            revoke = "UPDATE keys SET revoked = ?, changed = ? WHERE public_id = ? AND revoked IS NULL"
            db.execute(revoke, (at, _next(db), public_id))
            if done := db.changes() == 1:
                _changed(db)
        return done

    def list_keys(self) -> list[StoredKey]:
        """See `Levels`."""
        with plainly(self.path):
            return [_key(row) for row in self._db.execute(_KEY + "ORDER BY created, public_id")]

    def key_by_digest(self, digest: bytes) -> StoredKey | None:
        """See `Levels`."""
        return self._one_key(_KEY + "WHERE digest = ?", digest)

    def key(self, ref: str) -> StoredKey | None:
        """See `Levels`."""
        order = "ORDER BY public_id = ?1 DESC, revoked IS NULL DESC, revoked DESC LIMIT 1"
        return self._one_key(_KEY + "WHERE public_id = ?1 OR name = ?1 " + order, ref)

    def _one_key(self, query: str, value: str | bytes) -> StoredKey | None:
        with plainly(self.path):
            row = self._db.execute(query, (value,)).fetchone()
        return _key(row) if row else None

    def old_secrets(self) -> list[OldSecret]:
        """See `Levels`."""
        live = (
            "SELECT o.public_id, o.until FROM old_secrets o JOIN keys k USING (public_id) "
            "WHERE o.until > 0 AND k.revoked IS NULL"
        )
        with plainly(self.path):
            return [OldSecret(*row) for row in self._db.execute(live)]

    # Projects and organisations

    def add_level(self, level: Upper, row: StoredLevel, limits: Sequence[Limit] = ()) -> int:
        """See `Levels`."""
        with self._naming(row.name) as db:
            version = _changed(db)
            db.execute(_ADD[level], _level_values(row, version))
            id = db.last_insert_rowid()
            _edit(db, level, str(id), LimitEdit(add=limits), row.created, version)
        return id

    def put_level(self, level: Upper, row: StoredLevel, edit: LimitEdit = NO_EDIT) -> bool:
        """See `Levels`."""
        with self._naming(row.name) as db:
            db.execute(_PUT[level], _level_values(row, _next(db)))
            if done := db.changes() == 1:
                _edit(db, level, str(row.id), edit, row.created, _changed(db))
        return done

    def archive_level(self, level: Upper, id: int, at: int) -> bool:
        """See `Levels`."""
        with self._write() as db:
            first, *others = _ARCHIVE[level]
            values = {"id": id, "at": at, "version": _next(db)}
            db.execute(first, values)
            if done := db.changes() == 1:
                for statement in others:
                    db.execute(statement, values)
                _changed(db)
        return done

    def levels(self, level: Upper) -> list[StoredLevel]:
        """See `Levels`."""
        with plainly(self.path):
            return [_level(row) for row in self._db.execute(_LEVELS[level])]

    # Limits, and what has changed

    def key_counts(self) -> dict[int, int]:
        """See `Levels`."""
        with plainly(self.path):
            return dict(self._db.execute("SELECT project, count(*) FROM keys WHERE revoked IS NULL GROUP BY project"))

    def owned_limits(self, of: tuple[Level, str] | None = None) -> list[OwnedLimit]:
        """See `Levels`."""
        with plainly(self.path):
            if of is None:
                found = self._db.execute(LIMIT + "WHERE removed IS NULL ORDER BY id")
            else:
                found = self._db.execute(LIMIT + "WHERE removed IS NULL AND level = ? AND owner = ? ORDER BY id", of)
            return [OwnedLimit(row[0], row[1], limit_of(row)) for row in found]

    def changed_limits(self, since: int) -> list[tuple[int, Limit | None]]:
        """See `Levels`."""
        with plainly(self.path):
            found = self._db.execute(LIMIT + "WHERE changed > ? ORDER BY id", (since,))
            return [(row[2], limit_of(row) if row[9] is None else None) for row in found]

    def changes(self, since: int | None = None) -> Changes:
        """See `Levels`."""
        with plainly(self.path), reading(self._db):
            return level_changes.read(self._db, self._version(), since)

    def live_keys(self) -> LiveKeys:
        """See `Levels`."""
        changes = self.changes()
        grants = Grants()
        grants.apply(changes)
        return LiveKeys(changes.version, grants.everything())

    def version(self) -> int:
        """See `Levels`."""
        with plainly(self.path):
            return self._version()

    def _version(self) -> int:
        return _next(self._db) - 1


def _key(row: tuple[Any, ...]) -> StoredKey:
    public_id, name, created, expires, revoked, project, rules = row
    return StoredKey(public_id, name, created, expires, revoked, project, _rules(rules))


def _level(row: tuple[Any, ...]) -> StoredLevel:
    id, name, created, archived, expires, rules, organisation = row
    return StoredLevel(id, name, created, archived, expires, _rules(rules), organisation)


def _when(key: StoredKey) -> tuple[int | None, ...]:
    return key.created, key.expires, key.revoked


def _text(rules: Rules) -> str:
    return _json(rules).decode()


def _level_values(row: StoredLevel, version: int) -> dict[str, Any]:
    values = msgspec.structs.asdict(row)
    return {**values, "rules": _text(row.rules), "version": version}


def _known(db: apsw.Connection, digest: bytes) -> bool:
    """Whether it is, or was, any key's."""
    found = "SELECT 1 FROM keys WHERE digest = ?1 UNION ALL SELECT 1 FROM old_secrets WHERE digest = ?1"
    return db.execute(found, (digest,)).fetchone() is not None


def _next(db: apsw.Connection) -> int:
    """The version that a change made now will have."""
    return int(db.execute("SELECT value + 1 FROM counters WHERE name = 'keys'").get)


def _changed(db: apsw.Connection) -> int:
    return int(db.execute("UPDATE counters SET value = value + 1 WHERE name = 'keys' RETURNING value").get)


def _edit(db: apsw.Connection, level: Level, owner: str, edit: LimitEdit, at: int, version: int) -> None:
    """An owner's limits; only its own can be changed or removed."""
    for limit in edit.add:
        values = msgspec.structs.asdict(limit) | {"level": level, "owner": owner, "at": at, "version": version}
        db.execute(
            "INSERT INTO limits (level, owner, kind, amount, period, zone, anchor, strict, created, changed) "
            "VALUES (:level, :owner, :kind, :amount, :period, :zone, :anchor, :strict, :at, :version)",
            values,
        )
    for limit in edit.put:
        db.execute(
            "UPDATE limits SET amount = ?, zone = ?, anchor = ?, strict = ?, changed = ? "
            "WHERE id = ? AND level = ? AND owner = ? AND removed IS NULL",
            (limit.amount, limit.zone, limit.anchor, limit.strict, version, limit.id, level, owner),
        )
    for id in edit.remove:
        db.execute(
            "UPDATE limits SET removed = ?, changed = ? WHERE id = ? AND level = ? AND owner = ? AND removed IS NULL",
            (at, version, id, level, owner),
        )
