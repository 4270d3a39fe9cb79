"""Makes the shipped price file from the package genai-prices: `make prices`, or `python -m tools.refresh_prices`.

Everything in the source is either taken over exactly or named in a table here with the reason why not; what is in no
table ends the tool with its name. Prices go from Decimal to whole pico-dollars by way of their digits, never by floats.
"""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from genai_prices import data
from genai_prices import types as source
from genai_prices.data_units import unit_data

from encke.catalogue.prices import PriceBook
from encke.config.prices import exact
from encke.core.decimals import whole
from encke.core.money import RATES

TARGET: Final = Path(__file__).parent.parent / "src" / "encke" / "catalogue" / "prices.json"
PACKAGE: Final = "genai-prices"
# The source's price key -> our rates, and how many of the unit the source's price is for.
TAKEN: Final[dict[str, tuple[str, ...]]] = {
    "input_mtok": ("input",),
    "output_mtok": ("output",),
    "cache_read_mtok": ("cache_read",),
    # Without a price of their own, writes for an hour cost what all writes cost: so the source reckons too.
    "cache_write_mtok": ("cache_write_5m",),
    "cache_write_5m_mtok": ("cache_write_5m",),
    "cache_write_1h_mtok": ("cache_write_1h",),
    "input_audio_mtok": ("audio_input",),
    "output_audio_mtok": ("audio_output",),
    "input_image_mtok": ("image_input",),
    "output_image_mtok": ("image_output",),
    "output_reasoning_mtok": ("reasoning",),
    "requests_kcount": ("request",),
}

# Left out of a price, because no call through the gateway's routes is charged by them in a way that it could count.
ASIDE: Final[dict[str, str]] = {
    "web_searches_kcount": "a fee for a tool that the provider runs; answers do not count it on this wire",
    "storage_searches_kcount": "a fee for a tool of another API (file search)",
    "cache_audio_read_mtok": "answers do not tell cached sound from cached text; it counts as a cache read",
    "cache_image_read_mtok": "answers do not tell cached images from cached text; they count as a cache read",
}

# A model with one of these is left out whole, hence unpriced: its price is not one for tokens that answers count.
APART: Final[dict[str, str]] = {
    "audio_hours": "by the hour",
    "input_audio_hours": "by the hour",
    "input_mchars": "by the character",
    "input_document_kpages": "by the page",
    "input_annotated_document_kpages": "by the page",
    "input_text_messages_kcount": "by the message",
    "input_video_mtok": "for video, which answers do not count apart",
    "output_video_mtok": "for video, which answers do not count apart",
    "output_citation_mtok": "for citations, which answers do not count apart",
}

# Prices for requests of a kind that are taken over: answers say that they were of it, by these names.
CLASSES: Final = ("service_tier", "speed")
# Those that are not; calls are reckoned at the standard price.
VARIANTS: Final[dict[str, str]] = {
    "processing": "there is no route for batches",
    "search_type": "the standard price is the dearest kind",
    "route": "the caller does not choose among a reseller's regions",
}

# Lists that are left out.
NOT_LISTS: Final[dict[str, str]] = {
    "huggingface_": "the router chooses among these; an answer does not tell which it was",
}

# Source's digits that are no whole pico-dollars: a twelfth (or twenty-fourth) of a dollar, cut off. Rounded up.
ROUNDED: Final[dict[tuple[str, str], dict[str, int]]] = {
    ("openrouter", "cache_write_mtok"): {
        "0.0833333333333333": 83_334,
        "0.08333333333333334": 83_334,
        "0.04166666666666665": 41_667,
        "0.041666666666666664": 41_667,
        "0.0416666666666667": 41_667,
    },
}

# Every field that the source's records may have; those that say nothing of prices or names are None.
PROVIDER_FIELDS: Final = frozenset(
    {
        "id", "name", "api_pattern", "pricing_urls", "description", "price_comments", "model_match", "provider_match",
        "extractors", "models",
        # Whose prices to guess a reseller's from. A guess is what we do not want: such models are unpriced.
        "fallback_model_providers",
    }
)  # fmt: skip
MODEL_FIELDS: Final = frozenset(
    {
        "id", "match", "name", "description", "context_window", "price_comments", "deprecated", "prices",
        "price_variants",
    }
)  # fmt: skip


class Unmapped(Exception):
    """Something in the source that no table here knows."""


class Tiered(NamedTuple):
    """A price: the first, and those above so many tokens."""

    base: int
    steps: tuple[tuple[int, int], ...]

    def above(self, tokens: int) -> int:
        return next((price for start, price in reversed(self.steps) if tokens >= start), self.base)


