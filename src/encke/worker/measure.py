"""What a worker has to tell: its tally, and what can be looked up at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from encke.calls.upstream import Upstream
from encke.core.money import NANO
from encke.telemetry.metrics import Sheet, Values, labels
from encke.telemetry.tally import CLASSES, INFERENCE, OUTCOMES, ROUTES, Histogram, Tally

_REQUESTS = [labels(route=route, status=status) for route in ROUTES for status in CLASSES]
_OUTCOMES = [labels(route=route, outcome=outcome) for route in ROUTES[:INFERENCE] for outcome in OUTCOMES]
_DURATIONS = [labels(route=route, stream=stream) for route in ROUTES for stream in ("no", "yes")]
_INTERNAL = labels(code="internal_error")
_FIRSTS = [labels(route=route) for route in ROUTES]


def worker_sheet(
    tally: Tally, upstreams: Mapping[str, Upstream], connections: int, attempts: int, dropped: int
) -> Sheet:
    """`connections` of clients, `attempts` under way, `dropped` access lines. Series that are nought are left out."""
    counters: dict[str, Values] = {
        "encke_requests_total": _some(_REQUESTS, tally.requests),
        "encke_calls_total": _some(_OUTCOMES, tally.outcomes),
        # Nought of the one that is watched for: a series that begins with 1 has no rate.
        "encke_errors_total": {_INTERNAL: 0, **{labels(code=code): count for code, count in tally.errors.items()}},
        "encke_sent_bytes_total": {"": tally.bytes_sent},
        "encke_access_lines_dropped_total": {"": dropped},
        "encke_upstream_attempts_total": {},
        "encke_tokens_total": {},
        "encke_cost_dollars_total": {},
        "encke_unpriced_attempts_total": {},
    }
    for name, provider in tally.providers.items():
        for status, count in provider.attempts.items():
            counters["encke_upstream_attempts_total"][labels(provider=name, status=status)] = count
        own = labels(provider=name)
        if provider.cost:
            counters["encke_cost_dollars_total"][own] = provider.cost / NANO
        if provider.unpriced:
            counters["encke_unpriced_attempts_total"][own] = provider.unpriced
        kinds = {"input": provider.input, "cached": provider.cached, "output": provider.output}
        for kind, count in kinds.items():
            if count:
                counters["encke_tokens_total"][labels(provider=name, kind=kind)] = count
    gauges: dict[str, Values] = {
        "encke_connections": {"": connections},
        "encke_calls_in_flight": {"": tally.calls},
        "encke_streams": {"": tally.streams},
        "encke_attempts_in_flight": {"": attempts},
        "encke_upstream_connections": {},
        "encke_breakers_open": {},
    }
    for name, upstream in upstreams.items():
        total, idle, connecting = upstream.pool.counts
        states = {"busy": total - idle, "idle": idle, "connecting": connecting}
        for state, count in states.items():
            gauges["encke_upstream_connections"][labels(provider=name, state=state)] = count
        gauges["encke_breakers_open"][labels(provider=name)] = sum(
            breaker.opened is not None for one in upstream.siblings or (upstream,) for breaker in one.breakers.values()
        )
    histograms = {
        "encke_call_duration_seconds": _histograms(_DURATIONS, tally.durations),
        "encke_first_content_seconds": _histograms(_FIRSTS, tally.first_contents),
        "encke_call_attempts": _histograms([""], [tally.attempts]),
    }
    return Sheet(counters, gauges, histograms)


def _some(keys: Sequence[str], counts: Sequence[int]) -> Values:
    return {key: count for key, count in zip(keys, counts, strict=False) if count}


def _histograms(keys: Sequence[str], found: Sequence[Histogram]) -> dict[str, list[float]]:
    return {key: [*map(float, one.counts), one.total] for key, one in zip(keys, found, strict=True) if any(one.counts)}
