"""`encke keys`: make, list, show, change, rotate and revoke keys."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from encke.admin.commands import DEFAULT_GRACE
from encke.admin.keys import CreatedKey, KeyInfo, RotatedKey
from encke.cli.options import config_option, json_option, link
from encke.cli.standing import limits_facts, print_facts, print_notes, when
from encke.cli.terms import changes, given, terms_options
from encke.cli.text import json_text, safe, table
from encke.core.clock import iso, now_ms
from encke.core.money import shown


@click.group()
def keys() -> None:
    """Keys that callers present to the gateway."""


@keys.command()
@click.option("--name", help="A name of your choice (default: key-<number>).")
@click.option("--project", metavar="NAME", help="The project it belongs to (default: default).")
@terms_options
@json_option
@config_option
def create(name: str | None, project: str | None, as_json: bool, config_path: str | None, **terms: Any) -> None:
    """Make a key and print it: the only time it is shown.

    The key alone goes to standard output, so that KEY=$(encke keys create) works. What its project or its organisation
    does not allow stays forbidden; where the key says more, that is told.
    """
    result = link(config_path).call("keys.create", given({"name": name, "project": project, **terms}))
    made = msgspec.convert(result, CreatedKey)
    if as_json:
        times = {"created": iso(made.created), "expires": when(made.expires), "ends": when(made.ends)}
        click.echo(json_text({**result, **times}))
        return
    until = f", valid until {iso(made.ends)}" if made.ends is not None else ""
    click.echo(f'Made the key "{safe(made.name)}" ({made.id}){until}. Keep it now, it is not shown again:', err=True)
    print_notes(made.notes)
    click.echo(made.key)


@keys.command("list")
@json_option
@config_option
def list_(as_json: bool, config_path: str | None) -> None:
    """List all keys, revoked ones too."""
    found = msgspec.convert(link(config_path).call("keys.list", {}), list[KeyInfo])
    if as_json:
        click.echo(json_text([{**_facts(key), **limits_facts(key.limits), "notes": key.notes} for key in found]))
        return
    rows = [
        (key.id, key.name, key.project, key.state, iso(key.created), when(key.ends) or "never", _left(key))
        for key in found
    ]
    click.echo(table(("ID", "NAME", "PROJECT", "STATE", "CREATED", "EXPIRES", "LEFT"), rows))


@keys.command()
@click.argument("key", metavar="ID|NAME")
@json_option
@config_option
def show(key: str, as_json: bool, config_path: str | None) -> None:
    """Show one key; never its secret."""
    _print(msgspec.convert(link(config_path).call("keys.show", {"ref": key}), KeyInfo), as_json)


@keys.command()
@click.argument("key", metavar="ID|NAME")
@click.option("--name", help="Another name.")
@terms_options
@json_option
@config_option
def update(key: str, name: str | None, as_json: bool, config_path: str | None, **terms: Any) -> None:
    """Change what a key may do; what is not given stays as it is.

    A budget for a period that has one gets the new amount, and keeps what was spent of it.
    """
    result = link(config_path).call("keys.update", {"ref": key, **changes({"name": name, **terms})})
    _print(msgspec.convert(result, KeyInfo), as_json)


@keys.command()
@click.argument("key", metavar="ID|NAME")
@click.option(
    "--grace",
    default=DEFAULT_GRACE,
    show_default=True,
    metavar="SPAN",
    help="How long the present secret stays good: a span such as 24h or 7d; 0 ends it at once.",
)
@json_option
@config_option
def rotate(key: str, grace: str, as_json: bool, config_path: str | None) -> None:
    """Give a key another secret and print it: the only time it is shown.

    Name, budgets and all else stay. At most two secrets are good: rotated again in its time of grace, the older of the
    two ends at once.
    """
    result = link(config_path).call("keys.rotate", {"ref": key, "grace": grace})
    made = msgspec.convert(result, RotatedKey)
    if as_json:
        click.echo(json_text({**result, "until": iso(made.until)}))
        return
    before = f"is good until\n{iso(made.until)}" if made.until > now_ms() else "has\nended now"
    click.echo(f'The key "{safe(made.name)}" ({made.id}) has a new secret; the one before it {before}.', err=True)
    ended = "A still earlier one has ended now. " if made.ended else ""
    click.echo(f"{ended}Keep the new one, it is not shown again:", err=True)
    click.echo(made.key)


@keys.command()
@click.argument("key", metavar="ID|NAME")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_option
def revoke(key: str, yes: bool, as_json: bool, config_path: str | None) -> None:
    """Revoke a key for good: from the next second on it is refused."""
    way = link(config_path)
    if not yes:
        found = msgspec.convert(way.call("keys.show", {"ref": key}), KeyInfo)
        click.confirm(f'Revoke the key "{safe(found.name)}" ({found.id}) for good?', abort=True, err=True)
        key = found.id
    revoked = msgspec.convert(way.call("keys.revoke", {"ref": key}), KeyInfo)
    if as_json:
        _print(revoked, as_json)
        return
    click.echo(f'Revoked the key "{safe(revoked.name)}" ({revoked.id}).')


def _print(key: KeyInfo, as_json: bool) -> None:
    print_facts(_facts(key), key.limits, key.notes, as_json=as_json)


def _facts(key: KeyInfo) -> dict[str, object]:
    """Times as ISO 8601 in UTC, amounts as exact decimal strings of dollars."""
    times = {"created": iso(key.created), "expires": when(key.expires), "revoked": when(key.revoked)}
    more = {"ends": when(key.ends), "old_secret": when(key.old_secret)}
    where = {"project": key.project, "organisation": key.organisation}
    return {"id": key.id, "name": key.name, "state": key.state, **where, **times, **more}


def _left(key: KeyInfo) -> str:
    """Of its own budgets."""
    return ", ".join(f"{shown(each.left)} of {shown(each.amount)}/{each.period}" for each in key.limits.budgets) or "-"
