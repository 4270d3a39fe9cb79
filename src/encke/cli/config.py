"""`encke config …`: look at the settings, and have the running gateway read them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from encke.admin.context import AdminError
from encke.admin.steer import connect, steer
from encke.catalogue.prices import PriceBook
from encke.cli.options import config_option, data_paths, json_option
from encke.cli.text import json_text, safe, table
from encke.compose import compose, price_file
from encke.config.changes import Change, flatten, shown
from encke.config.load import main_environ
from encke.core.clock import now_ms
from encke.providers.describe import describe, unpriced
from encke.providers.resolve import half_known


class Changes(msgspec.Struct):
    """What the running gateway answers to `config.plan` and, with more, to `config.reload`."""

    path: str | None
    changes: list[Change]
    generation: int = 0
    workers: int = 0
    problems: list[str] = []


class Shown(msgspec.Struct):
    """The settings of a gateway, as TOML by dotted name, without secrets."""

    path: str | None
    data: str
    settings: dict[str, str]
    generation: int | None = None


@click.group()
def config() -> None:
    """Check the settings, and have the running gateway take new ones."""


@config.command(short_help="Say what is in the settings file, or wrong.")
@click.argument("path", required=False)
@click.option("--config", "config_path", metavar="PATH", help="The settings file.")
def check(path: str | None, config_path: str | None) -> None:
    """Read the settings file as the gateway would, and say what was found or everything that is wrong."""
    made = compose(path or config_path, main_environ())
    off = half_known(made.config, made.presets, made.environment.provider_keys)
    book = PriceBook(price_file)
    for line in [*describe(made.config, made.providers, off), f"prices: {book.version}"]:
        click.echo(line)
    for warning in unpriced(made.config, made.providers, book, now_ms()):
        click.echo(f"warning: {warning}", err=True)


@config.command(short_help="Say what a reload would change.")
@json_option
def plan(as_json: bool) -> None:
    """Say what a reload would change in the running gateway; exit status 1 if it would be refused."""
    answer = steer(data_paths(), "config.plan")
    found = msgspec.convert(answer, Changes)
    if as_json:
        click.echo(json_text(answer))
    elif not found.changes:
        click.echo("Nothing would change.")
    else:
        _tell(found.changes, "A reload would change:", "These stay as they are until the next start:")


@config.command(short_help="Have the gateway read its settings again.")
@json_option
def reload(as_json: bool) -> None:
    """Have the running gateway read its settings again; no call is disturbed.

    Answers when every worker has taken them. If anything is wrong with them, says what, exits with 1, and the old
    settings stay. Variables are those that the gateway was started with.
    """
    answer = steer(data_paths(), "config.reload")
    found = msgspec.convert(answer, Changes)
    if as_json:
        click.echo(json_text(answer))
    else:
        click.echo(f"The settings have been read again (generation {found.generation}, {found.workers} workers).")
        _tell(found.changes, "Changed:", "These need a restart and stay as they were:")
    if found.problems:
        raise AdminError("\n".join(found.problems))


@config.command(short_help="Show the settings in use; secrets as ***.")
@json_option
@config_option
def show(as_json: bool, config_path: str | None) -> None:
    """Show every setting as it is in use, defaults included; secrets as ***.

    Those of the running gateway; with --config, or when none runs, those that the file would give.
    """
    found = None if config_path else _running()
    if found is None:
        made = compose(config_path, main_environ())
        path = str(made.config.path) if made.config.path is not None else None
        settings = {name: shown(value) for name, value in flatten(made.config).items()}
        found = Shown(path, str(made.config.data_dir), settings)
    if as_json:
        click.echo(json_text(found))
        return
    whose = f"of the running gateway (generation {found.generation})" if found.generation else "as a start would have"
    click.echo(f"# Settings {whose}, from {safe(found.path or 'no file')}, with the data in {safe(found.data)}")
    for name, value in found.settings.items():
        click.echo(safe(f"{name} = {value}"))


def _running() -> Shown | None:
    paths = data_paths()
    probe = connect(paths)
    if probe is None:
        return None
    probe.close()
    answer: Any = steer(paths, "config.show")
    return msgspec.convert(answer, Shown)


def _tell(changes: Sequence[Change], done: str, restart: str) -> None:
    for title, part in ((done, [c for c in changes if not c.restart]), (restart, [c for c in changes if c.restart])):
        if part:
            rows = [(change.name, change.old or "-", change.new or "-") for change in part]
            click.echo(f"\n{title}\n{table(('SETTING', 'BEFORE', 'AFTER'), rows)}")
