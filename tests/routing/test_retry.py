"""After a Fault: again, next or stop."""

from __future__ import annotations

import pytest

from encke.core.faults import Fault
from encke.routing.retry import FRESH, LONGEST_PAUSE, NEXT, STOP, RetryPolicy, Step, decide

RESET = Fault("upstream_reset", "")
TIMEOUT = Fault("upstream_timeout", "")
ELSEWHERE = Fault("upstream_bad_response", "", verdict="next")
LATER = Fault("overloaded", "", verdict="again")
REFUSED = Fault("upstream_invalid_request", "")


def ask(policy: RetryPolicy, fault: Fault, **given: object) -> Step:
    """What `decide` says of a first attempt that was sent on a fresh connection, unless told otherwise."""
    usual = {"attempt": 1, "sent": True, "reused": False, "answered": False, "others": True, "left": 600.0, "luck": 1.0}
    return decide(policy, fault, **{**usual, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "sent", "reused", "answered", "uncertain", "verdict"),
    [
        (RESET, False, False, False, False, "next"),
        (RESET, True, True, False, False, "fresh"),
        (RESET, True, True, True, False, "stop"),
        (RESET, True, False, False, False, "stop"),
        (RESET, True, False, False, True, "next"),
        (RESET, True, True, True, True, "next"),
        (TIMEOUT, True, False, False, False, "stop"),
        (TIMEOUT, True, False, False, True, "next"),
        (ELSEWHERE, False, False, False, False, "next"),
        (LATER, True, False, True, False, "next"),
        (REFUSED, True, True, True, True, "stop"),
    ],
)
def test_with_others_to_try(
    fault: Fault, sent: bool, reused: bool, answered: bool, uncertain: bool, verdict: str
) -> None:
    """What may be paid twice is tried again only where the operator allows it; a stale connection always is."""
    steps = {"next": NEXT, "stop": STOP, "fresh": FRESH}
    policy = RetryPolicy(2, uncertain)
    given = {"sent": sent, "reused": reused, "answered": answered}
    assert ask(policy, fault, **given) == steps[verdict]
    # A stale connection is no attempt's fault: the next one is on a fresh connection, so this cannot go on for ever.
    bounded = FRESH if verdict == "fresh" else STOP
    assert ask(policy, fault, attempt=3, **given) == bounded, "the attempts are bounded"
    assert ask(RetryPolicy(0, uncertain), fault, **given) == bounded


@pytest.mark.parametrize(
    ("fault", "uncertain", "again"),
    [
        (LATER, False, True),
        (ELSEWHERE, False, False),
        (REFUSED, True, False),
        (RESET, False, False),
        (RESET, True, True),
        (TIMEOUT, False, False),
        (TIMEOUT, True, True),
    ],
)
def test_alone(fault: Fault, uncertain: bool, again: bool) -> None:
    """With no other target the same is asked once more, if a moment may have changed something."""
    step = ask(RetryPolicy(2, uncertain), fault, others=False)
    assert step == (Step("again", 0.25) if again else STOP)


def test_pauses_double_and_half_of_each_is_luck() -> None:
    """0.25 s, 0.5 s, … up to 5 s; a rate limit without advice gets four times that."""
    policy = RetryPolicy(10)
    pauses = [ask(policy, LATER, others=False, attempt=number).pause for number in range(1, 11)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert ask(policy, LATER, others=False, luck=0.0).pause == 0.125
    limited = Fault("upstream_rate_limited", "", verdict="again")
    assert ask(policy, limited, others=False).pause == 1.0


def test_advice_is_followed_or_handed_on() -> None:
    """A short Retry-After is waited for and never cut short; a long one is the caller's to wait."""
    for seconds, waits in ((1.0, True), (LONGEST_PAUSE, True), (LONGEST_PAUSE + 0.1, False), (600.0, False)):
        fault = Fault("upstream_rate_limited", "", verdict="again", retry_after=seconds)
        for luck in (0.0, 0.5, 1.0):
            step = ask(RetryPolicy(), fault, others=False, luck=luck)
            assert (step.verdict == "again") == waits
            assert not waits or seconds <= step.pause <= seconds + 0.125
        assert ask(RetryPolicy(), fault) == NEXT, "another target need not be waited for"


def test_no_pause_beyond_the_time_left() -> None:
    """A call never waits past its deadline."""
    assert ask(RetryPolicy(), LATER, others=False, left=0.2) == STOP
    assert ask(RetryPolicy(), LATER, others=False, left=0.3).verdict == "again"
