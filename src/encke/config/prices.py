"""Prices as the settings have them: "free", or a table of decimals in quotes. They are kept as written, once they have
been found to be exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from encke.config.kinds import VALUE, Kind, Refusal, Refused, refuse, type_name
from encke.config.problems import nearest
from encke.core.decimals import whole
from encke.core.money import RATES

# Digits behind the point: dollars for a million tokens in pico-dollars a token, dollars a request in nano-dollars.
TOKEN_PLACES: Final = 6
REQUEST_PLACES: Final = 9
MOST_TIERS: Final = 16
MOST_TOKENS: Final = 1 << 40

_EXAMPLE: Final = 'price = { input = "0.25", output = "2" }'


class Rates(msgspec.Struct, frozen=True):
    """Decimals: dollars for a million tokens, `request` for each request; None where nothing is said."""

    input: str | None = None
    cache_read: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    audio_input: str | None = None
    image_input: str | None = None
    output: str | None = None
    reasoning: str | None = None
    audio_output: str | None = None
    image_output: str | None = None
    request: str | None = None

    @property
    def given(self) -> dict[str, int]:
        """What is said, by name, in the units of `encke.core.money`."""
        return {name: exact(name, text) for name in RATES if (text := getattr(self, name)) is not None}


class TierSettings(Rates, frozen=True):
    """What is different for requests that read more than `above` tokens."""

    above: int = 0


class PriceSettings(Rates, frozen=True):
    """A price, and its tiers, rising."""

    tiers: tuple[TierSettings, ...] = ()


PriceSetting = Literal["free"] | PriceSettings


def exact(name: str, text: str) -> int:
    """A rate of that name in the unit of `encke.core.money`. Raises ValueError."""
    return whole(text, REQUEST_PLACES if name == "request" else TOKEN_PLACES)


def read_price(value: object) -> PriceSetting:
    """A price from TOML. Raises Refused with everything wrong with it."""
    if isinstance(value, str):
        if value == "free":
            return "free"
        raise refuse(f'{VALUE} is no price; write "free", or a table such as {_EXAMPLE}', nearest(value, ("free",)))
    if not isinstance(value, dict):
        raise refuse(f'must be "free" or a table such as {_EXAMPLE}, not {type_name(value)}')
    refusals: list[Refusal] = []
    rates = _rates(value, (*RATES, "tiers"), refusals)
    for name in ("input", "output"):
        if name not in value:
            refusals.append(Refusal(f'is missing; write {name} = "0" if it costs nothing', None, (name,)))
    tiers = _tiers(value.get("tiers", []), refusals)
    if not refusals:
        price = PriceSettings(**rates, tiers=tiers)
        if any(any(each.given.values()) for each in (price, *tiers)):
            return price
        refusals.append(Refusal('costs nothing at all; write "free" if that is meant'))
    raise Refused(*refusals)


def _rates(table: Mapping[str, Any], known: tuple[str, ...], refusals: list[Refusal]) -> dict[str, Any]:
    """The rates of a table, in the order of `RATES`."""
    for name in table:
        if name not in known:
            refusals.append(Refusal("is not part of a price", nearest(name, known), (name,)))
    found: dict[str, Any] = {}
    for name in RATES:
        if name in table:
            fault = _fault(name, table[name])
            if fault is None:
                found[name] = table[name]
            else:
                refusals.append(Refusal(fault, None, (name,)))
    return found


def _fault(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        words = "a number without quotes is not exact" if isinstance(value, float) else f"not {type_name(value)}"
        return f'must be a decimal in quotes, such as {name} = "0.25"; {words}'
    try:
        exact(name, value)
    except ValueError as error:
        return f"{VALUE} {error}"
    return None


def _tiers(value: object, refusals: list[Refusal]) -> tuple[TierSettings, ...]:
    example = 'tiers = [{ above = 200000, input = "0.5" }]'
    if not isinstance(value, list) or len(value) > MOST_TIERS:
        refusals.append(Refusal(f"must be a list of at most {MOST_TIERS} tables; write {example}", None, ("tiers",)))
        return ()
    found: list[TierSettings] = []
    for index, item in enumerate(value):
        inside: list[Refusal] = []
        tier = _tier(item, inside, example)
        if tier is not None and found and tier.above <= found[-1].above:
            inside.append(Refusal("must be more than that of the tier before", None, ("above",)))
        refusals += [Refusal(r.message, r.suggestion, ("tiers", index, *r.inside)) for r in inside]
        if tier is not None:
            found.append(tier)
    return tuple(found)


def _tier(item: object, refusals: list[Refusal], example: str) -> TierSettings | None:
    if not isinstance(item, dict):
        refusals.append(Refusal(f"must be a table, not {type_name(item)}; write {example}"))
        return None
    rates = _rates(item, (*RATES, "above"), refusals)
    above = item.get("above")
    if not isinstance(above, int) or isinstance(above, bool) or not 0 < above < MOST_TOKENS:
        refusals.append(Refusal("must be a number of tokens read, such as above = 200000", None, ("above",)))
        return None
    if not rates and not refusals:
        refusals.append(Refusal("says no price; write what is different for such requests"))
    return TierSettings(**rates, above=above)


def _read_prices(value: object) -> dict[str, PriceSetting]:
    if not isinstance(value, dict):
        raise refuse(f'must be a table of model ids and their prices, not {type_name(value)}; write "MODEL" = "free"')
    found: dict[str, PriceSetting] = {}
    refusals: list[Refusal] = []
    for name, part in value.items():
        try:
            found[name] = read_price(part)
        except Refused as refused:
            refusals += [Refusal(r.message, r.suggestion, (name, *r.inside)) for r in refused.refusals]
    if refusals:
        raise Refused(*refusals)
    return found


PRICE: Final = Kind('"free" or table of prices', read_price)
PRICES: Final = Kind("table of prices by model id", _read_prices)
