"""How keys, projects, organisations and their budgets are shown."""

from __future__ import annotations

from collections.abc import Sequence

import click

from encke.admin.terms import RATES, WEEKDAYS
from encke.admin.view import BudgetInfo, LimitsInfo
from encke.cli.text import dollars, json_text, safe
from encke.core.clock import iso
from encke.core.money import shown


def when(ms: int | None) -> str | None:
    """A time as ISO 8601 in UTC; null stays null."""
    return None if ms is None else iso(ms)


def budget_facts(budget: BudgetInfo) -> dict[str, object]:
    """For scripts: amounts as exact decimal strings of dollars, times as ISO 8601 in UTC."""
    money = {name: dollars(getattr(budget, name)) for name in ("amount", "spent", "reserved", "left")}
    facts: dict[str, object] = {"id": budget.id, "scope": budget.scope, "period": budget.period, **money}
    facts |= {"state": budget.state, "strict": budget.strict}
    if budget.reset is not None:
        facts |= {"zone": budget.zone, "anchor": anchor(budget), "since": iso(budget.since)}
    return {**facts, "reset": when(budget.reset)}


def anchor(budget: BudgetInfo) -> str | None:
    """The day that its window begins with, as it is written."""
    if budget.period == "week":
        return WEEKDAYS[budget.anchor - 1]
    return str(budget.anchor) if budget.period == "month" else None


def budget_line(budget: BudgetInfo) -> str:
    """`$25.00 a month, $3.10 spent, $21.90 left, until 2026-12-01T00:00:00Z`."""
    parts = [f"{shown(budget.amount)} {_EACH[budget.period]}", f"{shown(budget.spent)} spent"]
    if budget.reserved:
        parts.append(f"{shown(budget.reserved)} held")
    parts.append(f"{shown(budget.left)} left")
    if budget.reset is not None:
        parts.append(f"until {iso(budget.reset)}")
    return ", ".join([*parts, "strict"] if budget.strict else parts)


_EACH = {"total": "in all", "credit": "of credit", "day": "a day", "week": "a week", "month": "a month"}


def limits_facts(limits: LimitsInfo) -> dict[str, object]:
    """For scripts."""
    budgets = [budget_facts(each) for each in limits.budgets]
    rates = {option: getattr(limits, option) for option, _, _ in RATES}
    rules = {"models": limits.models, "routes": limits.routes, "addresses": limits.addresses, "tags": limits.tags}
    return {"budgets": budgets, **rates, **rules, "on_unsupported": limits.on_unsupported}


def limits_lines(limits: LimitsInfo) -> list[tuple[str, str]]:
    """For people: only what is said."""
    lines = [("budget", budget_line(each)) for each in limits.budgets]
    for option, kind, _ in RATES:
        amount: int | None = getattr(limits, option)
        if amount is not None:
            lines.append((option, f"{amount:,} {'calls at once' if kind == 'concurrency' else f'{kind} a minute'}"))
    if limits.on_unsupported is not None:
        lines.append(("on_unsupported", limits.on_unsupported))
    for name in ("models", "routes", "addresses", "tags"):
        items: list[str] | None = getattr(limits, name)
        if items:
            lines.append((name, ", ".join(items)))
    return lines


def print_facts(facts: dict[str, object], limits: LimitsInfo, notes: Sequence[str], *, as_json: bool) -> None:
    """All of it for scripts; for people what is said, and the notes beside it."""
    if as_json:
        click.echo(json_text({**facts, **limits_facts(limits), "notes": notes}))
        return
    plain = [(name, "-" if value is None else str(value)) for name, value in facts.items()]
    rows = [*plain, *limits_lines(limits)]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name.ljust(width)}  {safe(value)}")
    print_notes(notes)


def print_notes(notes: Sequence[str]) -> None:
    """What those above do not allow."""
    for note in notes:
        click.echo(f"note: {safe(note)}", err=True)
