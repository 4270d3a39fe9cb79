"""What operators ask of the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from encke.admin.context import AdminError, Context
from encke.admin.ledger import show, verify
from encke.core.usage import Usage
from encke.store.port import Check
from tests.store.contract import accounts, entry


def test_show(ctx: Context) -> None:
    """All attempts of a call, with their state, and what every budget was charged for it."""
    both = accounts((1, 0), (2, 86_400_000))
    first = entry("c", 1, final=False, status="refused", usage=Usage(), cost=0, accounts=both)
    ctx.store.append([entry(), entry("c", 2, cost=7, accounts=both), first])
    shown = show(ctx, " c ")
    assert [(one.attempt, one.status, one.state, one.cost) for one in shown.attempts] == [
        (1, "refused", "unused", 0),
        (2, "complete", "priced", 7),
    ]
    assert [(one.limit, one.window, one.cost) for one in shown.charged] == [(1, 0, 7), (2, 86_400_000, 7)]
    assert shown.key == "KEY000000001" and shown.asked == "fast"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"cost": None}, "unpriced"),
        ({"cost": 0, "price_version": "free"}, "free"),
        ({"cost": None, "usage": Usage()}, "unused"),
        ({"cost": 5}, "priced"),
    ],
)
def test_states(ctx: Context, fields: dict[str, object], state: str) -> None:
    """No price, a price of nothing, and nothing used are told from each other."""
    ctx.store.append([entry("c", **fields)])  # type: ignore[arg-type]
    assert show(ctx, "c").attempts[0].state == state


def test_unknown_call(ctx: Context) -> None:
    """An unknown call is refused with what to do."""
    with pytest.raises(AdminError, match='no entry of the call "d"; its id is in the answer'):
        show(ctx, "d")


def leases(ctx: Context, folder: Path | None, running: bool = False) -> Check | None:
    """What is found about leases."""
    verdict = verify(ctx, folder, lambda done, most: None, running=running, integrity=False)
    return next((check for check in verdict.checks if check.name == "leases"), None)


def test_leases_of_the_dead(ctx: Context, tmp_path: Path) -> None:
    """What a worker holds whose journal is gone is a difference, unless a gateway runs; with a journal it is told how
    much is out; a copy has no workers."""
    ctx.store.grant([(7, 1, 0, 100), (8, 1, 0, 50)], [])
    (tmp_path / f"{7:016x}-000001.seg").touch()
    (tmp_path / f"{8:016x}.slots").touch()
    check = leases(ctx, tmp_path)
    assert check is not None and not check.found and check.notes == ["150 of all allowances are with workers"]
    (tmp_path / f"{8:016x}.slots").unlink()
    check = leases(ctx, tmp_path)
    assert check is not None and check.found == 1 and "granted 50, posted 0" in check.differences[0]
    assert leases(ctx, tmp_path, running=True) != check and leases(ctx, None) is None
    check = leases(ctx, tmp_path / "nowhere")
    assert check is not None and check.found == 2
