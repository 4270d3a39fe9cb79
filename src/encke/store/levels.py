"""Organisations, projects and keys, their limits and rules: what a store must do for them. Times are UTC ms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from encke.keys.grant import Grant, Level, Limit, Rules
from encke.keys.granting import Changes

Upper = Literal["organisation", "project"]

# The organisation and the project that are always there.
DEFAULT = 1


class StoredKey(msgspec.Struct, frozen=True):
    """A key as the store holds it: never the secret. `revoked` null: live."""

    public_id: str
    name: str
    created: int
    expires: int | None = None
    revoked: int | None = None
    project: int = DEFAULT
    rules: Rules = Rules()


class StoredLevel(msgspec.Struct, frozen=True):
    """A project, or an organisation (whose own `organisation` is 0). `archived` null: live."""

    id: int
    name: str
    created: int
    archived: int | None = None
    expires: int | None = None
    rules: Rules = Rules()
    organisation: int = 0


class OwnedLimit(NamedTuple):
    """A limit and whose it is: a key's public id, or the id of a project or an organisation as text. `limit.scope` is
    empty."""

    level: Level
    owner: str
    limit: Limit


class OldSecret(NamedTuple):
    """A rotated key's last secret: good until then."""

    public_id: str
    until: int


class LimitEdit(NamedTuple):
    """What becomes of an owner's limits. `add`: new ones, their ids are of no account; `put`: known ones, of which
    amount, zone, anchor and strictness are taken; `remove`: ids."""

    add: Sequence[Limit] = ()
    put: Sequence[Limit] = ()
    remove: Sequence[int] = ()


NO_EDIT = LimitEdit()


class LiveKeys(NamedTuple):
    """All keys that are not revoked (expired ones too: the answer to them differs), by digest, and the version."""

    version: int
    grants: dict[bytes, Grant]


class Levels(Protocol):
    """The part of the port that is about them. Every method may raise StoreError; each is one transaction."""

    def add_key(self, key: StoredKey, digest: bytes, limits: Sequence[Limit] = ()) -> None:
        """Add a key. Raises NameTaken."""

    def put_key(self, key: StoredKey, edit: LimitEdit = NO_EDIT) -> bool:
        """Give a live key another name, expiry and rules, and change its limits; false if it is not there or not live.
        Raises NameTaken."""

    def rotate_key(self, public_id: str, digest: bytes, until: int) -> bool:
        """Give a live key another secret; the one it has stays good until then, an earlier one ends at once. False if
        it is not there or not live. Raises NameTaken if the digest is known."""

    def revoke_key(self, public_id: str, at: int) -> bool:
        """Revoke a live key for good; false if it is not there or not live."""

    def list_keys(self) -> list[StoredKey]:
        """All keys, revoked ones too, oldest first."""

    def key_by_digest(self, digest: bytes) -> StoredKey | None:
        """The key with this digest, revoked or not; not an earlier secret of it."""

    def key(self, ref: str) -> StoredKey | None:
        """The key with this public id or name. Of several of one name: the live one, else the one revoked last."""

    def old_secrets(self) -> list[OldSecret]:
        """The earlier secrets of live keys, whether or not their time is over; one for each key at most."""

    def add_level(self, level: Upper, row: StoredLevel, limits: Sequence[Limit] = ()) -> int:
        """Add a project or an organisation (its `id` is of no account); its id. Raises NameTaken."""

    def put_level(self, level: Upper, row: StoredLevel, edit: LimitEdit = NO_EDIT) -> bool:
        """As `put_key`. Raises NameTaken."""

    def archive_level(self, level: Upper, id: int, at: int) -> bool:
        """Archive it for good: its projects with it, and all its keys are revoked. False if it is not there or not
        live."""

    def levels(self, level: Upper) -> list[StoredLevel]:
        """All of them, archived ones too, oldest first."""

    def key_counts(self) -> dict[int, int]:
        """How many live keys each project has, by its id; projects without any are left out."""

    def owned_limits(self, of: tuple[Level, str] | None = None) -> list[OwnedLimit]:
        """All limits that have not been removed, or those of one owner, in order of their ids; also those of owners
        that are gone."""

    def changed_limits(self, since: int) -> list[tuple[int, Limit | None]]:
        """Limits that have changed after this version; None: removed. Scopes are empty."""

    def changes(self, since: int | None = None) -> Changes:
        """What has changed after this version; without one, all that is live. What the workers' snapshots are made
        of."""

    def live_keys(self) -> LiveKeys:
        """Every live key's Grant."""

    def version(self) -> int:
        """A counter that rises with every change to keys, levels and limits."""
