"""After a Fault: again, next or stop."""

from __future__ import annotations

import pytest

from encke.core.faults import Fault
from encke.routing.retry import RetryPolicy, decide

RESET = Fault("upstream_reset", "")
TIMEOUT = Fault("upstream_timeout", "")
NEXT = Fault("upstream_unreachable", "", verdict="next")
STOP = Fault("upstream_invalid_request", "")


@pytest.mark.parametrize(
    ("fault", "sent", "reused", "answered", "uncertain", "verdict"),
    [
        (RESET, False, False, False, False, "next"),
        (RESET, True, True, False, False, "again"),
        (RESET, True, True, True, False, "stop"),
        (RESET, True, False, False, False, "stop"),
        (RESET, True, False, False, True, "next"),
        (RESET, True, True, True, True, "next"),
        (TIMEOUT, True, False, False, False, "stop"),
        (TIMEOUT, True, False, False, True, "next"),
        (NEXT, False, False, False, False, "next"),
        (STOP, True, True, True, True, "stop"),
    ],
)
def test_decide(fault: Fault, sent: bool, reused: bool, answered: bool, uncertain: bool, verdict: str) -> None:
    """What may be paid twice is tried again only where the operator allows it; a stale connection always is."""
    policy = RetryPolicy(2, uncertain)
    given = {"sent": sent, "reused": reused, "answered": answered}
    assert decide(policy, fault, attempt=1, **given) == verdict
    # A stale connection is no attempt's fault: the next one is on a fresh connection, so this cannot go on for ever.
    bounded = "again" if verdict == "again" else "stop"
    assert decide(policy, fault, attempt=3, **given) == bounded, "the attempts are bounded"
    assert decide(RetryPolicy(0, uncertain), fault, attempt=1, **given) == bounded
