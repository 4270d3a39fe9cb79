"""What there is, read once for one command: who belongs to whom, what limits they have, and how those stand."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from encke.admin.context import AdminError, Context
from encke.config.problems import nearest, quote
from encke.core.redact import without_keys
from encke.core.traits import Unsupported
from encke.keys.grant import Level, Limit, Period, Rules
from encke.keys.granting import earliest, scope
from encke.limits.windows import window_of
from encke.store.levels import StoredKey, StoredLevel, Upper

BudgetState = Literal["open", "spent"]
SHORT = {"organisation": "org", "project": "project"}


class BudgetInfo(msgspec.Struct, frozen=True):
    """A budget and how it stands. Amounts in nano-dollars, times in UTC ms. `scope` as in `project "web"`.

    `spent` is what its present window has been charged, `reserved` what workers hold of it and have not spent, `left`
    the amount less what was spent (below 0: overspent). `reset` null: never.
    """

    id: int
    scope: str
    period: Period
    amount: int
    spent: int
    reserved: int
    left: int
    state: BudgetState
    strict: bool = False
    zone: str = "UTC"
    anchor: int = 1
    since: int = 0
    reset: int | None = None


class LimitsInfo(msgspec.Struct, frozen=True):
    """What one level says: its budgets and rates, its rules (null: anything goes) and its tags."""

    budgets: list[BudgetInfo]
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    models: list[str] | None = None
    routes: list[str] | None = None
    addresses: list[str] | None = None
    tags: list[str] = []
    on_unsupported: Unsupported | None = None


class Said(NamedTuple):
    """What one level says, as it is stored."""

    scope: str
    limits: tuple[Limit, ...]
    rules: Rules
    expires: int | None


class View:
    """Built anew for each command. `every`: all is going to be looked at, so all is read at once."""

    def __init__(self, ctx: Context, *, every: bool = False) -> None:
        self._store = ctx.store
        self.now = ctx.now()
        self.organisations = {row.id: row for row in ctx.store.levels("organisation")}
        self.projects = {row.id: row for row in ctx.store.levels("project")}
        self._limits: dict[tuple[Level, str], list[Limit]] = {}
        self._every = every
        self._windows: dict[tuple[Period, str, int], tuple[int, int | None]] = {}
        for level, owner, limit in ctx.store.owned_limits() if every else ():
            self._limits.setdefault((level, owner), []).append(limit)

    def _window(self, limit: Limit) -> tuple[int, int | None]:
        """Its present window; most budgets have the same few."""
        kind = limit.period, limit.zone, limit.anchor
        found = self._windows.get(kind)
        if found is None:
            found = self._windows[kind] = window_of(*kind, self.now)
        return found

    @cached_property
    def old(self) -> dict[str, int]:
        """When the earlier secrets end that are good still, by the keys' ids."""
        return {secret.public_id: secret.until for secret in self._store.old_secrets() if secret.until > self.now}

    @cached_property
    def _reserved(self) -> dict[tuple[int, int], int]:
        found: dict[tuple[int, int], int] = {}
        for row in self._store.leases():
            account = row.limit, row.window
            found[account] = found.get(account, 0) + max(row.granted - row.posted, 0)
        return found

    def rows(self, level: Upper) -> dict[int, StoredLevel]:
        """All projects, or all organisations."""
        return self.projects if level == "project" else self.organisations

    def find(self, level: Upper, ref: str) -> StoredLevel:
        """The live one with this name; an archived one if there is no live one. Raises AdminError."""
        named = [row for row in self.rows(level).values() if row.name == ref]
        if named:
            return next((row for row in named if row.archived is None), named[-1])
        known = [row.name for row in self.rows(level).values() if row.archived is None]
        near = nearest(ref, known)
        group = f"encke {SHORT[level]}s"
        hint = f"nearest: {quote(near)}" if near else f"{group} list shows them all, {group} create makes one"
        raise AdminError(f"no {level} has the name {quote(without_keys(ref))}; {hint}")

    def live(self, level: Upper, ref: str) -> StoredLevel:
        """As `find`, and not archived. Raises AdminError."""
        row = self.find(level, ref)
        if row.archived is not None:
            raise AdminError(f"the {level} {quote(row.name)} is archived; make another")
        return row

    def limits(self, level: Level, owner: str) -> list[Limit]:
        """Its own limits."""
        if self._every:
            return self._limits.get((level, owner), [])
        return [owned.limit for owned in self._store.owned_limits((level, owner))]

    def said(self, level: Level, row: StoredLevel | StoredKey) -> Said:
        """What a level says itself."""
        owner = row.public_id if isinstance(row, StoredKey) else str(row.id)
        return Said(scope(level, row.name), tuple(self.limits(level, owner)), row.rules, row.expires)

    def above(self, project: StoredLevel) -> list[Said]:
        """What stands above a key of this project."""
        organisation = self.organisations[project.organisation]
        return [self.said("organisation", organisation), self.said("project", project)]

    def ends(self, key: StoredKey) -> int | None:
        """When a key ends, by all its levels."""
        project = self.projects[key.project]
        return earliest(key.expires, project.expires, self.organisations[project.organisation].expires)

    def info(self, said: Said) -> LimitsInfo:
        """What a level says, to be shown."""
        rates = {limit.kind: limit.amount for limit in said.limits}
        budgets = [self.budget(limit, said.scope) for limit in said.limits if limit.kind == "budget"]
        amounts = rates.get("requests"), rates.get("tokens"), rates.get("concurrency")
        rules = said.rules
        models, routes, addresses = map(_items, (rules.models, rules.routes, rules.addresses))
        return LimitsInfo(budgets, *amounts, models, routes, addresses, list(rules.tags), rules.on_unsupported)

    def budget(self, limit: Limit, whose: str) -> BudgetInfo:
        """How a budget stands now."""
        start, end = self._window(limit)
        spent = self._store.posted(limit.id, start)
        left = limit.amount - spent
        return BudgetInfo(
            limit.id,
            whose,
            limit.period,
            limit.amount,
            spent,
            self._reserved.get((limit.id, start), 0),
            left,
            "open" if left > 0 else "spent",
            limit.strict,
            limit.zone,
            limit.anchor,
            start,
            end,
        )


def _items(items: tuple[str, ...] | None) -> list[str] | None:
    return None if items is None else list(items)
