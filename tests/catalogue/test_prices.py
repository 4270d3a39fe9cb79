"""The shipped price file, and files that are not as they must be."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import msgspec
import pytest

from encke.catalogue.prices import PriceBook, PriceFileError, PriceList
from encke.compose import price_file
from encke.core.money import RATES, Price
from encke.providers.presets import read_presets

NOW = 1_795_000_000_000  # November 2026
SHIPPED = PriceBook(price_file)


def shipped(name: str) -> PriceList:
    """A list of the shipped file."""
    found = SHIPPED.find(name)
    assert found is not None
    return found


def rates(provider: str, model: str) -> dict[str, int]:
    """What a model costs now, by name."""
    price = shipped(provider).pricing(model).at(NOW)
    assert price is not None, model
    return dict(zip(RATES, price.rates, strict=True))


def test_everything_in_the_shipped_file_can_be_read() -> None:
    """Every list, every rule, every term; the version tells the day and the source."""
    assert SHIPPED.check() > 1500
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\+genai-prices-\d+\.\d+\.\d+", SHIPPED.version)


def test_lists_of_the_known_providers_are_there() -> None:
    """Every preset that names a list names one of the file."""
    named = {preset.price_list for preset in read_presets().values() if preset.price_list}
    assert len(named) > 15 and named <= set(SHIPPED.names())


def test_no_price_of_the_file_is_nothing() -> None:
    """A model that costs nothing in the source has no price here: it would look free."""
    for name in SHIPPED.names():
        found = shipped(name)
        for row in found.rows:
            for term in found.priced(row).terms:
                assert not term.price.free, (name, row.id)
                assert term.price.version == SHIPPED.version


def test_known_prices_are_exact() -> None:
    """A few that everybody can look up, in pico-dollars a token."""
    assert rates("openai", "gpt-4o-mini")["input"] == 150_000
    assert rates("openai", "gpt-4o-mini")["cache_read"] == 75_000
    assert rates("openai", "gpt-4o-mini")["output"] == 600_000
    sonnet = rates("anthropic", "claude-sonnet-4-5-20250929")
    assert (sonnet["input"], sonnet["output"]) == (3_000_000, 15_000_000)
    assert (sonnet["cache_read"], sonnet["cache_write_5m"], sonnet["cache_write_1h"]) == (300_000, 3_750_000, 6_000_000)
    assert rates("perplexity", "sonar")["request"] == 12_000_000


@pytest.mark.parametrize(
    ("provider", "name", "same_as"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai", "GPT-4o-Mini", "gpt-4o-mini"),
        ("openai", "gpt-5.4-20260305", "gpt-5.4-2026-03-05"),
        ("anthropic", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
    ],
)
def test_dated_ids_are_found(provider: str, name: str, same_as: str) -> None:
    """By the source's own rules, whatever the case, also where the date is written without dashes."""
    found, other = shipped(provider).find(name), shipped(provider).find(same_as)
    assert found is not None and found is other


@pytest.mark.parametrize("name", ["", "no-such-model", "gpt", "é" * 100, "x" * 256, "../gpt-4o-mini\n"])
def test_unknown_names_are_unpriced(name: str) -> None:
    """What no rule matches has no price, and no other's."""
    assert shipped("openai").pricing(name).at(NOW) is None


def test_a_resellers_models_are_looked_for_at_the_reseller_only() -> None:
    """Azure has no list price of its own for this deployment name, though OpenAI has."""
    assert shipped("openai").pricing("gpt-4o-mini").at(NOW) is not None
    assert shipped("azure").pricing("gpt-4o-mini").at(NOW) is None


def test_models_that_cost_nothing_in_the_source_are_unpriced() -> None:
    """Free models of a reseller, and aliases that the source has at nothing."""
    free = [row for row in shipped("openrouter").rows if row.id.endswith(":free")]
    assert free and all(shipped("openrouter").priced(row).at(NOW) is None for row in free)


def test_the_first_rule_counts() -> None:
    """As a look at every row in turn would find it, for the names of all rows of all lists."""
    for name in SHIPPED.names():
        found = shipped(name)
        for row in found.rows:
            wanted = row.id.lower()
            assert found.find(row.id) is next((one for one in found.rows if one.match.fits(wanted)), found.find(row.id))


