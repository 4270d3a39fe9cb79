"""Prices in the settings: what is taken, and the line that a person reads about what is not."""

from __future__ import annotations

import msgspec
import pytest

from encke.config.changes import flatten
from encke.config.prices import PriceSettings, Rates
from encke.config.wire import decode_config, encode_config
from encke.core.money import RATES

from .conftest import LinesOf, LoadText

PROBLEMS = [
    ("price = 0.25", 'price: must be "free" or a table such as price = { input = "0.25", output = "2" }, '
     "not a number with a point"),
    ('price = "fre"', 'price: "fre" is no price; write "free", or a table such as '
     'price = { input = "0.25", output = "2" }; did you mean "free"?'),
    ('price = { input = 0.25, output = "2" }', 'price.input: must be a decimal in quotes, such as input = "0.25"; '
     "a number without quotes is not exact"),
    ('price = { input = 1, output = "2" }', 'price.input: must be a decimal in quotes, such as input = "0.25"; '
     "not a whole number"),
    ('price = { input = "-1", output = "2" }', 'price.input: "-1" is no decimal; write digits and a point, such as '
     '"0.25", without a sign or an exponent'),
    ('price = { input = "1e-3", output = "2" }', 'price.input: "1e-3" is no decimal; write digits and a point, such as '
     '"0.25", without a sign or an exponent'),
    ('price = { input = "0.0000001", output = "2" }', 'price.input: "0.0000001" is too precise; '
     "at most 6 digits stand behind the point"),
    ('price = { input = "1000000", output = "2" }', 'price.input: "1000000" is too large; '
     "at most 6 digits stand before the point"),
    ('price = { input = "1" }', 'price.output: is missing; write output = "0" if it costs nothing'),
    ('price = { input = "0", output = "0.0" }', 'price: costs nothing at all; write "free" if that is meant'),
    ('price = { input = "1", output = "2", cached = "1" }',
     'price.cached: is not part of a price; did you mean "cache_read"?'),
    ('price = { input = "1", output = "2", inputs = "1" }',
     'price.inputs: is not part of a price; did you mean "input"?'),
    ('price = { input = "1", output = "2", tiers = [{ input = "2" }] }', "price.tiers[0].above: must be a number of "
     "tokens read, such as above = 200000"),
    ('price = { input = "1", output = "2", tiers = [{ above = 5 }] }', "price.tiers[0]: says no price; "
     "write what is different for such requests"),
    ('price = { input = "1", output = "2", tiers = [{ above = 5, input = "2" }, { above = 5, input = "3" }] }',
     "price.tiers[1].above: must be more than that of the tier before"),
    ('prices = { "m" = 1.5 }', 'prices.m: must be "free" or a table such as price = { input = "0.25", output = "2" }, '
     "not a number with a point"),
    ('prices = { "m" = { input = "x", output = "1" } }', 'prices.m.input: "x" is no decimal; write digits and a point, '
     'such as "0.25", without a sign or an exponent'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), PROBLEMS, ids=[text[:60] for text, _ in PROBLEMS])
def test_what_is_wrong_is_told(text: str, line: str, lines_of: LinesOf) -> None:
    """Each kind of price that would not be exact, or that leaves something open."""
    assert lines_of(f'[providers.openai]\napi_key = "k"\n{text}\n') == [f"encke.toml:3: providers.openai.{line}"]


def test_everything_wrong_is_told_at_once(lines_of: LinesOf) -> None:
    """A price with three mistakes has three lines."""
    told = lines_of('[models.m]\ntargets = [{ provider = "openai", model = "x", price = { input = 1, b = "2" } }]\n')
    assert len(told) == 3 and all("models.m.targets[0].price." in line for line in told)


def test_a_price_survives_its_ways(load_text: LoadText) -> None:
    """Read, handed to a worker, shown: everything as it was written."""
    price = (
        '{ input = "0.25", output = "2", cache_read = "0.1", request = "0.001", tiers = [{ above = 9, input = "1" }] }'
    )
    config = load_text(
        f'[providers.openai]\nprice = {price}\nprices = {{ "a/b" = "free", "c" = {price} }}\nprice_list = "none"\n'
        f'[models.m]\nprice = "free"\ntargets = [{{ provider = "openai", model = "x", price = {price} }}]\n'
    )
    settings = config.providers["openai"].price
    assert isinstance(settings, PriceSettings)
    assert settings.given == {"input": 250_000, "output": 2_000_000, "cache_read": 100_000, "request": 1_000_000}
    assert settings.tiers[0].above == 9 and settings.tiers[0].given == {"input": 1_000_000}
    assert decode_config(encode_config(config)) == config
    shown = flatten(config)
    assert shown["providers.openai.price.cache_read"] == "0.1"
    assert shown['providers.openai.prices."a/b"'] == "free"
    assert shown["models.m.price"] == "free"


def test_variables_are_read_in_prices_too(load_text: LoadText) -> None:
    """As in every other string of the file, however deep."""
    config = load_text(
        "[providers.openai]\n"
        'prices = { m = { input = "${P}", output = "2", tiers = [{ above = 1, input = "${P}" }] } }\n',
        {"P": "0.5"},
    )
    price = config.providers["openai"].prices["m"]
    assert isinstance(price, PriceSettings) and price.input == "0.5" and price.tiers[0].input == "0.5"


def test_every_rate_may_be_written() -> None:
    """The settings name all that a price has."""
    assert {field.name for field in msgspec.structs.fields(Rates)} == set(RATES)
