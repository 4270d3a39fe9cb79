"""`encke budgets`: all budgets in one list, and changing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from encke.admin.view import BudgetInfo
from encke.cli.options import config_option, json_option, link
from encke.cli.standing import budget_facts, budget_line, when
from encke.cli.terms import budget_options, given
from encke.cli.text import json_text, safe, table
from encke.core.money import shown

Function = TypeVar("Function", bound=Callable[..., Any])

_HEAD = ("SCOPE", "PERIOD", "LIMIT", "SPENT", "HELD", "LEFT", "RESETS", "STATE")
_OWNERS = (
    click.option("--key", metavar="ID|NAME", help="The budget of this key."),
    click.option("--project", metavar="NAME", help="The budget of this project."),
    click.option("--org", metavar="NAME", help="The budget of this organisation."),
)


def _owner_options(function: Function) -> Function:
    for option in reversed(_OWNERS):
        function = option(function)
    return function


@click.group(invoke_without_command=True, short_help="All budgets: limit, spent, held, left; change them.")
@json_option
@config_option
@click.pass_context
def budgets(ctx: click.Context, as_json: bool, config_path: str | None) -> None:
    """All budgets: what they are, what is spent, held and left, and when they begin anew.

    HELD is what running calls may still spend, and what workers keep ready for the next ones.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = msgspec.convert(link(config_path).call("budgets.list", {}), list[BudgetInfo])
    if as_json:
        click.echo(json_text([budget_facts(each) for each in found]))
    elif not found:
        click.echo("There are no budgets. Give one with: encke keys create --budget 25/month")
    else:
        click.echo(table(_HEAD, [_row(each) for each in found], right=frozenset({2, 3, 4, 5})))


def _row(budget: BudgetInfo) -> tuple[str, ...]:
    amounts = (shown(each) for each in (budget.amount, budget.spent, budget.reserved, budget.left))
    period = f"{budget.period}, strict" if budget.strict else budget.period
    return (budget.scope, period, *amounts, when(budget.reset) or "never", budget.state)


@budgets.command("set", short_help="Give a budget, or another amount: 30/month.")
@click.argument("budget", metavar="AMOUNT/PERIOD")
@_owner_options
@budget_options
@json_option
@config_option
def set_(
    budget: str, key: str | None, project: str | None, org: str | None, as_json: bool, config_path: str | None,
    **terms: Any,
) -> None:  # fmt: skip
    """Give a budget, or another amount to the one for that period: 30/month.

    What was spent of it stays spent.
    """
    owner = given({"key": key, "project": project, "org": org})
    args = {"owner": owner, "budget": [budget], **given(terms)}
    _print(link(config_path).call("budgets.set", args), as_json)


@budgets.command(short_help="Add prepaid credit.")
@click.argument("amount", metavar="AMOUNT")
@_owner_options
@json_option
@config_option
def credit(
    amount: str, key: str | None, project: str | None, org: str | None, as_json: bool, config_path: str | None
) -> None:
    """Add prepaid credit, which never begins anew; the first makes the budget."""
    owner = given({"key": key, "project": project, "org": org})
    _print(link(config_path).call("budgets.credit", {"owner": owner, "amount": amount}), as_json)


@budgets.command(short_help="Take a budget away.")
@click.argument("period", metavar="PERIOD")
@_owner_options
@json_option
@config_option
def remove(
    period: str, key: str | None, project: str | None, org: str | None, as_json: bool, config_path: str | None
) -> None:
    """Take a budget away: that for a day, week or month, total or credit."""
    owner = given({"key": key, "project": project, "org": org})
    result = link(config_path).call("budgets.remove", {"owner": owner, "period": period})
    if as_json:
        _print(result, as_json)
        return
    gone = msgspec.convert(result, BudgetInfo)
    click.echo(f"Removed the budget of the {safe(gone.scope)}: {budget_line(gone)}.")


def _print(result: Any, as_json: bool) -> None:
    budget = msgspec.convert(result, BudgetInfo)
    text = f"The {safe(budget.scope)} has {budget_line(budget)}."
    click.echo(json_text(budget_facts(budget)) if as_json else text)
