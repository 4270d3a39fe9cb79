"""The shipped price file: lists of models with what they cost, one list for each provider.

Made by `tools/refresh_prices.py`. Only the lists that are asked for are decoded. Within a list the first model counts
whose rule matches; names are compared in lower case. Both as in genai-prices, which the file is made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from encke.catalogue.pricing import DAY_MS, UNPRICED, Pricing, Term, make_price
from encke.core.money import RATES

# `-20251211` at the end of a name or before a colon, which some resellers write for `-2025-12-11`.
_COMPACT_DATE: Final = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")

_NONE: Final = msgspec.Raw(b"[]")


class PriceFileError(Exception):
    """The price file is not as it must be; says what is wrong and what to do."""


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule for names: exactly one of these."""

    equals: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    regex: str | None = None
    any: tuple[Match, ...] | None = None
    all: tuple[Match, ...] | None = None

    def __post_init__(self) -> None:
        said = [value for value in msgspec.structs.astuple(self) if value is not None]
        if len(said) != 1 or not said[0]:
            raise ValueError("a rule for names must say one thing")
        if self.regex is not None:
            _compiled(self.regex)

    def fits(self, name: str) -> bool:
        """Whether it matches a name in lower case."""
        if self.equals is not None:
            return name == self.equals
        if self.starts_with is not None:
            return name.startswith(self.starts_with)
        if self.ends_with is not None:
            return name.endswith(self.ends_with)
        if self.contains is not None:
            return self.contains in name
        if self.regex is not None:
            return re.search(self.regex, name) is not None
        if self.any is not None:
            return any(each.fits(name) for each in self.any)
        assert self.all is not None
        return all(each.fits(name) for each in self.all)


Amount = Annotated[int, msgspec.Meta(ge=0, lt=10**15)]
Moment = Annotated[int, msgspec.Meta(ge=0, lt=1 << 52)]
TimeOfDay = Annotated[int, msgspec.Meta(ge=0, lt=DAY_MS)]


class TierRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates of requests that read more tokens than this."""

    above: Annotated[int, msgspec.Meta(gt=0)]
    rates: dict[str, Amount]


class TermRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates by name in `RATES`, and when they hold: see `encke.catalogue.pricing.Term`."""

    rates: dict[str, Amount]
    tiers: tuple[TierRow, ...] = ()
    start: Moment = 0
    daily: tuple[TimeOfDay, TimeOfDay] | None = None

    def __post_init__(self) -> None:
        for rates in (self.rates, *(tier.rates for tier in self.tiers)):
            if strange := rates.keys() - set(RATES):
                raise ValueError(f"unknown rate {min(strange)}")
        if not any(self.rates.values()):
            raise ValueError("a price of nothing")
        steps = [tier.above for tier in self.tiers]
        if steps != sorted(set(steps)):
            raise ValueError("tiers must rise")

    def term(self, version: str) -> Term:
        """The same, to reckon with."""
        begin, end = self.daily or (-1, -1)
        tiers = [(tier.above, tier.rates) for tier in self.tiers]
        return Term(make_price(version, self.rates, tiers), self.start, begin, end)


class ClassRow(TermRow, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A class of service (`flex`, `priority`): the rates that are different from the standard's, and since when."""

    name: Annotated[str, msgspec.Meta(min_length=1)] = ""

    def over(self, term: TermRow, version: str) -> Term:
        """A standard term with these rates in place of its own."""
        tiers = []
        for above in sorted({tier.above for tier in (*term.tiers, *self.tiers)}):
            tiers.append((above, {**_at(term, above), **self.rates, **_at(self, above)}))
        begin, end = term.daily or (-1, -1)
        price = make_price(f"{version}/{self.name}", {**term.rates, **self.rates}, tiers)
        return Term(price, max(term.start, self.start), begin, end)


def _start(row: TermRow) -> int:
    return row.start


def _at(term: TermRow, above: int) -> dict[str, Amount]:
    """The rates of the highest tier up to `above`."""
    found: dict[str, Amount] = {}
    for tier in term.tiers:
        if tier.above <= above:
            found = tier.rates
    return found


class ModelRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model: its name there, the rule for names that mean it, its terms and what is different for other classes of
    service (decoded when they are asked for), and how many tokens it can read and write together, 0 if not known.

    One without terms has no price for tokens; it is listed so that its name is not taken for another's.
    """

    id: str
    match: Match
    terms: msgspec.Raw
    context: Annotated[int, msgspec.Meta(ge=0)] = 0
    classes: msgspec.Raw = _NONE


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. `source` and `licence` are for people."""

    version: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}\+[a-z0-9.-]+$", max_length=60)]
    source: str
    licence: str
    lists: dict[str, msgspec.Raw]


