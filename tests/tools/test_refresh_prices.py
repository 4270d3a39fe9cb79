"""The tool that makes the price file: exact, or it says what it does not know."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import data
from genai_prices import types as source
from genai_prices.data_units import unit_data
from tools.refresh_prices import Unmapped

from encke.catalogue.prices import PriceBook
from encke.compose import price_file
from tools import refresh_prices as tool


def price(**keys: Any) -> source.ModelPrice:
    """A price of the source; texts are decimals."""
    return source.ModelPrice(
        **{key: Decimal(value) if isinstance(value, str) else value for key, value in keys.items()}
    )


def model(prices: Any, **more: Any) -> source.ModelInfo:
    """A model of the source."""
    return source.ModelInfo(id="m", match=source.ClauseEquals(equals="M"), prices=prices, **more)


def rates(**keys: Any) -> dict[str, Any] | None:
    """What the tool makes of a price."""
    return tool.rates_of("p", "p, m", price(**keys), Counter())


def test_the_shipped_file_is_what_the_tool_makes() -> None:
    """Nobody has edited it by hand: the same source gives the same bytes, but for the day."""
    found = price_file()
    head = json.loads(found)
    lists = {one.id: rows for one in data.providers if (rows := tool.list_of(one, Counter()))}
    assert tool.render(head["version"], head["licence"], lists) == found
    assert "Permission is hereby granted" in head["licence"]


def test_prices_are_taken_by_their_digits() -> None:
    """For a million tokens: whole pico-dollars a token; for a thousand requests: whole nano-dollars each."""
    assert rates(input_mtok="0.0375", output_mtok="12", requests_kcount="5") == {
        "rates": {"input": 37_500, "output": 12_000_000, "request": 5_000_000}
    }
    assert rates(input_mtok="1E+1", output_mtok="0.10") == {"rates": {"input": 10_000_000, "output": 100_000}}


def test_tiers_hold_all_that_is_different() -> None:
    """Each from the number of tokens on that one of the prices names."""
    steps = source.TieredPrices(base=Decimal(1), tiers=[source.Tier(start=200, price=Decimal(2))])
    later = source.TieredPrices(base=Decimal(3), tiers=[source.Tier(start=500, price=Decimal(4))])
    assert rates(input_mtok=steps, output_mtok=later, cache_read_mtok="0.5") == {
        "rates": {"input": 1_000_000, "cache_read": 500_000, "output": 3_000_000},
        "tiers": [
            {"above": 200, "rates": {"input": 2_000_000, "output": 3_000_000}},
            {"above": 500, "rates": {"input": 2_000_000, "output": 4_000_000}},
        ],
    }


def test_days_and_hours_become_milliseconds() -> None:
    """UTC, also where the source writes another zone."""
    east = timezone(timedelta(hours=8))
    made = list(
        tool.terms_of(
            "p",
            model(
                [
                    source.ConditionalPrice(prices=price(input_mtok="2")),
                    source.ConditionalPrice(source.StartDateConstraint(date(2026, 7, 1)), prices=price(input_mtok="1")),
                    source.ConditionalPrice(
                        source.TimeOfDateConstraint(time(0, 30, tzinfo=east), time(8, 30)), prices=price(input_mtok="3")
                    ),
                ]
            ),
            Counter(),
        )
    )
    start = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp()) * 1000
    hour = 3_600_000
    assert [{key: term[key] for key in term if key != "rates"} for term in made if term] == [
        {}, {"start": start}, {"daily": [hour * 33 // 2, hour * 17 // 2]},
    ]  # fmt: skip


def test_what_is_not_priced_by_tokens_has_no_terms() -> None:
    """It stays in the list under its name, so that no other rule takes it for something else."""
    for prices in (price(audio_hours="1"), price(input_mtok="0", output_mtok="0"), price()):
        row = tool.row_of("p", model(prices), Counter())
        assert row == {"id": "m", "match": {"equals": "m"}, "terms": []}


class Strange:
    """Something that the source has not had so far."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def unknown() -> Iterator[tuple[str, Any, str]]:
    """What the tool must not pass over, and what it must say."""
    yield "key", lambda: rates(input_mtok="1", output_smell_mtok="2"), "output_smell_mtok"
    yield "inexact", lambda: rates(input_mtok="0.0000001"), "too precise"
    yield "rounded elsewhere", lambda: rates(cache_write_mtok="0.0833333333333333"), "too precise"
    yield "negative", lambda: rates(input_mtok="-1"), "no decimal"
    yield "not a number", lambda: rates(input_mtok="NaN"), "no decimal"
    yield "too large", lambda: rates(input_mtok="1000000"), "too large"
    yield "float", lambda: rates(input_mtok=0.5), "float"
    yield "rule", lambda: tool.match_of(Strange(sounds_like="x"), "p, m"), "match rule Strange"
    yield "nested rule", lambda: tool.match_of(source.ClauseOr(or_=[Strange()]), "p, m"), "Strange"  # type: ignore[list-item]
    yield "constraint", lambda: tool._when(Strange(), "p, m"), "constraint Strange"
    extended = source.StartDateConstraint(date(2026, 1, 1))
    extended.__dict__["zone"] = "x"
    yield "field of a constraint", lambda: tool._when(extended, "p, m"), "StartDateConstraint.zone"
    widened = model(price(input_mtok="1"))
    widened.__dict__["surcharge"] = Decimal(1)
    yield "field of a model", lambda: tool.row_of("p", widened, Counter()), "ModelInfo.surcharge"
    provider = source.Provider(id="p", name="P", api_pattern="x")
    provider.__dict__["discount"] = Decimal(1)
    yield "field of a provider", lambda: tool.list_of(provider, Counter()), "Provider.discount"
    variant = source.PriceVariant(when={"moon": "full"}, prices=price(input_mtok="2"))
    varied = model(price(input_mtok="1"), price_variants=[variant])
    yield "kind of request", lambda: tool.row_of("p", varied, Counter()), "prices by moon"
    units = {**unit_data, "input_tokens": {**unit_data["input_tokens"], "per": 1000}}
    yield "unit", lambda: tool.check_units(units), "unit of input_mtok"
    missing = {name: unit for name, unit in unit_data.items() if name != "requests"}
    yield "no unit", lambda: tool.check_units(missing), "unit of requests_kcount"


