"""Commands by name."""

from __future__ import annotations

import msgspec
import pytest

from encke.admin.commands import COMMANDS, run
from encke.admin.context import AdminError, Context
from tests.admin.conftest import NOW

ARGS: dict[str, dict[str, object]] = {
    "orgs.create": {"name": "acme", "budget": ["100/month"], "zone": "Europe/Berlin"},
    "orgs.list": {},
    "orgs.show": {"ref": "acme"},
    "orgs.update": {"ref": "acme", "rpm": "600"},
    "projects.create": {"name": "web", "org": "acme", "models": "gpt-*"},
    "projects.list": {},
    "projects.show": {"ref": "web"},
    "projects.update": {"ref": "web", "name": "site", "tag": ["team=x"]},
    "keys.create": {"name": "other", "project": "site", "expires": "30d", "budget": ["25/month", "5/day"]},
    "keys.list": {},
    "keys.show": {"ref": "app"},
    "keys.update": {"ref": "app", "addresses": "10.0.0.0/8"},
    "keys.rotate": {"ref": "app", "grace": "1h"},
    "budgets.list": {},
    "budgets.set": {"owner": {"key": "app"}, "budget": ["7/week"], "anchor": ["wed"], "strict": True},
    "budgets.credit": {"owner": {"project": "site"}, "amount": "50"},
    "budgets.remove": {"owner": {"key": "app"}, "period": "week"},
    "keys.revoke": {"ref": "app"},
    "projects.archive": {"ref": "site"},
    "orgs.archive": {"ref": "acme"},
    "usage": {"since": "7d", "by": "day"},
}


def test_every_command_speaks_json(ctx: Context) -> None:
    """Every command runs, and its result survives JSON unchanged."""
    run(ctx, "keys.create", {"name": "app"})
    assert set(ARGS) == set(COMMANDS)
    for name, args in ARGS.items():
        result = run(ctx, name, args)
        assert msgspec.json.decode(msgspec.json.encode(result)) == result


def test_only_writers_write(ctx: Context) -> None:
    """A command that says it does not write changes nothing in the keys."""
    run(ctx, "keys.create", {"name": "app"})
    for name, args in ARGS.items():
        before = ctx.store.version()
        run(ctx, name, args)
        assert (ctx.store.version() != before) == COMMANDS[name].writes, name


def test_expiry_is_read_where_the_command_runs(ctx: Context) -> None:
    """A span counts from the moment the command is run."""
    assert run(ctx, "keys.create", {"expires": "1h"})["expires"] == NOW + 3_600_000
    with pytest.raises(AdminError, match='expires "some day" is not a time'):
        run(ctx, "keys.create", {"expires": "some day"})


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("keys.destroy", {}, 'there is no command "keys.destroy"'),
        ("keys.show", {}, "arguments of keys.show cannot be used: .*ref"),
        ("keys.show", {"ref": 7}, "Expected `str`, got `int`"),
        ("keys.list", {"all": True}, "unknown field `all`"),
    ],
)
def test_bad_messages(ctx: Context, name: str, args: dict[str, object], message: str) -> None:
    """An unknown command and arguments of another shape are refused with a sentence."""
    with pytest.raises(AdminError, match=message):
        run(ctx, name, args)
