"""`encke models`: the models that the running gateway offers."""

from __future__ import annotations

import click
import msgspec

from encke.admin.context import AdminError
from encke.cli.gateway import request
from encke.cli.options import config_option, json_option, settings
from encke.cli.text import json_text, table
from encke.config.settings import Config


class Price(msgspec.Struct):
    """What a target costs, in dollars for a million tokens."""

    version: str
    input: str
    output: str


class Target(msgspec.Struct):
    """One of a model's, with its price; null if it has none."""

    provider: str
    model: str
    price: Price | None = None


class Model(msgspec.Struct):
    """A line of `GET /v1/models`."""

    id: str
    owned_by: str = ""
    prices: list[Target] = []


class _Models(msgspec.Struct):
    data: list[Model]


@click.command()
@json_option
@config_option
def models(as_json: bool, config_path: str | None) -> None:
    """List the models that a caller may ask the running gateway for, and what a million tokens read and written cost.

    PRICE tells where that comes from: the version of the price file, set-… for one of the settings', free, or unpriced.
    Where a model's targets differ, all are shown. The key is ENCKE_API_KEY, or ENCKE_BOOTSTRAP_KEY.
    """
    with request(settings(config_path), "GET", "/v1/models", more={"x-encke-include-prices": "true"}) as response:
        body = response.read()
        if as_json:
            click.echo(json_text(msgspec.Raw(body)))
            return
        rows = [(model.id, model.owned_by, *_cells(model)) for model in _decode(body)]
        click.echo(table(("MODEL", "FROM", "INPUT", "OUTPUT", "PRICE"), rows, right=frozenset({2, 3})))
        missing = response.headers.get("x-encke-models-missing")
        if missing:
            click.echo(f"not listed, for want of an answer: {missing.replace(',', ', ')}", err=True)


def _cells(model: Model) -> tuple[str, str, str]:
    """Input, output and origin of the prices of all targets, each that is different once."""
    prices = [target.price for target in model.prices]
    cells = (
        [price.input if price is not None else "-" for price in prices],
        [price.output if price is not None else "-" for price in prices],
        [price.version if price is not None else "unpriced" for price in prices],
    )
    reading, writing, origin = (" / ".join(dict.fromkeys(cell)) for cell in cells)
    return reading, writing, origin


def offered(config: Config) -> list[str]:
    """The ids of the models. Raises AdminError."""
    with request(config, "GET", "/v1/models") as response:
        return [model.id for model in _decode(response.read())]


def _decode(body: bytes) -> list[Model]:
    try:
        return msgspec.json.decode(body, type=_Models).data
    except msgspec.DecodeError as error:
        raise AdminError(f"the gateway's list of models makes no sense: {error}") from None
