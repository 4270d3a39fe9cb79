"""The breaker."""

from __future__ import annotations

from encke.routing.breaker import MINIMUM, OPEN_SECONDS, WINDOW, Breaker


def opened(at: float = 0.0) -> Breaker:
    """One that has just opened."""
    breaker = Breaker()
    for _ in range(MINIMUM):
        breaker.record(at, True)
    return breaker


def test_opens_at_half_of_enough() -> None:
    """Half of at least twenty failures opens it, fewer calls or fewer failures do not."""
    few = Breaker()
    for _ in range(MINIMUM - 1):
        few.record(0.0, True)
    assert few.allows(0.0)
    mixed = Breaker()
    for number in range(200):
        mixed.record(0.0, number % 5 < 2)
    assert mixed.allows(0.0)
    half = Breaker()
    for number in range(MINIMUM):
        half.record(0.0, number % 2 == 1)
    assert not half.allows(0.0)


def test_failures_of_long_ago_do_not_count() -> None:
    """A window's failures are forgotten with it."""
    breaker = Breaker()
    for _ in range(MINIMUM - 1):
        breaker.record(0.0, True)
    breaker.record(WINDOW + 1, True)
    assert breaker.allows(WINDOW + 1)


def test_one_probe_at_a_time() -> None:
    """Open for five seconds, then one attempt: a good one closes it, a bad one opens it again."""
    breaker = opened(100.0)
    assert not breaker.allows(100.0 + OPEN_SECONDS - 0.1)
    assert 0 < breaker.retry_after(101.0) <= OPEN_SECONDS
    later = 100.0 + OPEN_SECONDS
    assert breaker.allows(later)
    breaker.start(later)
    assert not breaker.allows(later)
    breaker.record(later, True)
    assert not breaker.allows(later + 1)
    again = later + OPEN_SECONDS
    breaker.start(again)
    breaker.record(again, False)
    assert breaker.allows(again) and breaker.retry_after(again) == 0.0


def test_a_stream_that_breaks_off_is_one_failure_of_one_call() -> None:
    """It was counted as good when it began: half of twenty of them do not make a quarter of forty, nor all a half."""
    breaker = Breaker()
    breaker.record(100.0, True)
    for number in range(1, MINIMUM):
        breaker.record(100.0, False)
        if number < MINIMUM // 2:
            breaker.spoil(100.0, 101.0)
        assert breaker.calls == number + 1 and breaker.failures <= breaker.calls
    assert breaker.failures == MINIMUM // 2
    breaker.spoil(100.0, 101.0)
    assert not breaker.allows(101.0)
    opened_at = breaker.opened
    breaker.spoil(100.0, 103.0)
    assert breaker.opened == opened_at, "what began before it opened says nothing new"


def test_a_stream_that_breaks_off_late_is_counted_anew() -> None:
    """Its record went with its window, or was never made."""
    breaker = Breaker()
    breaker.record(100.0, True)
    breaker.record(100.0, False)
    breaker.spoil(100.0, 100.0 + WINDOW + 1)
    assert (breaker.calls, breaker.failures) == (1, 1)
    breaker.spoil(0.0, 100.0 + WINDOW + 2)
    assert (breaker.calls, breaker.failures) == (2, 2)


def test_a_probe_that_tells_nothing_frees_its_place() -> None:
    """A caller who leaves during the probe does not keep the breaker open for ever."""
    breaker = opened()
    breaker.start(OPEN_SECONDS)
    breaker.release()
    assert breaker.allows(OPEN_SECONDS)
