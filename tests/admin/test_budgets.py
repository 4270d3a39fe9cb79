"""All budgets in one list, and changing them."""

from __future__ import annotations

import msgspec
import pytest

from encke.admin import keys, levels
from encke.admin.budgets import Owner, credit, list_budgets, remove, set_budget
from encke.admin.context import AdminError, Context
from encke.admin.terms import NO_TERMS, Terms
from tests.admin.conftest import NOW
from tests.store.contract import entry

KEY = Owner(key="app")
DOLLAR = 10**9


def spend(ctx: Context, limit: int, window: int, cost: int) -> None:
    """A call that is charged to one account."""
    ctx.store.append([entry(cost=cost, accounts=msgspec.Raw(msgspec.msgpack.encode([[limit, window]])))])


def test_the_list(ctx: Context) -> None:
    """Every live level's budgets, the organisations' first, and how each stands; revoked keys' are left out."""
    levels.create(ctx, "organisation", "acme", Terms(budget=("100",)))
    levels.create(ctx, "project", "web", Terms(budget=("50/week",), anchor=("fri",)), "acme")
    keys.create(ctx, "app", Terms(budget=("5/day",), zone="Europe/Berlin"), "web")
    keys.create(ctx, "gone", Terms(budget=("5/day",)), "web")
    keys.revoke(ctx, "gone")
    start, friday = NOW - 3_600_000, NOW
    spend(ctx, 1, 0, 100 * DOLLAR)
    spend(ctx, 3, start, 1)
    spend(ctx, 3, start - 86_400_000, 3 * DOLLAR)  # yesterday's
    ctx.store.grant([(7, 3, start, 2 * DOLLAR), (8, 3, start, DOLLAR)], [])
    found = [(each.scope, each.spent, each.reserved, each.left, each.state) for each in list_budgets(ctx)]
    assert found == [
        ('organisation "acme"', 100 * DOLLAR, 0, 0, "spent"),
        ('project "web"', 0, 0, 50 * DOLLAR, "open"),
        ('key "app"', 1, 3 * DOLLAR, 5 * DOLLAR - 1, "open"),
    ]
    windows = [(each.since, each.reset) for each in list_budgets(ctx)]
    assert windows == [(0, None), (friday, friday + 7 * 86_400_000), (start, start + 86_400_000)]


def test_set_keeps_what_is_spent(ctx: Context) -> None:
    """Another amount for the same period is the same budget; another period is another budget."""
    keys.create(ctx, "app")
    first = set_budget(ctx, KEY, Terms(budget=("5",)))
    spend(ctx, first.id, 0, DOLLAR)
    again = set_budget(ctx, KEY, Terms(budget=("2",), strict=True))
    assert (again.id, again.spent, again.left, again.strict) == (first.id, DOLLAR, DOLLAR, True)
    assert set_budget(ctx, KEY, Terms(budget=("9/day",))).id != first.id
    assert len(list_budgets(ctx)) == 2


def test_credit(ctx: Context) -> None:
    """The first makes the budget, each adds; what was spent stays spent, and nothing is ever reset."""
    levels.create(ctx, "project", "web", NO_TERMS)
    owner = Owner(project="web")
    first = credit(ctx, owner, "50.000000001")
    spend(ctx, first.id, 0, 50 * DOLLAR)
    again = credit(ctx, owner, "0.5")
    assert (again.id, again.amount, again.left, again.reset) == (first.id, 50_500_000_001, 500_000_001, None)
    for amount, message in (
        ("0", "adds nothing"),
        ("-1", "is not an amount"),
        ("999999999.9", "more than 1,000,000,000"),
    ):
        with pytest.raises(AdminError, match=message):
            credit(ctx, owner, amount)


def test_remove(ctx: Context) -> None:
    """It is gone, and a later one for the period begins with nothing spent."""
    levels.create(ctx, "organisation", "acme", Terms(budget=("5",)))
    owner = Owner(org="acme")
    spend(ctx, 1, 0, DOLLAR)
    assert remove(ctx, owner, "total").spent == DOLLAR
    assert list_budgets(ctx) == []
    assert set_budget(ctx, owner, Terms(budget=("5",))).spent == 0
    for period, message in (("day", 'has no budget for "day"'), ("dya", 'no period "dya"; did you mean day')):
        with pytest.raises(AdminError, match=message):
            remove(ctx, owner, period)


def test_whose(ctx: Context) -> None:
    """Exactly one owner, who is there and live; exactly one budget."""
    keys.create(ctx, "app")
    keys.create(ctx, "gone")
    keys.revoke(ctx, "gone")
    for owner, message in (
        (Owner(), "say whose budget it is"),
        (Owner(key="app", org="default"), "say whose budget it is"),
        (Owner(key="gone"), 'the key "gone" is revoked'),
        (Owner(project="wbe"), 'no project has the name "wbe"'),
    ):
        with pytest.raises(AdminError, match=message):
            set_budget(ctx, owner, Terms(budget=("5",)))
        with pytest.raises(AdminError, match=message):
            credit(ctx, owner, "5")
    for budget in ((), ("5", "6/day")):
        with pytest.raises(AdminError, match="give one budget"):
            set_budget(ctx, KEY, Terms(budget=budget))
    assert list_budgets(ctx) == []
