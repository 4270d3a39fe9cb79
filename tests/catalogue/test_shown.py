"""A price as people see it says what the settings would have to say."""

from __future__ import annotations

from typing import Any

import pytest

from encke.catalogue.shown import shown
from encke.config.prices import PriceSettings, read_price
from encke.providers.prices import own_pricing

PRICES: list[dict[str, Any]] = [
    {"input": "0.25", "output": "2"},
    {"input": "0", "output": "0.000001"},
    {"input": "3", "cache_read": "0.3", "cache_write_5m": "3.75", "cache_write_1h": "6", "output": "15"},
    {"input": "1", "output": "1", "reasoning": "3", "request": "0.000000001"},
    {"input": "1", "cache_read": "0", "output": "2", "tiers": [{"above": 200000, "input": "2", "output": "3"}]},
]


@pytest.mark.parametrize("price", PRICES)
def test_what_is_shown_can_be_written(price: dict[str, Any]) -> None:
    """The same price comes of it, and nothing is shown that goes without saying."""
    setting = read_price(price)
    assert isinstance(setting, PriceSettings)
    made = own_pricing(setting).at(0)
    assert made is not None
    told = shown(made)
    version = told.pop("version")
    again = read_price(told)
    assert isinstance(again, PriceSettings)
    price_again = own_pricing(again).at(0)
    assert price_again is not None and price_again.rates == made.rates and price_again.tiers == made.tiers
    assert version == made.version == price_again.version
    assert set(told) == set(price)
