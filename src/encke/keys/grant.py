"""Grant: what a key may do: its own rules and limits, and those of its project and its organisation."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from encke.core.traits import Unsupported

LimitKind = Literal["budget", "requests", "tokens", "concurrency"]
Period = Literal["total", "credit", "day", "week", "month"]
# Of these so many a minute; the others are allowance that is spent, or a place that is given back.
RATES: Final = ("requests", "tokens")
Level = Literal["organisation", "project", "key"]


class Limit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One limit. `amount`: nano-dollars of a budget, requests or tokens per minute, or calls at once.

    `scope` names whose it is, for messages: `key "app"`, `project "web"`, `organisation "acme"`. Budgets only: `period`
    (a credit is a total that is topped up), `zone` (IANA), `anchor` (day of the month 1-31, shorter months end it
    earlier; ISO day of the week 1-7), `strict` (holds are for the most that a call may cost).
    """

    id: int
    kind: LimitKind
    amount: int
    scope: str
    period: Period = "total"
    zone: str = "UTC"
    anchor: int = 1
    strict: bool = False


class Rules(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one level allows; None: everything. All levels must allow a thing. Fields are only ever added.

    `models` are globs over the name asked for, `routes` names of routes such as chat, `addresses` networks in CIDR
    form. `tags` allow nothing and forbid nothing: they are for reports. `on_unsupported` is the loosest that may become
    of a call that its target cannot be asked in full.
    """

    models: tuple[str, ...] | None = None
    routes: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    on_unsupported: Unsupported | None = None


class Grant(msgspec.Struct, frozen=True):
    """What the key with this public id may do. Times are UTC milliseconds; `expires` null: never.

    `expires` is the earliest of key, project and organisation. `limits` and `rules` are those of all three levels, the
    organisation's first; levels without any rule are left out. `on_unsupported` is the strictest of theirs.
    """

    public_id: str
    name: str
    created: int
    expires: int | None = None
    project: int = 1
    limits: tuple[Limit, ...] = ()
    rules: tuple[Rules, ...] = ()
    on_unsupported: Unsupported | None = None
