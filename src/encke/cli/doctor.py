"""`encke doctor`: what is wrong here, and what to do."""

from __future__ import annotations

import sys

import click
import msgspec

from encke.cli.options import config_option, json_option
from encke.cli.text import json_text, safe, table
from encke.config.load import main_environ
from encke.doctor.doctor import examine

_MARKS = {"ok": "ok", "note": "-", "warning": "WARN", "error": "ERROR"}


@click.command(short_help="Say what is wrong here, and what to do.")
@click.option("--no-network", is_flag=True, help="Do not try the providers.")
@json_option
@config_option
def doctor(no_network: bool, as_json: bool, config_path: str | None) -> None:
    """Look at everything a gateway needs, and say what is wrong and what to do; exit status 1 if anything is.

    Settings, this machine, the data folder, the running gateway if there is one, and each provider: its name,
    connection, certificate, answer, key and clock. Changes nothing, and shows no secret. One GET of the list of models
    goes to each provider.
    """
    found = examine(config_path, main_environ(), network=not no_network)
    errors = sum(finding.level == "error" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if as_json:
        click.echo(json_text({"errors": errors, "warnings": warnings, "findings": msgspec.to_builtins(found)}))
    else:
        click.echo(table(("", "AREA", "FOUND"), [(_MARKS[one.level], one.area, one.text) for one in found]))
        for one in found:
            if one.todo:
                click.echo(f"\n{one.area}: {safe(one.text)}\n  -> {safe(one.todo)}")
        click.echo(f"\n{errors} errors, {warnings} warnings.")
    sys.exit(1 if errors else 0)
