"""The price file against its source: the same cost for the same usage, reckoned by the source's own code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version

import genai_prices.types as source
import pytest
from genai_prices.data import providers
from tools.refresh_prices import APART, CLASSES, NOT_LISTS, PACKAGE, ROUNDED

from encke.catalogue.prices import PriceBook, PriceList
from encke.compose import price_file
from encke.core.money import NANO
from encke.core.usage import Usage

BOOK = PriceBook(price_file)
# Before and after prices changed, in the night and in the day of those that have hours.
MOMENTS = [
    datetime(2024, 3, 1, 12, tzinfo=UTC),
    datetime(2025, 9, 4, 16, 30, tzinfo=UTC),
    datetime(2025, 9, 5, 0, 29, 59, tzinfo=UTC),
    datetime(2026, 11, 23, 9, tzinfo=UTC),
]
USAGES = [
    Usage(input=1234, cache_read=501, cache_write_5m=77, output=890, reasoning=123),
    Usage(input=150_001, cache_read=50_000, cache_write_5m=17, cache_write_1h=11_003, output=7, reasoning=3),
    Usage(input=499_983, output=70_001),
]


def theirs(usage: Usage) -> source.Usage:
    """The same usage in the source's way of counting, where the whole holds its parts."""
    return source.Usage(
        input_tokens=usage.total_input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_tokens=usage.total_output,
        output_reasoning_tokens=usage.reasoning,
    )


def listed() -> Iterator[tuple[PriceList, source.Provider, source.ModelInfo]]:
    """Every model of every list that was taken over."""
    for provider in providers:
        if provider.id.startswith(tuple(NOT_LISTS)):
            continue
        found = BOOK.find(provider.id)
        assert found is not None, provider.id
        for model in provider.models:
            yield found, provider, model


def test_the_file_is_of_the_version_that_is_locked() -> None:
    """A new version in the lock wants a new file: `make prices`."""
    assert BOOK.version.partition("+")[2] == f"{PACKAGE}-{version(PACKAGE)}", "run `make prices`"


def test_names_mean_the_same_models() -> None:
    """For the id of every model, and with what people write around ids."""
    count = 0
    for ours, provider, model in listed():
        for name in (model.id, model.id.upper(), f"{model.id}-20250914", f"{model.id}-latest", f"x{model.id}"):
            found, meant = ours.find(name), provider.find_model(name)
            assert (found and found.id) == (meant and meant.id), (provider.id, name)
            count += 1
    assert count > 8000


def test_costs_are_the_same() -> None:
    """To the nano-dollar, rounded up, for every model with a price for tokens, at moments with other prices."""
    compared = 0
    for ours, provider, model in listed():
        row = next(row for row in ours.rows if row.id == model.id)
        pricing = ours.priced(row)
        for moment in MOMENTS:
            price = pricing.at(int(moment.timestamp() * 1000))
            prices = model.get_prices(moment)
            said = {key: value for key, value in prices.__dict__.items() if value is not None}
            if price is None:
                assert unpriced(model), (provider.id, model.id)
                continue
            for usage in USAGES:
                cost = prices.calc_price(theirs(usage))["total_price"]
                wanted = int((cost * NANO).to_integral_value(ROUND_CEILING))
                rounded = any((provider.id, key) in ROUNDED for key in said)
                assert price.cost(usage) - wanted in (range(20_000) if rounded else (0,)), (
                    provider.id, model.id, moment, usage,
                )  # fmt: skip
                compared += 1
    print(f"{compared} costs as the source has them")
    assert compared > 15_000


def test_classes_of_service_cost_what_the_source_says() -> None:
    """To the nano-dollar, for every model and class that the source has prices for, also before these began; a class
    that it does not know costs what the standard does. The version names the class."""
    compared = 0
    for ours, provider, model in listed():
        pricing = ours.priced(next(row for row in ours.rows if row.id == model.id))
        named = [pair for one in model.price_variants or () for pair in one.when.items() if pair[0] in CLASSES]
        for kind, service in sorted(set(named)):
            for moment in MOMENTS:
                price = pricing.of(service).at(int(moment.timestamp() * 1000))
                prices = model.get_prices(moment, {kind: service})
                if price is None:
                    continue
                assert prices != model.get_prices(moment) or "/" not in price.version or service == "default"
                for usage in USAGES:
                    cost = prices.calc_price(theirs(usage))["total_price"]
                    assert price.cost(usage) == int((cost * NANO).to_integral_value(ROUND_CEILING)), (
                        provider.id, model.id, service, moment, usage,
                    )  # fmt: skip
                    compared += 1
        assert pricing.of("moonlight") is pricing and pricing.of("") is pricing
    print(f"{compared} costs of classes of service as the source has them")
    assert compared > 1000


def unpriced(model: source.ModelInfo) -> bool:
    """Whether the source has no price for tokens that answers count, or one of nothing, for any time."""
    prices = model.prices if isinstance(model.prices, list) else [source.ConditionalPrice(prices=model.prices)]
    for one in prices:
        said = {key: value for key, value in one.prices.__dict__.items() if value is not None}
        first = [value.base if isinstance(value, source.TieredPrices) else value for value in said.values()]
        if said.keys() & APART.keys() or not any(isinstance(value, Decimal) and value for value in first):
            return True
    return False


@pytest.mark.parametrize("usage", USAGES)
def test_the_source_counts_the_same_tokens(usage: Usage) -> None:
    """The usages that are compared are told to the source whole."""
    said = theirs(usage)
    assert said.input_tokens == usage.total_input and said.output_tokens == usage.total_output
