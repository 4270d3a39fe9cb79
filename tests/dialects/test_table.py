"""Which operation a call becomes at a target."""

from __future__ import annotations

from encke.dialects.table import CLIENTS, DIALECT_OPS, PROVIDERS, op_for


def test_every_side_stands_under_its_own_name() -> None:
    """A route and an operation are found by the name they say themselves."""
    assert all(side.route == name for name, side in CLIENTS.items())
    assert all(side.op == name for name, side in PROVIDERS.items())
    assert DIALECT_OPS["openai_chat"][0] == "chat"


def test_the_same_wire_is_preferred_and_nothing_is_made_up() -> None:
    """A call stays on its own wire where the target has it; what it cannot become it does not become."""
    assert op_for("chat", ("responses", "chat")) == "chat"
    assert op_for("moderations", ("chat",)) is None
    assert op_for("completions", ("chat",)) is None
