"""`encke config …`: look at the settings without starting anything."""

from __future__ import annotations

import click

from encke.compose import compose
from encke.config.load import main_environ
from encke.providers.describe import describe


@click.group()
def config() -> None:
    """Check the settings."""


@config.command()
@click.argument("path", required=False)
@click.option("--config", "config_path", metavar="PATH", help="The settings file.")
def check(path: str | None, config_path: str | None) -> None:
    """Read the settings file as the gateway would, and say what was found or everything that is wrong."""
    made = compose(path or config_path, main_environ())
    for line in describe(made.config, made.providers):
        click.echo(line)
