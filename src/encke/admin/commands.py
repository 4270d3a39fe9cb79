"""Commands by name, so that they can arrive as messages: arguments and results are plain JSON types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from encke.admin import budgets, keys, levels
from encke.admin.budgets import Owner
from encke.admin.context import AdminError, Context
from encke.admin.terms import Terms
from encke.admin.times import span
from encke.admin.usage import DEFAULT_SINCE, UsageReport, usage
from encke.config.problems import quote
from encke.store.levels import Upper

DEFAULT_GRACE = "24h"


class CreateKey(Terms, frozen=True, forbid_unknown_fields=True):
    """`name` of its own, or one is made up; `project`: one, or `default`."""

    name: str | None = None
    project: str | None = None


class UpdateKey(Terms, frozen=True, forbid_unknown_fields=True):
    """`ref`: its id or name; `name`: another one."""

    ref: str = ""
    name: str | None = None


class RotateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`grace`: a span such as 24h, or 0."""

    ref: str
    grace: str = DEFAULT_GRACE


class CreateLevel(Terms, frozen=True, forbid_unknown_fields=True):
    """`org`: the organisation of a project, or `default`."""

    name: str = ""
    org: str | None = None


class UpdateLevel(Terms, frozen=True, forbid_unknown_fields=True):
    """`ref`: its name; `name`: another one."""

    ref: str = ""
    name: str | None = None


class SetBudget(Terms, frozen=True, forbid_unknown_fields=True):
    """Whose, and the budget."""

    owner: Owner = Owner()


class Credit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose, and how many dollars more."""

    owner: Owner
    amount: str


class RemoveBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose, and for which period."""

    owner: Owner
    period: str


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing."""


class Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key's id or name, or the name of a project or an organisation."""

    ref: str


class UsageArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `encke.admin.usage.usage`."""

    since: str = DEFAULT_SINCE
    until: str | None = None
    by: str | None = None


class Command(NamedTuple):
    """The type of its arguments, what it does, and whether it changes the store."""

    args: type[msgspec.Struct]
    do: Callable[[Context, Any], object]
    writes: bool


def _usage(ctx: Context, args: UsageArgs) -> UsageReport:
    return usage(ctx, args.since, args.until, args.by)


def _of(name: str, level: Upper) -> dict[str, Command]:
    """The commands of projects, or of organisations."""
    return {
        f"{name}.create": Command(
            CreateLevel, lambda ctx, args: levels.create(ctx, level, args.name, args, args.org), writes=True
        ),
        f"{name}.list": Command(NoArgs, lambda ctx, args: levels.list_levels(ctx, level), writes=False),
        f"{name}.show": Command(Ref, lambda ctx, args: levels.show(ctx, level, args.ref), writes=False),
        f"{name}.update": Command(
            UpdateLevel, lambda ctx, args: levels.update(ctx, level, args.ref, args, args.name), writes=True
        ),
        f"{name}.archive": Command(Ref, lambda ctx, args: levels.archive(ctx, level, args.ref), writes=True),
    }


COMMANDS: dict[str, Command] = {
    "keys.create": Command(CreateKey, lambda ctx, args: keys.create(ctx, args.name, args, args.project), writes=True),
    "keys.list": Command(NoArgs, lambda ctx, args: keys.list_keys(ctx), writes=False),
    "keys.show": Command(Ref, lambda ctx, args: keys.show(ctx, args.ref), writes=False),
    "keys.update": Command(UpdateKey, lambda ctx, args: keys.update(ctx, args.ref, args, args.name), writes=True),
    "keys.rotate": Command(
        RotateKey, lambda ctx, args: keys.rotate(ctx, args.ref, span(args.grace, "the grace")), writes=True
    ),
    "keys.revoke": Command(Ref, lambda ctx, args: keys.revoke(ctx, args.ref), writes=True),
    **_of("orgs", "organisation"),
    **_of("projects", "project"),
    "budgets.list": Command(NoArgs, lambda ctx, args: budgets.list_budgets(ctx), writes=False),
    "budgets.set": Command(SetBudget, lambda ctx, args: budgets.set_budget(ctx, args.owner, args), writes=True),
    "budgets.credit": Command(Credit, lambda ctx, args: budgets.credit(ctx, args.owner, args.amount), writes=True),
    "budgets.remove": Command(
        RemoveBudget, lambda ctx, args: budgets.remove(ctx, args.owner, args.period), writes=True
    ),
    "usage": Command(UsageArgs, _usage, writes=False),
}


def run(ctx: Context, name: str, args: Mapping[str, object]) -> Any:
    """Run a command; its result in JSON types. Raises AdminError, StoreError."""
    command = COMMANDS.get(name)
    if command is None:
        raise AdminError(f"there is no command {quote(name)}; is the gateway of the same version as this program?")
    try:
        typed = msgspec.convert(args, command.args)
    except msgspec.ValidationError as error:
        raise AdminError(f"the arguments of {name} cannot be used: {error}") from None
    return msgspec.to_builtins(command.do(ctx, typed))
