"""`encke ledger`: whether it adds up, a copy of it, one call."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from encke.admin.context import AdminError, Context
from encke.admin.ledger import ShownAttempt, ShownCall, show, verify
from encke.admin.times import iso
from encke.cli.options import config_option, data_paths, json_option, link
from encke.cli.text import dollars, json_text, safe, table
from encke.core.money import shown as money
from encke.store.port import Check, Store, Verdict
from encke.store.sqlite import SqliteStore

MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat2.html, 1.3


@click.group()
def ledger() -> None:
    """The record of calls: whether it adds up, a copy, one call."""


@ledger.command("verify", short_help="Check that everything agrees to the nano-dollar.")
@click.option("--file", metavar="FILE", type=click.Path(path_type=Path), help="A copy to look at instead (a backup).")
@click.option(
    "--integrity", is_flag=True, help="Have SQLite check the whole file as well; takes several times as long."
)
@json_option
@config_option
def verify_(file: Path | None, integrity: bool, as_json: bool, config_path: str | None) -> None:
    """Check that entries, accounts, leases and sums agree to the nano-dollar.

    It reads everything and changes nothing, also beside a running gateway. Exit status 1 if anything differs.
    """
    if file is not None:
        with _copy(file) as store:
            verdict = verify(Context(store), None, _progress, running=False, integrity=integrity)
    else:
        way = link(config_path)
        with way.reading() as store:
            journals = data_paths().journal
            verdict = verify(Context(store), journals, _progress, running=way.running, integrity=integrity)
    facts = {**msgspec.to_builtins(verdict), "cost": dollars(verdict.cost), "ok": verdict.ok}
    click.echo(json_text(facts) if as_json else _verdict(verdict))
    sys.exit(0 if verdict.ok else 1)


@contextlib.contextmanager
def _copy(file: Path) -> Iterator[Store]:
    if not file.is_file():
        raise AdminError(f"there is no file {file}")
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            raise AdminError(f"{file} is not a database; name a copy that encke ledger backup made")
    with contextlib.closing(SqliteStore.open_read_only(file)) as store:
        yield store


def _progress(done: int, most: int) -> None:
    """On a terminal, a line that is written over."""
    if sys.stderr.isatty():
        end = "\r" if done < most else "\r\x1b[K"
        click.echo(f"{done:,} of {most:,} entries{end}", err=True, nl=False)


def _verdict(verdict: Verdict) -> str:
    lines = [f"{verdict.entries:,} entries, {money(verdict.cost)}; {verdict.pruned:,} older ones were removed"]
    for check in verdict.checks:
        lines += _check(check)
    return safe_lines([*lines, "the ledger adds up" if verdict.ok else "THE LEDGER DOES NOT ADD UP"])


def _check(check: Check) -> list[str]:
    more = check.found - len(check.differences)
    told = [f"    {text}" for text in (*check.differences, *([f"and {more:,} more"] if more else []))]
    state = f"{check.found:,} differ" if check.found else "ok"
    return [f"{check.name}: {state}", *told, *(f"    note: {note}" for note in check.notes)]


def safe_lines(lines: list[str]) -> str:
    """Names that callers chose may be in them."""
    return "\n".join(map(safe, lines))


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
def backup(file: Path, config_path: str | None) -> None:
    """Copy the database into FILE while the gateway runs.

    FILE must not exist. The copy is of one moment, checked, flushed to the disk, and for its owner only. Keys need the
    data folder's `pepper` too, which is not in it.
    """
    try:
        with link(config_path).reading() as store:
            size = store.backup(file)
    except OSError as error:
        raise AdminError(f"cannot make {file}: {error.strerror or error}") from None
    click.echo(f"{file}: {size:,} bytes, checked")
    click.echo(f"Keep {data_paths().pepper} as well, but not beside it: without it no key works.")


@ledger.command("show", short_help="Every attempt of one call.")
@click.argument("call")
@json_option
@config_option
def show_(call: str, as_json: bool, config_path: str | None) -> None:
    """Every attempt of one CALL (the id in `x-request-id`): how it ended, tokens, cost, and who was charged."""
    with link(config_path).reading() as store:
        shown = show(Context(store), call)
    click.echo(json_text(_facts(shown)) if as_json else _shown(shown))


def _facts(shown: ShownCall) -> dict[str, object]:
    """Times as ISO 8601 in UTC, costs as exact decimal strings of dollars or null."""
    facts = msgspec.to_builtins(shown)
    for each in (*facts["attempts"], *facts["charged"]):
        each["cost"] = dollars(each["cost"])
    return {**facts, "started": iso(shown.started)}


def _shown(shown: ShownCall) -> str:
    named = f", the caller's own id {shown.client_request_id}" if shown.client_request_id else ""
    head = f"call {shown.call}{named}\nreceived {iso(shown.started)}, key {shown.key}, asked for {shown.asked}"
    right = frozenset({3, 6, 7, 8, 9})
    text = [*map(safe, head.split("\n")), table(_TITLE, [_attempt(one) for one in shown.attempts], right=right)]
    for charged in shown.charged:
        window = f" since {iso(charged.window)}" if charged.window else ""
        text.append(safe(f"budget {charged.limit} ({charged.budget}){window}: {money(charged.cost)}"))
    return "\n".join(text)


_TITLE = ("ATTEMPT", "END", "REASON", "HTTP", "PROVIDER", "MODEL", "INPUT", "CACHED", "OUTPUT", "COST $", "PRICE")


def _attempt(one: ShownAttempt) -> tuple[str, ...]:
    where = f"{one.provider}/{one.credential}" if one.credential else one.provider
    about = "~" if one.usage.estimated else ""
    counts = (one.usage.total_input, one.usage.cache_read, one.usage.total_output)
    return (
        str(one.attempt),
        one.status,
        one.reason,
        str(one.http_status or "-"),
        where,
        one.model,
        *(f"{about}{count:,}" for count in counts),
        dollars(one.cost) or "-",
        one.price_version if one.state == "priced" else one.state,
    )
