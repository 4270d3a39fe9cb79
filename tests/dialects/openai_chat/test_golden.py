"""Golden costs: what providers tell of their usage, and what it costs in whole nano-dollars, as a stream and whole.

The table `golden_costs.json` was reckoned by hand and with fractions, by nothing of the gateway.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.catalogue.prices import PriceBook
from encke.compose import price_file
from encke.config.prices import PriceSettings, read_price
from encke.core.money import Price
from encke.core.usage import Usage
from encke.dialects.openai_chat.parse import parse_reply
from encke.dialects.openai_chat.stream import ChatTap
from encke.providers.presets import read_presets
from encke.providers.prices import own_pricing

TABLE = json.loads(Path(__file__).with_name("golden_costs.json").read_text("utf-8"))
ROWS: list[dict[str, Any]] = TABLE["rows"]
NAMES = [f"{row['provider']}: {row['why']}" for row in ROWS]


def price_of(row: dict[str, Any]) -> Price:
    """As the settings would have it."""
    setting = read_price(TABLE["prices"][row["price"]])
    assert isinstance(setting, PriceSettings)
    price = own_pricing(setting).at(0)
    assert price is not None
    return price


def whole(usage: Any) -> Usage | None:
    """Usage as it stands in a whole answer."""
    data = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
    return parse_reply("chat", msgspec.json.encode(data)).usage


def embedded(usage: Any) -> Usage | None:
    """Usage as it stands in an embedding's answer."""
    return parse_reply("embeddings", msgspec.json.encode({"data": [], "usage": usage})).usage


def streamed(usage: Any) -> Usage | None:
    """Usage in an event of its own at the end."""
    tap = ChatTap(True)
    tap.feed(b'{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}')
    tap.feed(msgspec.json.encode({"choices": [], "usage": usage}))
    return tap.usage


def told_again(usage: Any) -> Usage | None:
    """Usage in every event, growing; the last counts, beside a choice."""
    tap = ChatTap(True)
    for part in ({"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}, usage):
        tap.feed(msgspec.json.encode({"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": part}))
    return tap.usage


@pytest.mark.parametrize("way", [whole, embedded, streamed, told_again])
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_cost_is_the_one_in_the_table(row: dict[str, Any], way: Any) -> None:
    """To the nano-dollar, and the same however the answer came."""
    usage = way(row["usage"])
    assert usage == Usage(**row["buckets"])
    assert price_of(row).cost(usage) == row["cost"]


def test_no_golden_cost_is_nothing() -> None:
    """Usage that is not nothing, on a model with a price, costs something; and the table is about known providers."""
    assert all(row["cost"] > 0 for row in ROWS)
    assert {row["provider"] for row in ROWS} <= {*read_presets(), "lab"}
    assert len(ROWS) > 25


def test_no_usage_on_a_priced_model_costs_nothing() -> None:
    """Every model of the price file, with a single token read and one written."""
    book = PriceBook(price_file)
    for name in book.names():
        found = book.find(name)
        assert found is not None
        for row in found.rows:
            for term in found.priced(row).terms:
                assert term.price.cost(Usage(input=1, output=1)) > 0, (name, row.id)
