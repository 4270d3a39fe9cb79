"""What may be said of a key, a project or an organisation: budgets, rates, rules, expiry. From text, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, NamedTuple, get_args
from zoneinfo import available_timezones

import msgspec

from encke.admin.amounts import dollars, number
from encke.admin.context import AdminError
from encke.admin.times import ahead_or_at
from encke.config.problems import nearest, quote
from encke.core.addresses import network
from encke.core.traits import POLICIES, Unsupported
from encke.keys.grant import Limit, LimitKind, Period, Rules
from encke.keys.granting import NO_RULES
from encke.keys.rules import ROUTES
from encke.store.levels import LimitEdit

# The option, the kind of limit, the most it may be.
RATES: Final[tuple[tuple[str, LimitKind, int], ...]] = (
    ("rpm", "requests", 10**9),
    ("tpm", "tokens", 10**12),
    ("concurrency", "concurrency", 10**6),
)
PERIODS: Final[tuple[str, ...]] = get_args(Period)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFF, ANY, NEVER = "off", "any", "never"
MOST_ITEMS: Final = 200
LONGEST_ITEM: Final = 256
LONGEST_TAG: Final = 64
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*=[^\s=][^=]*|[A-Za-z0-9][A-Za-z0-9_.:/-]*")


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options as they were written; null: not given. Lists of rules are written with commas.

    `budget`: `25/month`; `anchor`: a day of the month, or of the week; both may be given several times. `strict`,
    `zone` and `anchor` are those of the budgets given with them. What takes a restriction away: `off` for rates, `any`
    for lists and `on_unsupported`, `never` for `expires`; `tag` replaces all tags, an empty one takes them away.
    """

    budget: tuple[str, ...] = ()
    strict: bool | None = None
    zone: str | None = None
    anchor: tuple[str, ...] = ()
    rpm: str | None = None
    tpm: str | None = None
    concurrency: str | None = None
    models: str | None = None
    routes: str | None = None
    addresses: str | None = None
    expires: str | None = None
    on_unsupported: str | None = None
    tag: tuple[str, ...] | None = None


NO_TERMS = Terms()


class Budget(NamedTuple):
    """One budget as it was written; what was not said is null."""

    amount: int
    period: Period
    zone: str | None
    anchor: int | None
    strict: bool | None


def budgets(terms: Terms) -> list[Budget]:
    """Raises AdminError."""
    written = [_amount(text) for text in terms.budget]
    periods = [period for _, period in written]
    for period in periods:
        if periods.count(period) > 1:
            raise AdminError(f"two budgets for {_words(period)} are given; the smaller one would be the only one")
    if not written and (terms.strict is not None or terms.zone is not None or terms.anchor):
        raise AdminError("strict, zone and anchor say how a budget is kept; give the budget with them: 25/month")
    zone = None if terms.zone is None else _zone(terms.zone)
    if zone is not None and not {"day", "week", "month"} & set(periods):
        raise AdminError("a zone says when a day, week or month begins, and no budget has one")
    anchors = _anchors(terms.anchor, periods)
    return [
        Budget(amount, period, zone if period not in ("total", "credit") else None, anchors.get(period), terms.strict)
        for amount, period in written
    ]


def rates(terms: Terms) -> list[tuple[LimitKind, int | None]]:
    """The rates that were given; None: to be taken away. Raises AdminError."""
    found: list[tuple[LimitKind, int | None]] = []
    for option, kind, most in RATES:
        text: str | None = getattr(terms, option)
        if text is not None:
            found.append((kind, None if text.strip() == OFF else number(text, most, option)))
    return found


def new_limits(terms: Terms) -> list[Limit]:
    """The limits of something new. Raises AdminError."""
    found = [made(each) for each in budgets(terms)]
    return found + [Limit(0, kind, amount, "") for kind, amount in rates(terms) if amount is not None]


def made(budget: Budget) -> Limit:
    """A new limit of a budget."""
    zone, anchor = budget.zone or "UTC", budget.anchor or 1
    return Limit(0, "budget", budget.amount, "", budget.period, zone, anchor, bool(budget.strict))


def rules(terms: Terms, before: Rules = NO_RULES) -> Rules:
    """What the rules become. Raises AdminError."""
    return Rules(
        _items(terms.models, before.models, "models", _model),
        _items(terms.routes, before.routes, "routes", _route),
        _items(terms.addresses, before.addresses, "addresses", _address),
        before.tags if terms.tag is None else _tags(terms.tag),
        _policy(terms.on_unsupported, before.on_unsupported),
    )


def edit(terms: Terms, owned: Iterable[Limit]) -> LimitEdit:
    """What becomes of limits that there are: a budget for the same period gets the amount that was given and keeps what
    was spent of it. Raises AdminError."""
    add: list[Limit] = []
    put: list[Limit] = []
    remove: list[int] = []
    present = {(limit.kind, limit.period): limit for limit in owned}
    for budget in budgets(terms):
        known = present.get(("budget", budget.period))
        if known is None:
            add.append(made(budget))
        else:
            put.append(_changed(known, budget))
    for kind, amount in rates(terms):
        known = present.get((kind, "total"))
        if amount is None:
            remove += [] if known is None else [known.id]
        elif known is None:
            add.append(Limit(0, kind, amount, ""))
        else:
            put.append(msgspec.structs.replace(known, amount=amount))
    return LimitEdit(add, put, remove)


