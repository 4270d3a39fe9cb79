"""Organisations and projects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from encke.admin import keys
from encke.admin.context import AdminError, Context
from encke.admin.levels import archive, create, list_levels, show, update
from encke.admin.terms import NO_TERMS, Terms
from encke.store.levels import Upper
from tests.admin.conftest import NOW

UPPERS: tuple[Upper, ...] = ("organisation", "project")


def test_a_tree(ctx: Context) -> None:
    """A project stands in its organisation, a key in its project; each shows what it says itself, and when it ends."""
    create(ctx, "organisation", "acme", Terms(budget=("100/month",), expires="30d"))
    made = create(ctx, "project", "web", Terms(models="gpt-*", rpm="60"), "acme")
    keys.create(ctx, "app", NO_TERMS, "web")
    assert (made.organisation, made.expires, made.ends) == ("acme", None, NOW + 30 * 86_400_000)
    assert made.notes == ['it ends with the organisation "acme", at 2027-01-31T00:00:00Z']
    web, acme = show(ctx, "project", "web"), show(ctx, "organisation", "acme")
    assert (web.keys, acme.keys, web.limits.rpm, web.limits.models, web.limits.budgets) == (1, 1, 60, ["gpt-*"], [])
    assert [(each.amount, each.left, each.state) for each in acme.limits.budgets] == [(10**11, 10**11, "open")]
    assert [row.name for row in list_levels(ctx, "project")] == ["default", "web"]
    later = ctx._replace(now=lambda: NOW + 31 * 86_400_000)
    assert {show(later, "project", "web").state, keys.show(later, "app").state} == {"expired"}


@pytest.mark.parametrize("level", UPPERS)
def test_update(ctx: Context, level: Upper) -> None:
    """What is given changes, the rest stays; the name too."""
    create(ctx, level, "one", Terms(rpm="60", tag=("a",), expires="1d", budget=("5/day",)))
    create(ctx, level, "two", NO_TERMS)
    row = update(ctx, level, "one", Terms(budget=("6/day",), expires="never"), "three")
    assert (row.name, row.expires, row.limits.rpm, row.limits.tags) == ("three", None, 60, ["a"])
    assert [each.amount for each in row.limits.budgets] == [6 * 10**9]
    with pytest.raises(AdminError, match=f'the name "two" is taken by another {level}'):
        update(ctx, level, "three", NO_TERMS, "two")
    with pytest.raises(AdminError, match='the name "-x" begins with'):
        update(ctx, level, "three", NO_TERMS, "-x")


def test_archive(ctx: Context) -> None:
    """Archiving ends whatever is below, and nothing else; the name is free again."""
    create(ctx, "organisation", "acme", NO_TERMS)
    create(ctx, "project", "web", NO_TERMS, "acme")
    keys.create(ctx, "app", NO_TERMS, "web")
    keys.create(ctx, "other")
    row = archive(ctx, "organisation", "acme")
    assert (row.state, row.archived, row.keys) == ("archived", NOW, 0)
    assert (show(ctx, "project", "web").state, keys.show(ctx, "app").state) == ("archived", "revoked")
    assert keys.show(ctx, "other").state == "live"
    for level, name in zip(UPPERS, ("acme", "web"), strict=True):
        with pytest.raises(AdminError, match=f'the {level} "{name}" is archived already since 2027-01-01'):
            archive(ctx, level, name)
        with pytest.raises(AdminError, match=f'the {level} "{name}" is archived; make another'):
            update(ctx, level, name, Terms(rpm="6"))
    with pytest.raises(AdminError, match='the project "web" is archived'):
        keys.create(ctx, "late", NO_TERMS, "web")
    with pytest.raises(AdminError, match='the organisation "acme" is archived'):
        create(ctx, "project", "late", NO_TERMS, "acme")
    assert create(ctx, "project", "web", NO_TERMS).organisation == "default"


@pytest.mark.parametrize("level", UPPERS)
def test_refusals(ctx: Context, level: Upper) -> None:
    """Taken and bad names, what is not there, and the default ones, which stay."""
    create(ctx, level, "web", NO_TERMS)
    acts: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: create(ctx, level, "web", NO_TERMS), 'the name "web" is taken by another'),
        (lambda: create(ctx, level, "", NO_TERMS), 'the name "" is empty'),
        (lambda: create(ctx, level, "bad", Terms(rpm="x")), 'rpm "x" is not a whole number'),
        (lambda: show(ctx, level, "wbe"), 'has the name "wbe"; nearest: "web"'),
        (lambda: archive(ctx, level, "zzz"), "list shows them all"),
        (lambda: archive(ctx, level, "default"), "it cannot be archived"),
    )
    for act, message in acts:
        with pytest.raises(AdminError, match=message):
            act()
    assert [row.name for row in list_levels(ctx, level)] == ["default", "web"]
