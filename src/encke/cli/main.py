"""`encke`: every command, and how a failure is told."""

from __future__ import annotations

from typing import Any

import click

from encke import __version__
from encke.admin.context import AdminError
from encke.admin.frames import FrameError
from encke.cli.budgets import budgets
from encke.cli.chat import chat
from encke.cli.config import config
from encke.cli.doctor import doctor
from encke.cli.keys import keys
from encke.cli.ledger import ledger
from encke.cli.levels import orgs, projects
from encke.cli.models import models
from encke.cli.serve import serve
from encke.cli.usage import usage
from encke.cli.workers import workers
from encke.config.problems import ConfigError
from encke.keys.pepper import PepperError
from encke.store.port import StoreError

_STORE = (keys, projects, orgs, budgets, usage, ledger)
COMMANDS: tuple[click.Command, ...] = (serve, *_STORE, models, chat, config, workers, doctor)

# What may go wrong without a fault in Encke: told in a sentence. Anything else is a bug and shows its traceback.
EXPECTED = (AdminError, ConfigError, FrameError, PepperError, StoreError)


class Encke(click.Group):
    """Tells an expected failure on standard error and exits with 1; wrong usage exits with 2 (click's own)."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Encke, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="encke")
def main() -> None:
    """A self-hosted gateway for language models.

    ENCKE_DATA names the data folder (default ./encke-data), ENCKE_CONFIG the settings file (default ./encke.toml).
    """


for command in COMMANDS:
    main.add_command(command)
