"""Options that say what a key, a project or an organisation may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_BUDGET = "Most that may be spent, in dollars: 25/month; also day, week, total, credit. May be given again."

_BUDGET_OPTIONS = (
    click.option("--strict/--no-strict", default=None, help="Hold what a call may cost at most (for these budgets)."),
    click.option("--zone", metavar="ZONE", help="Time zone of these budgets' days, such as Europe/Berlin (UTC)."),
    click.option(
        "--anchor", multiple=True, metavar="DAY", help="Day that a month (1-31) or a week (mon-sun) begins with."
    ),
)
_OPTIONS = (
    click.option("--budget", multiple=True, metavar="AMOUNT/PERIOD", help=_BUDGET),
    *_BUDGET_OPTIONS,
    click.option("--rpm", metavar="N", help="Requests a minute; off: any number."),
    click.option("--tpm", metavar="N", help="Tokens a minute; off: any number."),
    click.option("--concurrency", metavar="N", help="Calls at once; off: any number."),
    click.option("--models", metavar="GLOBS", help="Models that may be asked for, such as 'gpt-*,local'; any: all."),
    click.option("--routes", metavar="ROUTES", help="Routes that may be used, such as chat,embeddings; any: all."),
    click.option("--addresses", metavar="NETWORKS", help="Where calls may come from, such as 10.0.0.0/8; any: all."),
    click.option(
        "--on-unsupported",
        metavar="POLICY",
        help="What becomes of calls that a model cannot be asked in full: reject, warn or drop; any: as they say.",
    ),
    click.option("--expires", metavar="WHEN", help="A span such as 30d, or a UTC date or time; never: not at all."),
    click.option("--tag", multiple=True, metavar="TAG", help="A word or name=value, for reports. May be given again."),
)


def terms_options(function: Function) -> Function:
    """All of them, as keyword arguments; `given` makes them a command's arguments."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def budget_options(function: Function) -> Function:
    """How a budget is kept."""
    for option in reversed(_BUDGET_OPTIONS):
        function = option(function)
    return function


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command: what was not given is left out."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def changes(options: dict[str, Any]) -> dict[str, Any]:
    """The same of a command that changes something. Raises click.UsageError if nothing was given."""
    found = given(options)
    if not found:
        raise click.UsageError("there is nothing to change: give at least one option (--help lists them)")
    return found
