"""All budgets in one list, and changing one of them."""

from __future__ import annotations

from typing import get_args

import msgspec

from encke.admin import keys, terms
from encke.admin.amounts import MOST_DOLLARS, dollars
from encke.admin.context import AdminError, Context
from encke.admin.terms import Terms
from encke.admin.view import BudgetInfo, View
from encke.config.problems import nearest, quote
from encke.core.money import NANO
from encke.keys.grant import Level, Limit, Period
from encke.store.levels import LimitEdit, StoredKey, StoredLevel


class Owner(msgspec.Struct, frozen=True):
    """Whose: exactly one of them."""

    key: str | None = None
    project: str | None = None
    org: str | None = None


def list_budgets(ctx: Context) -> list[BudgetInfo]:
    """The budgets of all that is live, the organisations' first."""
    view = View(ctx, every=True)
    rows: list[tuple[Level, StoredLevel | StoredKey]] = [
        *(("organisation", row) for row in view.organisations.values() if row.archived is None),
        *(("project", row) for row in view.projects.values() if row.archived is None),
        *(("key", key) for key in ctx.store.list_keys() if key.revoked is None),
    ]
    return [budget for level, row in rows for budget in view.info(view.said(level, row)).budgets]


def set_budget(ctx: Context, owner: Owner, given: Terms) -> BudgetInfo:
    """Give a budget, or another amount to the one for that period. Raises AdminError."""
    budgets = terms.budgets(given)
    if len(budgets) != 1:
        raise AdminError("give one budget, such as 25/month")
    level, row = _owner(ctx, owner)
    _edit(ctx, level, row, terms.edit(given, View(ctx).limits(level, _id(row))))
    return _stands(ctx, level, row, budgets[0].period)


def credit(ctx: Context, owner: Owner, amount: str) -> BudgetInfo:
    """Add prepaid credit; the first makes the budget. Raises AdminError."""
    added = dollars(amount, "the credit")
    if not added:
        raise AdminError("a credit of 0 adds nothing")
    level, row = _owner(ctx, owner)
    known = _limit(ctx, level, row, "credit")
    if known is None:
        _edit(ctx, level, row, LimitEdit([Limit(0, "budget", added, "", "credit")]))
    else:
        total = known.amount + added
        if total > MOST_DOLLARS * NANO:
            raise AdminError(f"the credit {quote(amount)} would make it more than {MOST_DOLLARS:,} dollars")
        _edit(ctx, level, row, LimitEdit(put=[msgspec.structs.replace(known, amount=total)]))
    return _stands(ctx, level, row, "credit")


def remove(ctx: Context, owner: Owner, period: str) -> BudgetInfo:
    """Take the budget for that period away; how it stood. Raises AdminError."""
    level, row = _owner(ctx, owner)
    for known in get_args(Period):
        limit = _limit(ctx, level, row, known) if known == period else None
        if limit is not None:
            before = _stands(ctx, level, row, known)
            _edit(ctx, level, row, LimitEdit(remove=[limit.id]))
            return before
    if period not in get_args(Period):
        near = nearest(period, get_args(Period))
        meant = f"; did you mean {near}?" if near else f"; use one of {', '.join(get_args(Period))}"
        raise AdminError(f"there is no period {quote(period)}{meant}")
    raise AdminError(f"the {level} {quote(row.name)} has no budget for {quote(period)}; encke budgets shows them all")


def _owner(ctx: Context, owner: Owner) -> tuple[Level, StoredLevel | StoredKey]:
    given = [name for name in (owner.key, owner.project, owner.org) if name is not None]
    if len(given) != 1:
        raise AdminError("say whose budget it is: one of a key, a project and an organisation")
    if owner.key is not None:
        key = keys.find(ctx, owner.key)
        if key.revoked is not None:
            raise AdminError(f"the key {quote(key.name)} is revoked")
        return "key", key
    view = View(ctx)
    if owner.project is not None:
        return "project", view.live("project", owner.project)
    return "organisation", view.live("organisation", given[0])


def _id(row: StoredLevel | StoredKey) -> str:
    return row.public_id if isinstance(row, StoredKey) else str(row.id)


def _limit(ctx: Context, level: Level, row: StoredLevel | StoredKey, period: Period) -> Limit | None:
    owned = View(ctx).limits(level, _id(row))
    return next((limit for limit in owned if limit.kind == "budget" and limit.period == period), None)


def _stands(ctx: Context, level: Level, row: StoredLevel | StoredKey, period: Period) -> BudgetInfo:
    view = View(ctx)
    return next(each for each in view.info(view.said(level, row)).budgets if each.period == period)


def _edit(ctx: Context, level: Level, row: StoredLevel | StoredKey, edit: LimitEdit) -> None:
    if isinstance(row, StoredKey):
        done = ctx.store.put_key(row, edit)
    else:
        assert level != "key"
        done = ctx.store.put_level(level, row, edit)
    if not done:
        raise AdminError(f"the {level} {quote(row.name)} has just ended")