def main() -> None:
    """Make the file; say what was left out."""
    told: Counter[str] = Counter()
    try:
        check_units(unit_data)
        lists = {one.id: rows for one in data.providers if (rows := list_of(one, told))}
    except Unmapped as error:
        sys.exit(f"{PACKAGE}: {error}. Nothing was written; map it in {Path(__file__).name}.")
    package = distribution(PACKAGE)
    licence = package.read_text("licenses/LICENSE")
    if not licence:
        sys.exit(f"{PACKAGE} has no licence to keep beside what is made from it.")
    version = f"{datetime.datetime.now(datetime.UTC).date()}+{PACKAGE}-{package.version}"
    text = render(version, licence, lists)
    count = PriceBook(lambda: text).check()
    TARGET.write_bytes(text)
    print(f"{version}: {count} models in {len(lists)} lists, {len(text):,} bytes. Left out:")
    for what, times in sorted(told.items()):
        print(f"  {what}: {times}")


def render(version: str, licence: str, lists: Mapping[str, list[dict[str, Any]]]) -> bytes:
    """JSON with a line for each model, so that a change of the file can be read."""
    encode = msgspec.json.encode
    head = {"version": version, "source": PACKAGE, "licence": licence}
    lines = [f"{encode(name).decode()}:{encode(value).decode()}," for name, value in head.items()]
    parts = [
        f"{encode(name).decode()}:[\n" + ",\n".join(encode(row).decode() for row in lists[name]) + "\n]"
        for name in sorted(lists)
    ]
    return ("{\n" + "\n".join(lines) + '\n"lists":{\n' + ",\n".join(parts) + "\n}}\n").encode()


def list_of(provider: source.Provider, told: Counter[str]) -> list[dict[str, Any]]:
    """The rows of a provider, in the source's order, since the first that matches counts."""
    _known(provider, PROVIDER_FIELDS, provider.id)
    for start, why in NOT_LISTS.items():
        if provider.id.startswith(start):
            told[f"list {start}*, as {why}"] += 1
            return []
    return [row for model in provider.models if (row := row_of(provider.id, model, told))]


def row_of(provider: str, model: source.ModelInfo, told: Counter[str]) -> dict[str, Any] | None:
    """A model as `encke.catalogue.prices.ModelRow`; without terms it stays in the list, so that its name is not taken
    for another's."""
    _known(model, MODEL_FIELDS, f"{provider}, {model.id}")
    classes = list(classes_of(provider, model, told))
    terms = list(terms_of(provider, model, told))
    if None in terms:
        terms = []
    row = {"id": model.id, "match": match_of(model.match, f"{provider}, {model.id}"), "terms": terms}
    if terms and classes:
        row["classes"] = classes
    return row | ({"context": model.context_window} if model.context_window else {})


def classes_of(provider: str, model: source.ModelInfo, told: Counter[str]) -> Iterator[dict[str, Any]]:
    """What is different for the classes of service; one that is priced as the standard is no class of its own."""
    where = f"{provider}, {model.id}"
    for variant in model.price_variants or ():
        kinds = list(variant.when)
        for kind in kinds:
            if kind not in VARIANTS and kind not in CLASSES:
                raise Unmapped(f"{where}: prices by {kind}")
            if kind in VARIANTS:
                told[f"prices by {kind}, as {VARIANTS[kind]}"] += 1
        if kinds[0] in CLASSES and any(value is not None for value in vars(variant.prices).values()):
            if len(kinds) != 1:
                raise Unmapped(f"{where}: prices by {', '.join(kinds)}")
            rates = rates_of(provider, where, variant.prices, told)
            if rates is None:
                raise Unmapped(f"{where}: a class of service for nothing")
            yield {"name": variant.when[kinds[0]].lower(), **rates, **_when(variant.constraint, where)}


def terms_of(provider: str, model: source.ModelInfo, told: Counter[str]) -> Iterator[dict[str, Any] | None]:
    """The terms; None for one that cannot be reckoned with."""
    prices = model.prices if isinstance(model.prices, list) else [source.ConditionalPrice(prices=model.prices)]
    for one in prices:
        where = f"{provider}, {model.id}"
        rates = rates_of(provider, where, one.prices, told)
        yield None if rates is None else rates | _when(one.constraint, where)


