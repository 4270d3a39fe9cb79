"""Organisations and projects: making, changing, archiving."""

from __future__ import annotations

from typing import Literal

import msgspec

from encke.admin import names, terms
from encke.admin.context import AdminError, Context
from encke.admin.narrowing import notes
from encke.admin.terms import Terms
from encke.admin.view import LimitsInfo, View
from encke.config.problems import quote
from encke.core.clock import iso
from encke.keys.granting import earliest
from encke.store.levels import DEFAULT, StoredLevel, Upper
from encke.store.port import NameTaken

State = Literal["live", "expired", "archived"]


class LevelInfo(msgspec.Struct, frozen=True):
    """An organisation (whose `organisation` is empty), or a project. Times in UTC ms; `ends`, `limits` and `notes` as
    in KeyInfo. `keys` are its live ones."""

    id: int
    name: str
    state: State
    created: int
    limits: LimitsInfo
    keys: int
    organisation: str = ""
    expires: int | None = None
    ends: int | None = None
    archived: int | None = None
    notes: list[str] = []


def create(ctx: Context, level: Upper, name: str, given: Terms, organisation: str | None = None) -> LevelInfo:
    """Make one; a project belongs to the organisation `default` unless told otherwise. Raises AdminError."""
    view = View(ctx)
    names.checked(name)
    upper = 0
    if level == "project":
        upper = DEFAULT if organisation is None else view.live("organisation", organisation).id
    row = StoredLevel(0, name, view.now, None, terms.expires(given, view.now), terms.rules(given), upper)
    try:
        id = ctx.store.add_level(level, row, terms.new_limits(given))
    except NameTaken:
        raise _taken(level, name) from None
    return _one(ctx, level, id)


def update(ctx: Context, level: Upper, ref: str, given: Terms, name: str | None = None) -> LevelInfo:
    """Change what it may do; what is not given stays. Raises AdminError."""
    view = View(ctx)
    row = view.live(level, ref)
    changed = msgspec.structs.replace(
        row,
        name=row.name if name is None else names.checked(name),
        expires=terms.expires(given, view.now, row.expires),
        rules=terms.rules(given, row.rules),
    )
    try:
        ctx.store.put_level(level, changed, terms.edit(given, view.limits(level, str(row.id))))
    except NameTaken:
        raise _taken(level, changed.name) from None
    return _one(ctx, level, row.id)


def archive(ctx: Context, level: Upper, ref: str) -> LevelInfo:
    """Archive it for good, with its projects; their keys end at once. Raises AdminError, also if it is archived
    already."""
    row = View(ctx).find(level, ref)
    if row.id == DEFAULT:
        raise AdminError(
            f"the {level} {quote(row.name)} is the one that keys without another belong to; it cannot be archived"
        )
    if not ctx.store.archive_level(level, row.id, ctx.now()):
        when = "" if row.archived is None else f" since {iso(row.archived)}"
        raise AdminError(f"the {level} {quote(row.name)} is archived already{when}")
    return _one(ctx, level, row.id)


def list_levels(ctx: Context, level: Upper) -> list[LevelInfo]:
    """All of them, oldest first."""
    view, keys = View(ctx, every=True), ctx.store.key_counts()
    return [_info(view, keys, level, row) for row in view.rows(level).values()]


def show(ctx: Context, level: Upper, ref: str) -> LevelInfo:
    """The one with this name. Raises AdminError."""
    view = View(ctx)
    return _info(view, ctx.store.key_counts(), level, view.find(level, ref))


def _one(ctx: Context, level: Upper, id: int) -> LevelInfo:
    view = View(ctx)
    return _info(view, ctx.store.key_counts(), level, view.rows(level)[id])


def _taken(level: Upper, name: str) -> AdminError:
    return AdminError(f"the name {quote(name)} is taken by another {level}; choose another")


def _info(view: View, keys: dict[int, int], level: Upper, row: StoredLevel) -> LevelInfo:
    said = view.said(level, row)
    if level == "project":
        upper = view.organisations[row.organisation]
        above, name, count = [view.said("organisation", upper)], upper.name, keys.get(row.id, 0)
    else:
        of = [project.id for project in view.projects.values() if project.organisation == row.id]
        above, name, count = [], "", sum(keys.get(id, 0) for id in of)
    ends = earliest(row.expires, *(each.expires for each in above))
    state: State = "live"
    if row.archived is not None:
        state = "archived"
    elif ends is not None and ends <= view.now:
        state = "expired"
    told = notes(said, above) if state == "live" else []
    times = row.expires, ends, row.archived
    return LevelInfo(row.id, row.name, state, row.created, view.info(said), count, name, *times, told)
