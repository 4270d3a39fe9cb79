"""Making, finding, changing, rotating and revoking keys."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import count
from typing import Literal

import msgspec

from encke.admin import names, terms
from encke.admin.context import AdminError, Context
from encke.admin.narrowing import notes
from encke.admin.terms import NO_TERMS, Terms
from encke.admin.view import LimitsInfo, Said, View
from encke.config.problems import quote
from encke.core.clock import iso
from encke.core.redact import without_keys
from encke.keys import secret
from encke.keys.granting import scope
from encke.store.levels import DEFAULT
from encke.store.port import NameTaken, StoredKey

BOOTSTRAP_NAME = "bootstrap"
FIRST_NAME = "first"

State = Literal["live", "expired", "revoked"]


class KeyInfo(msgspec.Struct, frozen=True):
    """A key as it may be shown at any time. Times are UTC milliseconds.

    `ends` is when it ends by all its levels, `limits` what it says itself, `notes` what of that its project and its
    organisation do not allow. `old_secret` is the end of an earlier secret's time of grace, null when none is good.
    """

    id: str
    name: str
    state: State
    created: int
    limits: LimitsInfo
    project: str
    organisation: str
    expires: int | None = None
    ends: int | None = None
    revoked: int | None = None
    old_secret: int | None = None
    notes: list[str] = []


class CreatedKey(msgspec.Struct, frozen=True):
    """A key just made. `key` is the secret: shown now and never again. `ends` and `notes` as in KeyInfo."""

    id: str
    name: str
    key: str
    created: int
    expires: int | None = None
    ends: int | None = None
    project: str = ""
    notes: list[str] = []

    def __repr__(self) -> str:
        return f"CreatedKey(id={self.id!r}, name={self.name!r})"


class RotatedKey(msgspec.Struct, frozen=True):
    """`key` is the new secret: shown now and never again. The one before it stays good until `until`, UTC ms; `ended`
    tells that a still earlier one was in its time of grace, and ended at once."""

    id: str
    name: str
    key: str
    until: int
    ended: bool = False

    def __repr__(self) -> str:
        return f"RotatedKey(id={self.id!r}, name={self.name!r})"


def create(ctx: Context, name: str | None = None, given: Terms = NO_TERMS, project: str | None = None) -> CreatedKey:
    """Make a key, in the project `default` unless told otherwise. Without a name it gets `key-<number>`. Raises
    AdminError."""
    view = View(ctx)
    name = _free_name(ctx, "key-") if name is None else _checked_name(ctx, name)
    where = view.projects[DEFAULT] if project is None else view.live("project", project)
    made = secret.mint()
    limits, rules = terms.new_limits(given), terms.rules(given)
    stored = StoredKey(made.public_id, name, view.now, terms.expires(given, view.now), project=where.id, rules=rules)
    try:
        ctx.store.add_key(stored, secret.digest(ctx.pepper, made.secret), limits)
    except NameTaken:
        raise _taken(name) from None
    told = notes(Said(scope("key", name), tuple(limits), rules, stored.expires), view.above(where))
    ends = view.ends(stored)
    return CreatedKey(stored.public_id, name, made.secret, stored.created, stored.expires, ends, where.name, told)


def update(ctx: Context, ref: str, given: Terms, name: str | None = None) -> KeyInfo:
    """Change what a live key may do; what is not given stays. Raises AdminError."""
    key = find(ctx, ref)
    view = View(ctx)
    if name is not None and name != key.name:
        _checked_name(ctx, name)
    changed = msgspec.structs.replace(
        key,
        name=key.name if name is None else name,
        expires=terms.expires(given, view.now, key.expires),
        rules=terms.rules(given, key.rules),
    )
    edit = terms.edit(given, view.limits("key", key.public_id))
    try:
        done = ctx.store.put_key(changed, edit)
    except NameTaken:
        raise _taken(changed.name) from None
    if not done:
        raise _revoked(key)
    return show(ctx, key.public_id)


def rotate(ctx: Context, ref: str, grace: int) -> RotatedKey:
    """Give a live key another secret; the present one stays good for `grace` milliseconds. At most two are good at any
    time: one that is in its time of grace already ends at once. Raises AdminError."""
    key = find(ctx, ref)
    until = ctx.now() + grace
    ended = key.public_id in View(ctx).old
    made = secret.mint(key.public_id)
    try:
        done = ctx.store.rotate_key(key.public_id, secret.digest(ctx.pepper, made.secret), until)
    except NameTaken:
        raise AdminError("the new secret is taken, which does not happen twice; try again") from None
    if not done:
        raise _revoked(key)
    return RotatedKey(key.public_id, key.name, made.secret, until, ended)


def list_keys(ctx: Context) -> list[KeyInfo]:
    """All keys, oldest first."""
    view = View(ctx, every=True)
    return [_info(view, key) for key in ctx.store.list_keys()]


def show(ctx: Context, ref: str) -> KeyInfo:
    """The key with this id or name. Raises AdminError."""
    return _info(View(ctx), find(ctx, ref))


def revoke(ctx: Context, ref: str) -> KeyInfo:
    """Revoke the key with this id or name, for good. Raises AdminError, also if it is revoked already."""
    key = find(ctx, ref)
    if not ctx.store.revoke_key(key.public_id, ctx.now()):
        raise _revoked(key)
    return show(ctx, key.public_id)


def first(ctx: Context) -> CreatedKey | None:
    """A key for a store that has never held one; null if it has."""
    return None if ctx.store.list_keys() else create(ctx, FIRST_NAME)


def bootstrap(ctx: Context, key: str) -> Literal["created", "present", "revoked", "rotated"]:
    """See to it that an operator's own key is there. One that was revoked stays revoked, one that has been given
    another secret keeps that. Raises AdminError if the key has not the shape.

    An earlier bootstrap key stays valid: whether it should go is for the operator to say, with `encke keys revoke`.
    """
    if not secret.acceptable(key):
        raise AdminError(
            f"the bootstrap key cannot be used: it must begin with {secret.FOREIGN_PREFIX} and have "
            f"{secret.FOREIGN_MIN} or more printable ASCII characters without spaces"
        )
    digest, id = secret.digest(ctx.pepper, key), secret.public_id(ctx.pepper, key)
    found = ctx.store.key_by_digest(digest)
    if found is not None:
        return "present" if found.revoked is None else "revoked"
    known = ctx.store.key(id)
    if known is not None and known.public_id == id:
        return "rotated" if known.revoked is None else "revoked"
    taken = {other.name for other in ctx.store.list_keys()}
    name = _free_name(ctx, f"{BOOTSTRAP_NAME}-", 2) if BOOTSTRAP_NAME in taken else BOOTSTRAP_NAME
    try:
        ctx.store.add_key(StoredKey(id, name, ctx.now()), digest)
    except NameTaken:
        raise _taken(name) from None
    return "created"


def _taken(name: str) -> AdminError:
    return AdminError(f"the name {quote(name)} is taken; choose another, or revoke that key first")


def _revoked(key: StoredKey) -> AdminError:
    when = "" if key.revoked is None else f" since {iso(key.revoked)}"
    return AdminError(f"the key {quote(key.name)} ({key.public_id}) is revoked already{when}")


def _info(view: View, key: StoredKey) -> KeyInfo:
    project = view.projects[key.project]
    said, ends = view.said("key", key), view.ends(key)
    state: State = "live"
    if key.revoked is not None:
        state = "revoked"
    elif ends is not None and ends <= view.now:
        state = "expired"
    told = notes(said, view.above(project)) if state == "live" else []
    old = view.old.get(key.public_id) if state == "live" else None
    organisation = view.organisations[project.organisation].name
    times = key.expires, ends, key.revoked, old
    return KeyInfo(
        key.public_id, key.name, state, key.created, view.info(said), project.name, organisation, *times, told
    )


def find(ctx: Context, ref: str) -> StoredKey:
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
    names.checked(name)
    found = ctx.store.key(name)
    if found is not None and found.public_id == name:
        raise AdminError(f"the name {quote(name)} is the id of another key; choose another")
    return name


def _free_name(ctx: Context, stem: str, start: int = 1) -> str:
    """`key-1`, `key-2` …: the first that no key has ever had."""
    taken = {key.name for key in ctx.store.list_keys()}
    return next(name for number in count(start) if (name := f"{stem}{number}") not in taken)
