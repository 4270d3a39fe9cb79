"""`encke orgs` and `encke projects`: make, list, show, change and archive them."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from encke.admin.levels import LevelInfo
from encke.cli.options import config_option, json_option, link
from encke.cli.standing import limits_facts, print_facts, when
from encke.cli.terms import changes, given, terms_options
from encke.cli.text import json_text, safe, table
from encke.core.money import shown


@click.group()
def projects() -> None:
    """Projects: keys that share budgets, limits and rules."""


@click.group()
def orgs() -> None:
    """Organisations: projects that share budgets, limits and rules."""


@projects.command("create")
@click.argument("name")
@click.option("--org", metavar="NAME", help="The organisation it belongs to (default: default).")
@terms_options
@json_option
@config_option
def create_project(name: str, org: str | None, as_json: bool, config_path: str | None, **terms: Any) -> None:
    """Make a project. What its organisation does not allow stays forbidden."""
    result = link(config_path).call("projects.create", given({"name": name, "org": org, **terms}))
    _print(msgspec.convert(result, LevelInfo), as_json)


@orgs.command("create")
@click.argument("name")
@terms_options
@json_option
@config_option
def create_org(name: str, as_json: bool, config_path: str | None, **terms: Any) -> None:
    """Make an organisation."""
    _print(msgspec.convert(link(config_path).call("orgs.create", given({"name": name, **terms})), LevelInfo), as_json)


def _add_common(group: click.Group, what: str) -> None:
    """The commands that are the same for both."""
    one = f"an {what}" if what == "organisation" else f"a {what}"

    @group.command("list", help=f"List all {what}s, archived ones too.")
    @json_option
    @config_option
    def list_(as_json: bool, config_path: str | None) -> None:
        found = msgspec.convert(link(config_path).call(f"{group.name}.list", {}), list[LevelInfo])
        facts = [{**_facts(row), **limits_facts(row.limits), "notes": row.notes} for row in found]
        click.echo(json_text(facts) if as_json else _table(found))

    @group.command("show", help=f"Show one {what}.")
    @click.argument("name")
    @json_option
    @config_option
    def show(name: str, as_json: bool, config_path: str | None) -> None:
        _print(msgspec.convert(link(config_path).call(f"{group.name}.show", {"ref": name}), LevelInfo), as_json)

    @group.command("update", help=f"Change what {one} may do; the rest stays as it is.")
    @click.argument("ref", metavar="NAME")
    @click.option("--name", help="Another name.")
    @terms_options
    @json_option
    @config_option
    def update(ref: str, name: str | None, as_json: bool, config_path: str | None, **terms: Any) -> None:
        result = link(config_path).call(f"{group.name}.update", {"ref": ref, **changes({"name": name, **terms})})
        _print(msgspec.convert(result, LevelInfo), as_json)

    @group.command("archive", help=f"Archive {one} for good; its keys end at once.")
    @click.argument("name")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @json_option
    @config_option
    def archive(name: str, yes: bool, as_json: bool, config_path: str | None) -> None:
        way = link(config_path)
        if not yes:
            found = msgspec.convert(way.call(f"{group.name}.show", {"ref": name}), LevelInfo)
            count = f"{found.keys} key{'s' if found.keys != 1 else ''}"
            click.confirm(f'Archive the {what} "{safe(found.name)}" for good, and end {count}?', abort=True, err=True)
        done = msgspec.convert(way.call(f"{group.name}.archive", {"ref": name}), LevelInfo)
        if as_json:
            _print(done, as_json)
            return
        click.echo(f'Archived the {what} "{safe(done.name)}".')


_add_common(projects, "project")
_add_common(orgs, "organisation")


def _table(rows: list[LevelInfo]) -> str:
    lines = [
        (row.name, row.organisation or "-", row.state, str(row.keys), when(row.ends) or "never", _left(row))
        for row in rows
    ]
    return table(("NAME", "ORGANISATION", "STATE", "KEYS", "EXPIRES", "LEFT"), lines, right=frozenset({3}))


def _left(row: LevelInfo) -> str:
    return ", ".join(f"{shown(each.left)} of {shown(each.amount)}/{each.period}" for each in row.limits.budgets) or "-"


def _print(row: LevelInfo, as_json: bool) -> None:
    print_facts(_facts(row), row.limits, row.notes, as_json=as_json)


def _facts(row: LevelInfo) -> dict[str, object]:
    # Those that are there from the start were made by nobody.
    times = {"created": when(row.created or None), "expires": when(row.expires), "archived": when(row.archived)}
    where = {"organisation": row.organisation} if row.organisation else {}
    plain = {"id": row.id, "name": row.name, "state": row.state, **where, "keys": row.keys, **times}
    return {**plain, "ends": when(row.ends)}
