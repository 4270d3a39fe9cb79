"""Making, finding and revoking keys."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import count
from typing import Literal

import msgspec

from encke.admin.context import AdminError, Context
from encke.admin.times import iso
from encke.config.problems import quote
from encke.core.redact import without_keys
from encke.keys import secret
from encke.store.port import NameTaken, StoredKey

LONGEST_NAME = 64
BOOTSTRAP_NAME = "bootstrap"
FIRST_NAME = "first"

State = Literal["live", "expired", "revoked"]


class KeyInfo(msgspec.Struct, frozen=True):
    """A key as it may be shown at any time. Times are UTC milliseconds."""

    id: str
    name: str
    state: State
    created: int
    expires: int | None = None
    revoked: int | None = None


class CreatedKey(msgspec.Struct, frozen=True):
    """A key just made. `key` is the secret: shown now and never again."""

    id: str
    name: str
    key: str
    created: int
    expires: int | None = None

    def __repr__(self) -> str:
        return f"CreatedKey(id={self.id!r}, name={self.name!r})"


def create(ctx: Context, name: str | None = None, expires: int | None = None) -> CreatedKey:
    """Make a key. Without a name it gets `key-<number>`. Raises AdminError."""
    name = _free_name(ctx, "key-") if name is None else _checked_name(ctx, name)
    made = secret.mint()
    stored = StoredKey(made.public_id, name, ctx.now(), expires)
    _add(ctx, stored, made.secret)
    return CreatedKey(stored.public_id, name, made.secret, stored.created, expires)


def list_keys(ctx: Context) -> list[KeyInfo]:
    """All keys, oldest first."""
    now = ctx.now()
    return [_info(key, now) for key in ctx.store.list_keys()]


def show(ctx: Context, ref: str) -> KeyInfo:
    """The key with this id or name. Raises AdminError."""
    return _info(_find(ctx, ref), ctx.now())


def revoke(ctx: Context, ref: str) -> KeyInfo:
    """Revoke the key with this id or name, for good. Raises AdminError, also if it is revoked already."""
    key = _find(ctx, ref)
    now = ctx.now()
    if not ctx.store.revoke_key(key.public_id, now):
        when = "" if key.revoked is None else f" since {iso(key.revoked)}"
        raise AdminError(f"the key {quote(key.name)} ({key.public_id}) is revoked already{when}")
    return _info(msgspec.structs.replace(key, revoked=now), now)


def first(ctx: Context) -> CreatedKey | None:
    """A key for a store that has never held one; null if it has."""
    return None if ctx.store.list_keys() else create(ctx, FIRST_NAME)


def bootstrap(ctx: Context, key: str) -> Literal["created", "present", "revoked"]:
    """See to it that an operator's own key is there. One that was revoked stays revoked. Raises AdminError if the key
    has not the shape.

    An earlier bootstrap key stays valid: whether it should go is for the operator to say, with `encke keys revoke`.
    """
    if not secret.acceptable(key):
        raise AdminError(
            f"the bootstrap key cannot be used: it must begin with {secret.FOREIGN_PREFIX} and have "
            f"{secret.FOREIGN_MIN} or more printable ASCII characters without spaces"
        )
    found = ctx.store.key_by_digest(secret.digest(ctx.pepper, key))
    if found is not None:
        return "present" if found.revoked is None else "revoked"
    taken = {other.name for other in ctx.store.list_keys()}
    name = _free_name(ctx, f"{BOOTSTRAP_NAME}-", 2) if BOOTSTRAP_NAME in taken else BOOTSTRAP_NAME
    _add(ctx, StoredKey(secret.public_id(ctx.pepper, key), name, ctx.now()), key)
    return "created"


def _add(ctx: Context, stored: StoredKey, key: str) -> None:
    try:
        ctx.store.add_key(stored, secret.digest(ctx.pepper, key))
    except NameTaken:
        raise AdminError(f"the name {quote(stored.name)} is taken; choose another, or revoke that key first") from None


def _info(key: StoredKey, now: int) -> KeyInfo:
    state: State = "live"
    if key.revoked is not None:
        state = "revoked"
    elif key.expires is not None and key.expires <= now:
        state = "expired"
    return KeyInfo(key.public_id, key.name, state, key.created, key.expires, key.revoked)


def _find(ctx: Context, ref: str) -> StoredKey:
    """By id or name; by a whole key too: that is what one has in hand when it has leaked. Never quotes a key."""
    by_key = ref.startswith(secret.FOREIGN_PREFIX)
    if by_key and not secret.minted(ref):
        raise AdminError("that is a key, and not one that Encke made whole; give its id or name (see: encke keys list)")
    wanted = secret.public_id(b"", ref) if by_key else ref
    found = ctx.store.key(wanted)
    if found is None:
        raise AdminError(f"no key has the id or name {quote(without_keys(wanted))}{_nearest(ctx, wanted)}")
    return found


def _nearest(ctx: Context, wanted: str) -> str:
    keys = ctx.store.list_keys()
    if not keys:
        return "; there are no keys yet (encke keys create makes one)"
    known = dict.fromkeys([*(key.name for key in keys), *(key.public_id for key in keys)])
    near = get_close_matches(wanted[:200], known, n=3, cutoff=0.6)
    return f"; nearest: {', '.join(map(quote, near))}" if near else "; encke keys list shows them all"


def _checked_name(ctx: Context, name: str) -> str:
    if problem := _name_problem(name):
        raise AdminError(f"the name {quote(name)} {problem}")
    if any(key.public_id == name for key in ctx.store.list_keys()):
        raise AdminError(f"the name {quote(name)} is the id of another key; choose another")
    return name


def _name_problem(name: str) -> str | None:
    if not name.strip():
        return "is empty; give it a word or two"
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} characters"
    if name != name.strip() or not name.isprintable():
        return "begins or ends with a space, or has a control character in it"
    if name.startswith((secret.FOREIGN_PREFIX, "-")):
        return f"begins with {secret.FOREIGN_PREFIX} as keys do, or with a dash as options do; choose another"
    return None


def _free_name(ctx: Context, stem: str, start: int = 1) -> str:
    """`key-1`, `key-2` …: the first that no key has ever had."""
    taken = {key.name for key in ctx.store.list_keys()}
    return next(name for number in count(start) if (name := f"{stem}{number}") not in taken)
