"""A price for people: decimals of dollars for a million tokens, as the settings would have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from encke.catalogue.pricing import STANDS_FOR
from encke.core.decimals import written
from encke.core.money import RATES, Price

_REQUEST: Final = RATES.index("request")
_KIND_OF: Final = tuple(
    RATES.index(dict(STANDS_FOR)[name]) if name in dict(STANDS_FOR) else at for at, name in enumerate(RATES)
)


def shown(price: Price) -> dict[str, object]:
    """The version, and every rate that is not that of what it is a kind of; tiers as in the settings."""
    found: dict[str, object] = {"version": price.version, **_rates(price.rates)}
    if price.tiers:
        found["tiers"] = [{"above": above, **_rates(rates)} for above, rates in price.tiers]
    return found


def _rates(rates: Sequence[int]) -> dict[str, str]:
    found = {}
    for at, name in enumerate(RATES):
        if name in ("input", "output") or rates[at] != (0 if at == _REQUEST else rates[_KIND_OF[at]]):
            found[name] = written(rates[at], 9 if at == _REQUEST else 6)
    return found
