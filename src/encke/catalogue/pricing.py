"""Pricing: what a model costs at a moment. Prices begin on a day, or hold at hours of every day (UTC)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from encke.core.money import RATES, Price, dearer

DAY_MS: Final = 86_400_000
FOREVER: Final = 1 << 62
NO_CLASSES: Final[Mapping[str, Pricing]] = {}

# Where a price list says nothing of a kind of token, it costs what it is a kind of; in this order, since the second
# may itself stand for another.
STANDS_FOR: Final = (
    ("cache_read", "input"),
    ("cache_write_5m", "input"),
    ("cache_write_1h", "cache_write_5m"),
    ("audio_input", "input"),
    ("image_input", "input"),
    ("reasoning", "output"),
    ("audio_output", "output"),
    ("image_output", "output"),
)

Tiers = Sequence[tuple[int, Mapping[str, int]]]


class Term:
    """A price and when it holds: from `start` (UTC ms) on, and if `daily_from` is not negative, between these two
    times of every day (ms after midnight UTC, the second may lie after midnight)."""

    __slots__ = ("daily_from", "daily_to", "price", "start")

    def __init__(self, price: Price, start: int = 0, daily_from: int = -1, daily_to: int = -1) -> None:
        self.price = price
        self.start = start
        self.daily_from = daily_from
        self.daily_to = daily_to

    def holds(self, now_ms: int) -> bool:
        """Whether it holds then."""
        if now_ms < self.start:
            return False
        begin, end = self.daily_from, self.daily_to
        if begin < 0:
            return True
        time = now_ms % DAY_MS
        return begin <= time < end if begin <= end else time >= begin or time < end

    def turns(self, now_ms: int) -> list[int]:
        """The moments around `now_ms` when it begins or ends to hold."""
        found = [self.start] if self.start else []
        if self.daily_from >= 0:
            midnight = now_ms - now_ms % DAY_MS
            for day in (midnight - DAY_MS, midnight, midnight + DAY_MS):
                found += [day + self.daily_from, day + self.daily_to]
        return found


class Pricing:
    """The terms of one model; of those that hold the last counts, and if none does, the first. `classes`: what other
    classes of service cost than the standard, by their names in lower case."""

    __slots__ = ("_price", "_since", "_until", "classes", "terms")

    def __init__(self, terms: tuple[Term, ...] = (), classes: Mapping[str, Pricing] = NO_CLASSES) -> None:
        self.terms = terms
        self.classes = classes
        self._price: Price | None = None
        self._since = 0
        self._until = 0 if terms else FOREVER

    def of(self, service: str) -> Pricing:
        """A class of service; where nothing else is known of it, the standard."""
        return self.classes.get(service, self) if service else self

    def most(self, service: str, now_ms: int) -> Price | None:
        """What a call that asks for a class of service costs at most then: whoever asks for less than the standard may
        get the standard all the same."""
        standard = self.at(now_ms)
        asked = self.of(service).at(now_ms) if service else standard
        return standard if standard is None or asked is None or asked is standard else dearer(standard, asked)

    def at(self, now_ms: int) -> Price | None:
        """The price then; None if the model has none."""
        if self._since <= now_ms < self._until:
            return self._price
        return self._look(now_ms)

    def _look(self, now_ms: int) -> Price | None:
        since, until = 0, FOREVER
        price: Price | None = self.terms[0].price if self.terms else None
        for term in self.terms:
            if term.holds(now_ms):
                price = term.price
            for turn in term.turns(now_ms):
                if turn > now_ms:
                    until = min(until, turn)
                else:
                    since = max(since, turn)
        self._price, self._since, self._until = price, since, until
        return price


def make_price(version: str, rates: Mapping[str, int], tiers: Tiers = ()) -> Price:
    """A price from rates by their name in `RATES`; a tier's rates stand over the others. What is not named costs what
    it is a kind of."""
    steps = sorted(tiers, key=_above)
    return Price(version, _whole(rates), tuple((above, _whole({**rates, **each})) for above, each in steps))


def own_price(rates: Mapping[str, int], tiers: Tiers = ()) -> Price:
    """The same for an operator's own price: its version is its hash, so that equal prices have equal versions."""
    price = make_price("", rates, tiers)
    return Price(f"set-{hashlib.sha256(price.packed).hexdigest()[:12]}", price.rates, price.tiers)


def always(price: Price) -> Pricing:
    """One price, whenever."""
    return Pricing((Term(price),))


def _above(tier: tuple[int, Mapping[str, int]]) -> int:
    return tier[0]


def _whole(rates: Mapping[str, int]) -> tuple[int, ...]:
    full = dict(rates)
    for name, other in STANDS_FOR:
        full.setdefault(name, full.get(other, 0))
    return tuple(full.get(name, 0) for name in RATES)


UNPRICED: Final = Pricing()
FREE: Final = always(Price("free", (0,) * len(RATES)))
