"""What may follow a failed attempt."""

from __future__ import annotations

import pytest

from encke.core.faults import Fault, Verdict
from encke.routing.retry import RetryPolicy, decide

PLAIN = RetryPolicy()
UNCERTAIN = RetryPolicy(uncertain=True)


def verdict(fault: Fault, policy: RetryPolicy = PLAIN, attempt: int = 1, **how: bool) -> Verdict:
    """The decision; unless said otherwise the request was sent, on a fresh connection, and no byte came back."""
    facts = {"sent": True, "reused": False, "answered": False, **how}
    return decide(policy, fault, attempt=attempt, **facts)


RESET = Fault("upstream_reset", "broken")
TIMEOUT = Fault("upstream_timeout", "late")


@pytest.mark.parametrize("said", ["again", "next", "stop"])
def test_the_faults_own_verdict_holds(said: Verdict) -> None:
    """Whoever raised the fault knows whether another attempt may help."""
    assert verdict(Fault("upstream_error", "no", verdict=said)) == said


def test_attempts_are_counted() -> None:
    """Two retries are three attempts; none are one."""
    fault = Fault("overloaded", "busy", verdict="next")
    assert [verdict(fault, attempt=n) for n in (1, 2, 3)] == ["next", "next", "stop"]
    assert verdict(fault, RetryPolicy(retries=0)) == "stop"


def test_a_reset_before_sending_harms_nobody() -> None:
    """Nothing went out, so the next target may have it."""
    assert verdict(RESET, sent=False) == "next"


def test_an_idle_connection_that_broke_is_replaced() -> None:
    """Our request crossed its end: the same target again. Not if a byte of answer came."""
    assert verdict(RESET, reused=True) == "again"
    assert verdict(RESET, reused=True, answered=True) == "stop"


@pytest.mark.parametrize("fault", [RESET, TIMEOUT], ids=lambda fault: fault.code)
def test_work_that_may_have_been_done_is_not_asked_for_twice(fault: Fault) -> None:
    """Unless the settings say so."""
    assert verdict(fault) == "stop"
    assert verdict(fault, UNCERTAIN) == "next"


def test_a_timeout_that_upstream_told_goes_on() -> None:
    """A 504 of the provider's is an answer: it did not do the work."""
    assert verdict(Fault("upstream_timeout", "gave up", verdict="next")) == "next"
