"""`encke keys`: make, list, show and revoke keys."""

from __future__ import annotations

import click
import msgspec

from encke.admin.keys import CreatedKey, KeyInfo
from encke.admin.times import iso
from encke.cli.options import config_option, json_option, link
from encke.cli.text import json_text, safe, table


@click.group()
def keys() -> None:
    """Keys that callers present to the gateway."""


@keys.command()
@click.option("--name", help="A name of your choice (default: key-<number>).")
@click.option("--expires", metavar="WHEN", help="A span such as 30d, or a UTC date or time; without it, never.")
@json_option
@config_option
def create(name: str | None, expires: str | None, as_json: bool, config_path: str | None) -> None:
    """Make a key and print it: the only time it is shown.

    The key alone goes to standard output, so that KEY=$(encke keys create) works.
    """
    result = link(config_path).call("keys.create", {"name": name, "expires": expires})
    made = msgspec.convert(result, CreatedKey)
    if as_json:
        click.echo(json_text({**result, "created": iso(made.created), "expires": _iso(made.expires)}))
        return
    until = f", valid until {iso(made.expires)}" if made.expires is not None else ""
    click.echo(f'Made the key "{safe(made.name)}" ({made.id}){until}. Keep it now, it is not shown again:', err=True)
    click.echo(made.key)


@keys.command("list")
@json_option
@config_option
def list_(as_json: bool, config_path: str | None) -> None:
    """List all keys, revoked ones too."""
    found = msgspec.convert(link(config_path).call("keys.list", {}), list[KeyInfo])
    if as_json:
        click.echo(json_text([_facts(key) for key in found]))
        return
    rows = [(key.id, key.name, key.state, iso(key.created), _iso(key.expires) or "never") for key in found]
    click.echo(table(("ID", "NAME", "STATE", "CREATED", "EXPIRES"), rows))


@keys.command()
@click.argument("key", metavar="ID|NAME")
@json_option
@config_option
def show(key: str, as_json: bool, config_path: str | None) -> None:
    """Show one key; never its secret."""
    _print(msgspec.convert(link(config_path).call("keys.show", {"ref": key}), KeyInfo), as_json)


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
    facts = _facts(key)
    if as_json:
        click.echo(json_text(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.ljust(width)}  {'-' if value is None else safe(value)}")


def _facts(key: KeyInfo) -> dict[str, str | None]:
    """Times as ISO 8601 in UTC."""
    times = {"created": iso(key.created), "expires": _iso(key.expires), "revoked": _iso(key.revoked)}
    return {"id": key.id, "name": key.name, "state": key.state, **times}


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
