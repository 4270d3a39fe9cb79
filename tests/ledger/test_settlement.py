"""What an attempt used, however it ended: the billing table."""

from __future__ import annotations

import msgspec
import pytest

from encke.core.money import Price
from encke.core.usage import NO_USAGE, Usage
from encke.ledger.journal import Progress
from encke.ledger.settlement import estimate_tokens, settle_orphan, used, with_rest
from tests.ledger.test_journal import intent

TOLD = Usage(input=7, output=3)


@pytest.mark.parametrize(
    ("status", "usage", "content", "expected"),
    [
        ("refused", None, 900, NO_USAGE),
        ("failed", None, 900, NO_USAGE),
        ("rejected", None, 0, NO_USAGE),
        ("uncertain", None, 0, Usage(input=10, estimated=True)),
        ("client_closed", None, 0, Usage(input=10, estimated=True)),
        ("client_closed", None, 31, Usage(input=10, output=11, estimated=True)),
        ("truncated", None, 30, Usage(input=10, output=10, estimated=True)),
        ("complete", None, 30, Usage(input=10, output=10, estimated=True)),
        *[(status, TOLD, 900, TOLD) for status in ("complete", "truncated", "client_closed", "refused")],
    ],
)
def test_used(status: str, usage: Usage | None, content: int, expected: Usage) -> None:
    """A row of the table each; what upstream has told wins always."""
    assert used(status, usage, 10, content) == expected


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (3, 1), (4, 2), (3000, 1000)])
def test_estimate(size: int, tokens: int) -> None:
    """A third of the bytes, rounded up."""
    assert estimate_tokens(size) == tokens


def test_orphan_keeps_what_its_intent_knew() -> None:
    """The entry of a dead worker's attempt is the intent's, with what its slot holds."""
    whole = settle_orphan(intent(5, 9, attempt=2), Progress(1, True, 500, 200, 40, 20, 15), 5_000)
    assert (whole.call, whole.attempt, whole.key, whole.model, whole.status) == (
        "call-000005", 2, "pub", "model", "orphan",
    )  # fmt: skip
    assert (whole.received, whole.usage) == (500, Usage(input=25, cache_read=15, output=20))
    assert (whole.final, whole.reason, whole.total_us) == (True, "worker_died", 4_999_000)
    assert settle_orphan(intent(5, 9), None, 0).usage == Usage(input=3, estimated=True)


def test_usage_that_came_early() -> None:
    """What was said holds for what had come by then; the rest is an estimate on top, and says so."""
    said = Usage(input=10, cache_read=3, output=2, reasoning=1)
    assert with_rest(said, 0) is said
    rest = with_rest(said, 7)
    assert (rest.total_input, rest.output, rest.reasoning, rest.estimated) == (13, 2 + 3, 1, True)


def test_an_estimate_stays_within_what_was_asked_for() -> None:
    """Text of long tokens is no more tokens than the request allows; what upstream has told counts all the same."""
    assert used("truncated", None, 10, 300, 50).output == 50
    assert used("truncated", None, 10, 90, 50).output == 30
    assert with_rest(TOLD, 300, 50).output == 50
    assert with_rest(Usage(output=70), 300, 50).output == 70
    capped = msgspec.structs.replace(intent(5, 9), cap=50)
    assert settle_orphan(capped, Progress(1, False, 900, 300, 0, 0, 0), 0).usage.output == 50


def test_an_orphan_has_its_cost() -> None:
    """At the price that its intent names, charged to the accounts that it names; without a price it has none."""
    price = Price("v1", (3000, 0, 0, 0, 0, 0, 9000, 0, 0, 0, 7))
    accounts = msgspec.Raw(msgspec.msgpack.encode([[4, 0]]))
    whole = msgspec.structs.replace(intent(5, 9), price=msgspec.Raw(price.packed), accounts=accounts, project=3)
    entry = settle_orphan(whole, Progress(1, True, 900, 300, 40, 20, 0), 0)
    assert (entry.cost, entry.price_version) == (40 * 3 + 20 * 9 + 7, "v1")
    assert (entry.accounts, entry.project) == (accounts, 3)
    assert settle_orphan(intent(5, 9), None, 0).cost is None