@pytest.mark.parametrize(("act", "word"), [case[1:] for case in unknown()], ids=[case[0] for case in unknown()])
def test_what_is_not_mapped_is_named(act: Any, word: str) -> None:
    """Every field, unit, rule and constraint that no table knows, and every price that is not exact."""
    with pytest.raises(Unmapped, match=word):
        act()


def test_every_price_key_of_the_source_is_in_one_table() -> None:
    """In one only; what a price key is for has been decided."""
    tables = [set(tool.TAKEN), set(tool.ASIDE), set(tool.APART)]
    assert sum(map(len, tables)) == len(set().union(*tables))
    used = {key for one in data.providers for each in one.models for key in keys_of(each)}
    assert used <= set().union(*tables)


def keys_of(each: source.ModelInfo) -> set[str]:
    prices = each.prices if isinstance(each.prices, list) else [source.ConditionalPrice(prices=each.prices)]
    return {key for one in prices for key in one.prices.__dict__}


def test_nothing_is_written_when_something_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The tool ends with the name, and the file stays as it was."""
    strange = source.Provider(id="p", name="P", api_pattern="x", models=[model(price(moon_mtok="1"))])
    monkeypatch.setattr(data, "providers", [strange])
    monkeypatch.setattr(tool, "TARGET", tmp_path / "prices.json")
    with pytest.raises(SystemExit, match="p, m: price key moon_mtok"):
        tool.main()
    assert not (tmp_path / "prices.json").exists()


def test_the_tool_writes_a_file_that_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Dated today, and whole."""
    monkeypatch.setattr(tool, "TARGET", tmp_path / "prices.json")
    tool.main()
    book = PriceBook((tmp_path / "prices.json").read_bytes)
    assert book.check() > 1500 and book.version.startswith(str(datetime.now(UTC).date())[:8])
