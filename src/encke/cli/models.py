"""`encke models`: the models that the running gateway offers."""

from __future__ import annotations

import click
import msgspec

from encke.admin.context import AdminError
from encke.cli.gateway import request
from encke.cli.options import config_option, json_option, settings
from encke.cli.text import json_text, table
from encke.config.settings import Config


class Model(msgspec.Struct):
    """A line of `GET /v1/models`."""

    id: str
    owned_by: str = ""


class _Models(msgspec.Struct):
    data: list[Model]


@click.command()
@json_option
@config_option
def models(as_json: bool, config_path: str | None) -> None:
    """List the models that a caller may ask the running gateway for.

    The key is ENCKE_API_KEY, or ENCKE_BOOTSTRAP_KEY.
    """
    with request(settings(config_path), "GET", "/v1/models") as response:
        body = response.read()
        if as_json:
            click.echo(json_text(msgspec.Raw(body)))
            return
        click.echo(table(("MODEL", "FROM"), [(model.id, model.owned_by) for model in _decode(body)]))
        missing = response.headers.get("x-encke-models-missing")
        if missing:
            click.echo(f"not listed, for want of an answer: {missing.replace(',', ', ')}", err=True)


def offered(config: Config) -> list[str]:
    """The ids of the models. Raises AdminError."""
    with request(config, "GET", "/v1/models") as response:
        return [model.id for model in _decode(response.read())]


def _decode(body: bytes) -> list[Model]:
    try:
        return msgspec.json.decode(body, type=_Models).data
    except msgspec.DecodeError as error:
        raise AdminError(f"the gateway's list of models makes no sense: {error}") from None
