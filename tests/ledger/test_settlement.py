"""What an attempt used, however it ended."""

from __future__ import annotations

from typing import get_args

import pytest

from encke.core.usage import NO_USAGE, Usage
from encke.ledger.entry import Intent, Status
from encke.ledger.journal import Progress
from encke.ledger.settlement import estimate_tokens, settle_orphan, used

TOLD = Usage(input=7, output=5)
INTENT = Intent("call", 2, "key", "chat", "fast", "lab", "m", True, 1_000, 1_200, 40, 3, "theirs")


def test_an_estimate_is_a_token_for_three_bytes() -> None:
    """Rounded up: nothing is nothing, a byte is a token."""
    assert [estimate_tokens(size) for size in (0, 1, 3, 4, 300)] == [0, 1, 1, 2, 100]


@pytest.mark.parametrize("status", get_args(Status))
def test_what_upstream_told_is_taken(status: Status) -> None:
    """Whoever ended the attempt: what upstream counted is what it charges."""
    assert used(status, TOLD, 40, 300) == TOLD


@pytest.mark.parametrize("status", ["refused", "failed", "rejected"])
def test_what_came_to_nothing_used_nothing(status: Status) -> None:
    """Refused, failed, or never sent."""
    assert used(status, None, 40, 300) == NO_USAGE


@pytest.mark.parametrize("status", ["complete", "client_closed", "truncated", "uncertain"])
def test_without_a_count_it_is_estimated(status: Status) -> None:
    """What was sent is input, what was received is output, and the entry says that the gateway counted."""
    assert used(status, None, 40, 300) == Usage(input=40, output=100, estimated=True)
    assert used(status, None, 40, 0) == Usage(input=40, estimated=True)


def progress(usage_seen: bool) -> Progress:
    """A slot as a dead worker left it."""
    return Progress(9, usage_seen, received=900, content=300, input=50, output=6, cached=20)


def test_an_orphan_carries_what_its_intent_said() -> None:
    """Who, where and when; it is the call's last entry, since its worker can make no other."""
    entry = settle_orphan(INTENT, None, now_ms=4_000)
    assert (entry.call, entry.attempt, entry.key, entry.route, entry.asked) == ("call", 2, "key", "chat", "fast")
    assert (entry.provider, entry.model, entry.stream, entry.client_request_id) == ("lab", "m", True, "theirs")
    assert (entry.status, entry.reason, entry.final) == ("orphan", "worker_died", True)
    assert (entry.started, entry.dispatched, entry.total_us) == (1_000, 1_200, 3_000_000)
    assert entry.usage == Usage(input=40, estimated=True) and entry.received == 0


def test_an_orphan_takes_what_its_slot_holds() -> None:
    """What was received, estimated; or upstream's own count, if it had come."""
    assert settle_orphan(INTENT, progress(False), 4_000).usage == Usage(input=40, output=100, estimated=True)
    told = settle_orphan(INTENT, progress(True), 4_000)
    assert told.usage == Usage(input=30, cache_read=20, output=6) and told.received == 900


def test_a_clock_set_back_gives_no_negative_duration() -> None:
    """The keeper's clock may be behind the dead worker's."""
    assert settle_orphan(INTENT, None, now_ms=500).total_us == 0