_head: Final = msgspec.json.Decoder(Head)
_rows: Final = msgspec.json.Decoder(tuple[ModelRow, ...])
_terms: Final = msgspec.json.Decoder(tuple[TermRow, ...])
_classes: Final = msgspec.json.Decoder(tuple[ClassRow, ...])


class PriceList:
    """One provider's models."""

    def __init__(self, name: str, version: str, rows: tuple[ModelRow, ...]) -> None:
        self.name = name
        self.rows = rows
        self._version = version
        # The first row that a name equals, and the rows that one must look at, in order.
        self._exact: dict[str, int] = {}
        self._rules: list[tuple[int, Match]] = []
        for place, row in enumerate(rows):
            for rule in row.match.any or (row.match,):
                if rule.equals is not None:
                    self._exact.setdefault(rule.equals, place)
                else:
                    self._rules.append((place, rule))

    def find(self, model: str) -> ModelRow | None:
        """The row of a model's name; None if it has none."""
        name = model.lower()
        place = self._place(name)
        if place is None and (dated := _COMPACT_DATE.sub(r"\1\2-\3-\4", name)) != name:
            place = self._place(dated)
        return None if place is None else self.rows[place]

    def pricing(self, model: str) -> Pricing:
        """What a model costs; `UNPRICED` if it is not in the list."""
        row = self.find(model)
        return UNPRICED if row is None else self.priced(row)

    def priced(self, row: ModelRow) -> Pricing:
        """What a row says. Raises PriceFileError."""
        try:
            rows = _terms.decode(row.terms)
            classes = _classes.decode(row.classes)
        except msgspec.DecodeError as error:
            raise _damaged(f"{self.name}, {row.id}: {error}") from None
        terms = tuple(term.term(self._version) for term in rows)
        # Before a class has prices of its own, it costs what the standard does. Of those that hold the last counts, and
        # the source has the newest first.
        others: dict[str, tuple[Term, ...]] = {}
        for one in sorted(classes, key=_start):
            others[one.name] = others.get(one.name, terms) + tuple(one.over(row, self._version) for row in rows)
        return Pricing(terms, {name: Pricing(found) for name, found in others.items()})

    def _place(self, name: str) -> int | None:
        found = self._exact.get(name)
        for place, rule in self._rules:
            if found is not None and place >= found:
                break
            if rule.fits(name):
                return place
        return found


class PriceBook:
    """All lists. `read` gives the file's bytes, and is asked again for a list that was not wanted before."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._lists: dict[str, PriceList] = {}

    @property
    def version(self) -> str:
        """The file's. Raises PriceFileError."""
        return self._open().version

    def names(self) -> list[str]:
        """Of the lists. Raises PriceFileError."""
        return sorted(self._open().lists)

    def find(self, name: str) -> PriceList | None:
        """A provider's list, None if there is none. Raises PriceFileError."""
        found = self._lists.get(name)
        if found is None:
            head = self._open()
            if name not in head.lists:
                return None
            try:
                rows = _rows.decode(bytes(head.lists[name]))  # a copy, or all lists stay in memory
            except msgspec.DecodeError as error:
                raise _damaged(f"{name}: {error}") from None
            found = self._lists[name] = PriceList(name, head.version, rows)
        return found

    def check(self) -> int:
        """Decode everything; how many models there are. Raises PriceFileError."""
        head = self._open()
        count = 0
        for name in head.lists:
            prices = PriceBook(self._read).find(name)
            assert prices is not None
            for row in prices.rows:
                terms = prices.priced(row).terms
                starts = [term.start for term in terms if term.daily_from < 0]
                if starts != sorted(starts):
                    raise _damaged(f"{name}, {row.id}: a later price stands before an earlier one")
                count += bool(terms)
        return count

    def _open(self) -> Head:
        try:
            return _head.decode(self._read())
        except (OSError, msgspec.DecodeError) as error:
            raise _damaged(str(error)) from None


def _compiled(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"a rule for names is no regular expression: {error}") from None


def _damaged(what: str) -> PriceFileError:
    return PriceFileError(f"The price file that ships with the program is damaged ({what}). Install the program again.")