def test_only_what_is_asked_for_is_kept() -> None:
    """A worker with one provider keeps that one's list, and little of it."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    book = PriceBook(price_file)
    assert book.find("openai") is not None
    assert tracemalloc.get_traced_memory()[0] - before < 400_000
    tracemalloc.stop()


def changed(change: dict[str, Any]) -> PriceBook:
    """A small file, with something different in its only row or in its head."""
    row = {"id": "m", "match": {"equals": "m"}, "terms": [{"rates": {"input": 1}}]} | change.pop("row", {})
    file = {"version": "2026-01-01+x-1", "source": "s", "licence": "l", "lists": {"p": [row]}} | change
    return PriceBook(lambda: msgspec.json.encode(file))


@pytest.mark.parametrize("newest_first", [True, False])
def test_prices_of_a_class_begin_on_their_days(newest_first: bool) -> None:
    """Whichever of them stands first in the file; before the first of them the standard holds."""
    flex = [{"name": "flex", "rates": {"input": rate}, "start": start} for rate, start in ((6, 1000), (7, 2000))]
    other = {"name": "fast", "rates": {"input": 30}, "start": 1500}
    prices = changed(
        {"row": {"terms": [{"rates": {"input": 10}}], "classes": [*(flex[::-1] if newest_first else flex), other]}}
    )
    found = prices.find("p")
    assert found is not None
    pricing = found.pricing("m").of("flex")
    told = [price.rates[0] for now in (999, 1000, 1999, 2000, 9999) if (price := pricing.at(now)) is not None]
    assert told == [10, 6, 6, 7, 7]


def test_prices_in_disorder_are_told() -> None:
    """A later price before an earlier one would hold for ever after it; hours of the day may stand anywhere."""
    later, first = {"rates": {"input": 2}, "start": 2000}, {"rates": {"input": 1}}
    assert changed({"row": {"terms": [first, later, first | {"daily": [0, 1000]}]}}).check() == 1
    with pytest.raises(PriceFileError, match="p, m: a later price"):
        changed({"row": {"terms": [later, first]}}).check()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"version": "x"}, "version"),
        ({"more": 1}, "more"),
        ({"row": {"match": {}}}, "must say one thing"),
        ({"row": {"match": {"equals": "a", "contains": "b"}}}, "must say one thing"),
        ({"row": {"match": {"like": "a"}}}, "like"),
        ({"row": {"match": {"regex": "("}}}, "regular expression"),
        ({"row": {"terms": [{"rates": {"input": -1}}]}}, "rates"),
        ({"row": {"terms": [{"rates": {"input": 1.5}}]}}, "rates"),
        ({"row": {"terms": [{"rates": {"input": "1"}}]}}, "rates"),
        ({"row": {"terms": [{"rates": {"inputs": 1}}]}}, "unknown rate inputs"),
        ({"row": {"terms": [{"rates": {"input": 0}}]}}, "a price of nothing"),
        ({"row": {"terms": [{"rates": {}}]}}, "a price of nothing"),
        ({"row": {"terms": [{"rates": {"input": 1}, "until": 3}]}}, "until"),
        (
            {
                "row": {
                    "terms": [{"rates": {"input": 1}, "tiers": [{"above": 5, "rates": {}}, {"above": 5, "rates": {}}]}]
                }
            },
            "rise",
        ),
    ],
)
def test_a_damaged_file_is_told(change: dict[str, Any], word: str) -> None:
    """Whatever is not as it must be is named, and what to do."""
    with pytest.raises(PriceFileError, match=word) as told:
        changed(change).check()
    assert "Install the program again" in str(told.value)


def test_half_a_file_or_none_is_told() -> None:
    """A file that ends early, and one that is not there."""

    def missing() -> bytes:
        raise FileNotFoundError(2, "No such file")

    for read in (lambda: price_file()[:50_000], lambda: b"", missing):
        with pytest.raises(PriceFileError):
            PriceBook(read).find("openai")


def test_a_list_that_is_not_there_is_none() -> None:
    """And no error: the settings' reader tells it with the names there are."""
    assert changed({}).find("q") is None
    found = changed({}).find("p")
    assert found is not None and isinstance(found.pricing("M").at(NOW), Price)
