"""Counts of calls, as they are raised."""

from __future__ import annotations

from encke.core.faults import FAULTS
from encke.telemetry.tally import ATTEMPTS, CLASSES, OUTCOMES, ROUTES, SECONDS, Histogram, Tally


def test_a_call_is_counted_everywhere_once() -> None:
    """Requests, outcomes, durations, first contents, attempts, bytes; an error by its code."""
    tally = Tally()
    tally.count("chat", 200, "complete", "", True, 0.3, 0.07, 2, 1000)
    tally.count("chat", 502, "failed", "upstream_error", False, 0.001, 0.0, 3, 100)
    chat = ROUTES.index("chat")
    assert tally.requests[chat * len(CLASSES) + CLASSES.index("2xx")] == 1
    assert tally.requests[chat * len(CLASSES) + CLASSES.index("5xx")] == 1 and sum(tally.requests) == 2
    assert tally.outcomes[chat * len(OUTCOMES) + OUTCOMES.index("complete")] == 1 and sum(tally.outcomes) == 2
    assert sum(tally.durations[chat * 2 + 1].counts) == 1 and sum(tally.durations[chat * 2].counts) == 1
    assert sum(tally.first_contents[chat].counts) == 1 and tally.first_contents[chat].total == 0.07
    assert tally.attempts.total == 5 and tally.bytes_sent == 1100
    assert tally.errors == {"upstream_error": 1} and "upstream_error" in FAULTS


def test_what_is_no_call_is_a_request_only() -> None:
    """A list of models, an unknown path, a client that left before any status."""
    tally = Tally()
    tally.count("models", 200, "", "", False, 0.1, 0.0, 0, 10)
    tally.count("never heard of", 404, "rejected", "not_found", False, 0.1, 0.0, 0, 10)
    tally.count("", 0, "client_closed", "", False, 0.1, 0.0, 0, 0)
    assert sum(tally.requests) == 3 and sum(tally.outcomes) == 0
    assert tally.requests[ROUTES.index("none") * len(CLASSES) + CLASSES.index("none")] == 1


def test_buckets_hold_their_bound() -> None:
    """A value on a bound is in that bound's bucket, as Prometheus has it; one beyond all is in the last."""
    for bounds in (SECONDS, ATTEMPTS):
        histogram = Histogram(bounds)
        for bound in bounds:
            histogram.observe(bound)
        histogram.observe(bounds[-1] + 1)
        assert histogram.counts == [1] * (len(bounds) + 1)


def test_a_provider_keeps_its_counts() -> None:
    """Whoever asks for it again gets the same."""
    tally = Tally()
    tally.provider("lab").count("complete", 10, 5, 2, 700)
    tally.provider("lab").count("complete", 1, 1, 0, None)
    found = tally.provider("lab")
    assert (found.attempts, found.input, found.output, found.cached) == ({"complete": 2}, 11, 6, 2)
    assert (found.cost, found.unpriced) == (700, 1)