def rates_of(provider: str, where: str, prices: source.ModelPrice, told: Counter[str]) -> dict[str, Any] | None:
    """Rates and tiers; None if the model has no price for tokens."""
    found: dict[str, Tiered] = {}
    for key, value in prices.__dict__.items():
        if value is None:
            continue
        if key in ASIDE:
            told[f"{key}, as {ASIDE[key]}"] += 1
        elif key in APART:
            told[f"model with {key}: {APART[key]}"] += 1
            return None
        elif key in TAKEN:
            for rate in TAKEN[key]:
                found[rate] = _tiered(provider, where, key, value)
        else:
            raise Unmapped(f"{where}: price key {key}")
    if not any(price.base for price in found.values()):
        told["model without a price, or with one of nothing"] += 1
        return None
    starts = sorted({start for price in found.values() for start, _ in price.steps})
    names = [rate for rate in RATES if rate in found]
    rates: dict[str, Any] = {"rates": {rate: found[rate].base for rate in names}}
    if starts:
        rates["tiers"] = [
            {"above": start, "rates": {rate: found[rate].above(start) for rate in names if found[rate].steps}}
            for start in starts
        ]
    return rates


def _tiered(provider: str, where: str, key: str, value: object) -> Tiered:
    if isinstance(value, source.TieredPrices):
        _known(value, frozenset({"base", "tiers"}), where)
        steps = []
        for tier in value.tiers:
            _known(tier, frozenset({"start", "price"}), where)
            steps.append((tier.start, _amount(provider, where, key, tier.price)))
        return Tiered(_amount(provider, where, key, value.base), tuple(steps))
    return Tiered(_amount(provider, where, key, value), ())


def _amount(provider: str, where: str, key: str, value: object) -> int:
    """In pico-dollars a token, or nano-dollars a request."""
    if not isinstance(value, Decimal):
        raise Unmapped(f"{where}: {key} is a {type(value).__name__}")
    text = f"{value:f}"
    rounded = ROUNDED.get((provider, key), {}).get(text)
    if rounded is not None:
        return rounded
    try:
        if key == "requests_kcount":
            return whole(text, 6)  # a dollar for a thousand is a micro-dollar times a thousand each
        return exact(TAKEN[key][0], text)
    except ValueError as error:
        raise Unmapped(f"{where}: {key} {text} {error}") from None


def _when(constraint: object, where: str) -> dict[str, Any]:
    if constraint is None:
        return {}
    if isinstance(constraint, source.StartDateConstraint):
        _known(constraint, frozenset({"start_date"}), where)
        midnight = datetime.datetime.combine(constraint.start_date, datetime.time(), datetime.UTC)
        return {"start": int(midnight.timestamp()) * 1000}
    if isinstance(constraint, source.TimeOfDateConstraint):
        _known(constraint, frozenset({"start_time", "end_time"}), where)
        return {"daily": [_time_of_day(constraint.start_time), _time_of_day(constraint.end_time)]}
    raise Unmapped(f"{where}: constraint {type(constraint).__name__}")


def _time_of_day(value: datetime.time) -> int:
    """Milliseconds after midnight UTC; times without a zone are UTC."""
    moment = datetime.datetime.combine(datetime.date(2000, 1, 2), value, value.tzinfo or datetime.UTC)
    utc = moment.astimezone(datetime.UTC)
    return ((utc.hour * 60 + utc.minute) * 60 + utc.second) * 1000


_CLAUSES: Final[dict[type, tuple[str, str]]] = {
    source.ClauseEquals: ("equals", "equals"),
    source.ClauseStartsWith: ("starts_with", "starts_with"),
    source.ClauseEndsWith: ("ends_with", "ends_with"),
    source.ClauseContains: ("contains", "contains"),
    source.ClauseRegex: ("regex", "regex"),
    source.ClauseOr: ("or_", "any"),
    source.ClauseAnd: ("and_", "all"),
}


def match_of(clause: object, where: str) -> dict[str, Any]:
    """A rule as `encke.catalogue.prices.Match`: texts in lower case, as names are when they are compared."""
    if type(clause) not in _CLAUSES:
        raise Unmapped(f"{where}: match rule {type(clause).__name__}")
    theirs, ours = _CLAUSES[type(clause)]
    _known(clause, frozenset({theirs}), where)
    value = getattr(clause, theirs)
    if isinstance(value, list):
        return {ours: [match_of(each, where) for each in value]}
    return {ours: value if ours == "regex" else value.lower()}


def _known(record: object, fields: frozenset[str], where: str) -> None:
    """Every field of a record is in the table. Raises Unmapped."""
    for name, value in vars(record).items():
        if name not in fields and value is not None:
            raise Unmapped(f"{where}: field {type(record).__name__}.{name}")


def check_units(units: Mapping[str, Any]) -> None:
    """Every unit that is taken over is for as many as is reckoned with. Raises Unmapped."""
    by_key = {unit["price_key"]: unit for unit in units.values()}
    for key in TAKEN:
        per = 1000 if key == "requests_kcount" else 1_000_000
        if key not in by_key or by_key[key]["per"] != per:
            raise Unmapped(f"unit of {key}")


if __name__ == "__main__":
    main()
