"""Counts of what a worker does: plain numbers, raised at the end of a call, read four times a second.

What is counted here costs every call; everything else is looked up when the numbers are read (`encke.worker.measure`).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

# Upper bounds of the histograms; seconds, and attempts of a call. (Of any length: mypyc takes a short tuple of floats
# that begins with nought for one that was never set.)
SECONDS: Final[tuple[float, ...]] = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)
ATTEMPTS: Final[tuple[float, ...]] = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)

# Closed sets, so that labels are bounded; what is not in one counts as its last.
ROUTES: Final = (
    "chat", "completions", "embeddings", "moderations", "responses", "messages", "count_tokens", "generate",
    "google_count", "embed_content", "batch_embed", "models", "model", "key", "none",
)  # fmt: skip
CLASSES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
OUTCOMES: Final = ("complete", "replayed", "truncated", "client_closed", "rejected", "refused", "uncertain", "failed")

INFERENCE: Final = 4  # so many of them are calls to models

_ROUTE: Final = {name: index for index, name in enumerate(ROUTES)}
_OUTCOME: Final = {name: index for index, name in enumerate(OUTCOMES)}


class Histogram:
    """Counts by bucket, the last for what is beyond all bounds, and the sum of what was observed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class ProviderTally:
    """Attempts by how they ended, tokens, and cost in nano-dollars, of one provider; `unpriced` attempts have none."""

    __slots__ = ("attempts", "cached", "cost", "input", "output", "unpriced")

    def __init__(self) -> None:
        self.attempts: dict[str, int] = {}
        self.input = 0
        self.output = 0
        self.cached = 0
        self.cost = 0
        self.unpriced = 0

    def count(self, status: str, tokens_in: int, tokens_out: int, cached: int, cost: int | None) -> None:
        """An attempt has been settled."""
        attempts = self.attempts
        attempts[status] = attempts.get(status, 0) + 1
        self.input += tokens_in
        self.output += tokens_out
        self.cached += cached
        if cost is not None:
            self.cost += cost
        elif tokens_in or tokens_out:
            self.unpriced += 1


class Tally:
    """One worker's. `calls` and `streams` are under way; the rest only grows."""

    __slots__ = (
        "attempts",
        "bytes_sent",
        "calls",
        "durations",
        "errors",
        "first_contents",
        "outcomes",
        "providers",
        "requests",
        "streams",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.streams = 0
        self.requests = [0] * (len(ROUTES) * len(CLASSES))
        self.outcomes = [0] * (len(ROUTES) * len(OUTCOMES))
        self.errors: dict[str, int] = {}
        self.durations = [Histogram(SECONDS) for _ in range(len(ROUTES) * 2)]  # by route, whole and streamed
        self.first_contents = [Histogram(SECONDS) for _ in ROUTES]
        self.attempts = Histogram(ATTEMPTS)
        self.bytes_sent = 0
        self.providers: dict[str, ProviderTally] = {}

    def count(
        self,
        route: str,
        status: int,
        outcome: str,
        code: str,
        streamed: bool,
        seconds: float,
        first: float,
        attempts: int,
        bytes_sent: int,
    ) -> None:
        """An answer is over. `first` is the time to first content in seconds, 0 for none."""
        index = _ROUTE.get(route, len(ROUTES) - 1)
        self.requests[index * len(CLASSES) + status // 100] += 1
        self.bytes_sent += bytes_sent
        if code:
            self.errors[code] = self.errors.get(code, 0) + 1
        if not outcome or index >= INFERENCE:
            return  # a list of models, or what was refused before it was a call to a model
        self.outcomes[index * len(OUTCOMES) + _OUTCOME.get(outcome, len(OUTCOMES) - 1)] += 1
        self.durations[index * 2 + streamed].observe(seconds)
        self.attempts.observe(attempts)
        if first > 0.0:
            self.first_contents[index].observe(first)

    def provider(self, name: str) -> ProviderTally:
        """A provider's, the same whatever becomes of its settings."""
        found = self.providers.get(name)
        if found is None:
            found = self.providers[name] = ProviderTally()
        return found
