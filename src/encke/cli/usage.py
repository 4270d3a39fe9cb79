"""`encke usage`: what was used."""

from __future__ import annotations

import click
import msgspec

from encke.admin.times import iso
from encke.admin.usage import DEFAULT_SINCE, GROUPS, UsageReport
from encke.cli.options import config_option, json_option, link
from encke.cli.text import dollars, json_text, table
from encke.store.port import UsageRow

_NUMBERS = ("CALLS", "FAILED", "ATTEMPTS", "ATT.FAILED", "INPUT", "CACHED", "OUTPUT", "COST $", "UNPRICED", "ESTIMATED")
_ABSENT = "-"


@click.command()
@click.option("--since", default=DEFAULT_SINCE, show_default=True, metavar="WHEN", help="A span back, or a UTC time.")
@click.option("--until", metavar="WHEN", help="Up to, and without, this moment (default: now).")
@click.option("--by", type=click.Choice(GROUPS), help="One line for each of these; a day is of UTC.")
@json_option
@config_option
def usage(since: str, until: str | None, by: str | None, as_json: bool, config_path: str | None) -> None:
    """Calls, tokens and cost.

    WHEN is a span such as 24h or 7d, a UTC date (its first moment) or a UTC time such as 2026-01-31T12:00.

    A call that went to a second provider counts as one call and two attempts. INPUT is everything that was read, CACHED
    the part of it from a provider's cache. UNPRICED attempts used tokens but have no price, and are not in the cost;
    of ESTIMATED ones the gateway counted the tokens, not the provider.
    """
    result = link(config_path).call("usage", {"since": since, "until": until, "by": by})
    report = msgspec.convert(result, UsageReport)
    click.echo(json_text(_facts(report)) if as_json else _text(report))


def _text(report: UsageReport) -> str:
    title = f"{iso(report.since)} to {iso(report.until)}\n"
    if report.by is None:
        return f"{title}{table(_NUMBERS, [_numbers(report.total)], right=frozenset(range(len(_NUMBERS))))}"
    right = frozenset(range(1, 1 + len(_NUMBERS)))
    rows = [(_label(row), *_numbers(row)) for row in report.rows]
    return title + table((report.by.upper(), *_NUMBERS), [*rows, ("total", *_numbers(report.total))], right=right)


def _label(row: UsageRow) -> str:
    return f"{row.group} {row.name}" if row.name else row.group or "(none)"


def _numbers(row: UsageRow) -> tuple[str, ...]:
    counts = (row.calls, row.failed_calls, row.attempts, row.failed_attempts, row.input, row.cached, row.output)
    state = (row.unpriced, row.estimated)
    return (*(f"{count:,}" for count in counts), dollars(row.cost) or _ABSENT, *(f"{count:,}" for count in state))


def _facts(report: UsageReport) -> dict[str, object]:
    """Times as ISO 8601 in UTC, cost as an exact decimal string of dollars or null."""
    rows = [_row(row) for row in report.rows]
    since, until = iso(report.since), iso(report.until)
    return {"since": since, "until": until, "by": report.by, "rows": rows, "total": _row(report.total)}


def _row(row: UsageRow) -> dict[str, object]:
    return {**msgspec.to_builtins(row), "cost": dollars(row.cost)}