def _changed(known: Limit, budget: Budget) -> Limit:
    said = {"zone": budget.zone, "anchor": budget.anchor, "strict": budget.strict}
    changes = {name: value for name, value in said.items() if value is not None}
    return msgspec.structs.replace(known, amount=budget.amount, **changes)


def expires(terms: Terms, now: int, before: int | None = None) -> int | None:
    """When it ends, UTC ms; null is never. Raises AdminError."""
    if terms.expires is None:
        return before
    return None if terms.expires.strip() == NEVER else ahead_or_at(terms.expires, now, "expires")


def _amount(text: str) -> tuple[int, Period]:
    amount, slash, period = text.partition("/")
    name = period.strip() if slash else "total"
    for known in get_args(Period):
        if name == known:
            return dollars(amount, "the budget"), known
    near = nearest(name, PERIODS)
    meant = f"; did you mean {near}?" if near else f"; use one of {', '.join(PERIODS)}"
    raise AdminError(f"the budget {quote(text)} has no period {quote(name)}{meant}")


def _words(period: str) -> str:
    return {"total": "all time", "credit": "credit"}.get(period, f"each {period}")


def _zone(text: str) -> str:
    if text not in _zones():
        near = nearest(text, _zones())
        meant = f"; did you mean {near}?" if near else "; use a name such as Europe/Berlin"
        raise AdminError(f"there is no time zone {quote(text)}{meant}")
    return text


@cache
def _zones() -> frozenset[str]:
    # Without what is only a name for this machine's own zone: another machine has another.
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _anchors(texts: Iterable[str], periods: list[Period]) -> dict[Period, int]:
    found: dict[Period, int] = {}
    for text in texts:
        day = text.strip().lower()
        period: Period = "month" if day.isdigit() else "week"
        if period == "week":
            if day not in WEEKDAYS:
                raise AdminError(f"the anchor {quote(text)} is no day; use 1 to 31 for a month, mon to sun for a week")
            value = WEEKDAYS.index(day) + 1
        else:
            if not day.isascii() or len(day) > 2 or not 1 <= int(day) <= 31:
                raise AdminError(f"the anchor {quote(text)} is no day of a month; use 1 to 31")
            value = int(day)
        if period not in periods:
            raise AdminError(f"the anchor {quote(text)} is a day of a {period}, and no budget for a {period} is given")
        if period in found:
            raise AdminError(f"two anchors for a {period} are given")
        found[period] = value
    return found


def _items(
    text: str | None, before: tuple[str, ...] | None, what: str, read: Callable[[str], str]
) -> tuple[str, ...] | None:
    if text is None:
        return before
    if text.strip() == ANY:
        return None
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise AdminError(f"{what} {quote(text)} has an empty part; separate by single commas, or say any for all")
    if len(items) > MOST_ITEMS:
        raise AdminError(f"{what} has {len(items)} parts; {MOST_ITEMS} are the most")
    return tuple(dict.fromkeys(map(read, items)))


def _model(text: str) -> str:
    if len(text) > LONGEST_ITEM or not text.isprintable():
        raise AdminError(f"the model {quote(text)} is longer than {LONGEST_ITEM} characters, or has control characters")
    return text


def _route(text: str) -> str:
    if text not in ROUTES:
        near = nearest(text, ROUTES)
        meant = f"; did you mean {near}?" if near else f"; use some of {', '.join(ROUTES)}"
        raise AdminError(f"there is no route {quote(text)}{meant}")
    return text


def _policy(text: str | None, before: Unsupported | None) -> Unsupported | None:
    if text is None:
        return before
    word = text.strip().lower()
    for known in POLICIES:
        if word == known:
            return known
    if word == ANY:
        return None
    near = nearest(word, POLICIES)
    meant = f"did you mean {near}?" if near else f"use one of {', '.join(POLICIES)}, or any"
    raise AdminError(f"on-unsupported cannot be {quote(text)}; {meant}")


def _address(text: str) -> str:
    try:
        return str(network(text))
    except ValueError as error:
        why = "has bits set behind its length" if "host bits" in str(error) else "is neither an address nor a network"
        raise AdminError(f"the address {quote(text)} {why}; use a form such as 10.0.0.0/8 or 2001:db8::/32") from None


def _tags(texts: tuple[str, ...]) -> tuple[str, ...]:
    found = [text.strip() for text in texts if text.strip()]
    for text in found:
        if len(text) > LONGEST_TAG or not text.isprintable() or _TAG.fullmatch(text) is None:
            raise AdminError(
                f"the tag {quote(text)} cannot be used; use a word or name=value, {LONGEST_TAG} characters"
            )
    if len(found) > MOST_ITEMS:
        raise AdminError(f"{len(found)} tags are given; {MOST_ITEMS} are the most")
    return tuple(dict.fromkeys(found))
