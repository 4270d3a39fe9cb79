"""`encke workers`: the processes that answer calls."""

from __future__ import annotations

from typing import Any

import click

from encke.admin.steer import steer
from encke.cli.options import data_paths, json_option
from encke.cli.text import json_text

# The gateway waits a minute for each of them.
PATIENCE_S = 3600.0


@click.group()
def workers() -> None:
    """The processes that answer calls."""


@workers.command(short_help="Replace the workers, one by one.")
@json_option
def restart(as_json: bool) -> None:
    """Replace the running gateway's workers one by one, without refusing or breaking a call.

    Each is told to go only when its successor answers calls, and has server.grace seconds to finish what it has. If a
    successor does not come up, the rest stay as they are and the exit status is 1.
    """
    answer: Any = steer(data_paths(), "workers.restart", seconds=PATIENCE_S)
    if as_json:
        click.echo(json_text(answer))
        return
    click.echo(f"{answer['workers']} workers were replaced; {answer['retiring']} of the old still finish their calls.")
