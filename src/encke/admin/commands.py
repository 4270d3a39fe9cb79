"""Commands by name, so that they can arrive as messages: arguments and results are plain JSON types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from encke.admin import keys
from encke.admin.context import AdminError, Context
from encke.admin.times import ahead_or_at
from encke.admin.usage import DEFAULT_SINCE, UsageReport, usage
from encke.config.problems import quote


class CreateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`expires`: a span such as 30d, or a date or time in UTC."""

    name: str | None = None
    expires: str | None = None


class NoArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing."""


class KeyRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key's id or name."""

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


def _create(ctx: Context, args: CreateKey) -> keys.CreatedKey:
    expires = None if args.expires is None else ahead_or_at(args.expires, ctx.now(), "expires")
    return keys.create(ctx, args.name, expires)


def _list(ctx: Context, args: NoArgs) -> list[keys.KeyInfo]:
    return keys.list_keys(ctx)


def _show(ctx: Context, args: KeyRef) -> keys.KeyInfo:
    return keys.show(ctx, args.ref)


def _revoke(ctx: Context, args: KeyRef) -> keys.KeyInfo:
    return keys.revoke(ctx, args.ref)


def _usage(ctx: Context, args: UsageArgs) -> UsageReport:
    return usage(ctx, args.since, args.until, args.by)


COMMANDS: dict[str, Command] = {
    "keys.create": Command(CreateKey, _create, writes=True),
    "keys.list": Command(NoArgs, _list, writes=False),
    "keys.show": Command(KeyRef, _show, writes=False),
    "keys.revoke": Command(KeyRef, _revoke, writes=True),
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
