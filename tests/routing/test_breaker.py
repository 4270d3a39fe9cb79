"""When a target is left alone, and how it comes back."""

from __future__ import annotations

from encke.core.faults import FAULTS
from encke.routing.breaker import MINIMUM, OPEN_SECONDS, PROVIDER_FAULTS, WINDOW, Breaker


def opened(now: float = 100.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(began=now)
    for _ in range(MINIMUM):
        breaker.record(now, True)
    return breaker


def test_it_opens_when_half_of_enough_attempts_failed() -> None:
    """Not one attempt earlier."""
    breaker = Breaker(began=100.0)
    for n in range(MINIMUM - 1):
        breaker.record(100.0, n % 2 == 1)
        assert breaker.allows(100.0)
    breaker.record(100.0, True)
    assert not breaker.allows(100.0)
    assert breaker.retry_after(101.0) == OPEN_SECONDS - 1


def test_fewer_than_half_do_not_open_it() -> None:
    """However many attempts there are."""
    breaker = Breaker(began=100.0)
    for n in range(200):
        breaker.record(100.0, n % 3 == 1)
    assert breaker.allows(100.0) and breaker.retry_after(100.0) == 0


def test_old_failures_are_forgotten() -> None:
    """A new window counts anew."""
    breaker = Breaker(began=100.0)
    for _ in range(MINIMUM - 1):
        breaker.record(100.0, True)
    breaker.record(100.0 + WINDOW + 0.1, True)
    assert breaker.allows(100.0 + WINDOW + 0.1)


def test_one_probe_at_a_time() -> None:
    """After the pause one attempt goes; others wait for what it finds."""
    breaker = opened()
    now = 100.0 + OPEN_SECONDS
    assert not breaker.allows(now - 0.1) and breaker.allows(now)
    breaker.start(now)
    assert not breaker.allows(now)


def test_a_good_probe_closes_it_and_a_bad_one_opens_it_again() -> None:
    """Closed, it starts with a clean sheet."""
    now = 100.0 + OPEN_SECONDS
    good, bad = opened(), opened()
    for breaker in (good, bad):
        breaker.start(now)
    good.record(now, False)
    bad.record(now, True)
    assert good.allows(now) and not bad.allows(now + OPEN_SECONDS - 0.1) and bad.allows(now + OPEN_SECONDS)
    good.record(now, True)
    assert good.allows(now)


def test_a_probe_whose_caller_left_tells_nothing() -> None:
    """The next attempt probes instead."""
    breaker, now = opened(), 100.0 + OPEN_SECONDS
    breaker.start(now)
    breaker.release()
    assert breaker.allows(now)


def test_only_the_providers_faults_count() -> None:
    """They are in the table of faults, and none of them is the caller's."""
    assert all(FAULTS[code].owner == "upstream" for code in PROVIDER_FAULTS)
