"""What a call needs of its worker, and how it is told that the worker ends."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from encke.calls.attempt import StreamCare
from encke.calls.hold import Purse
from encke.calls.replies import Replies
from encke.calls.upstream import Target, Upstream
from encke.catalogue.catalogue import Catalogue, Model, TargetName
from encke.core.faults import Fault
from encke.core.redact import Redactor
from encke.core.traits import Unsupported
from encke.http.drive import Signal
from encke.ledger.journal import Journal
from encke.routing.retry import RetryPolicy
from encke.telemetry.access import AccessLog
from encke.telemetry.tally import Tally

# Callers choose the names of models, so what is remembered of them is bounded.
MAX_REMEMBERED: Final = 4096
MOST_REFUSALS: Final = 1000  # a minute


class Refusals:
    """How many refusals a worker records: whoever asks again and again, and is refused each time, must not fill the
    disk. Of a key and an error so many a minute; all are counted in the metrics and stand in the access log."""

    __slots__ = ("_counts", "_minute")

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[tuple[str, str], int] = {}

    def takes(self, key: str, code: str, now: float) -> bool:
        """Whether another is recorded. `now`: seconds of the monotonic clock."""
        minute, counts = int(now // 60), self._counts
        if minute != self._minute:
            self._minute = minute
            counts.clear()
        count = counts.get((key, code), 0)
        if count >= MOST_REFUSALS or (not count and len(counts) >= MAX_REMEMBERED):
            return False
        counts[key, code] = count + 1
        return True


class Drained(Exception):
    """The gateway stops and the call's time of grace is over."""


class Unsynced(Fault):
    """What was settled could not be written to the disk, and nobody may see the end of it (`durability = "strict"`)."""

    def __init__(self) -> None:
        super().__init__(
            "unavailable",
            "The answer has come, but its record could not be written to the disk, without which it is not given out "
            '(store.durability = "strict"). The call was made, and what it cost is charged.',
            headers=(("x-should-retry", "false"),),
        )


@dataclass(slots=True)
class Desk:
    """What a call needs of its worker."""

    catalogue: Catalogue
    upstreams: Mapping[str, Upstream]
    journal: Journal
    access: AccessLog
    # Asks providers what they offer. For bare model ids that are not known yet.
    discover: Callable[[], Awaitable[None]]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    tally: Tally = field(default_factory=Tally)
    care: StreamCare = field(default_factory=StreamCare)
    purse: Purse = field(default_factory=Purse)
    rng: random.Random = field(default_factory=random.Random)
    refusals: Refusals = field(default_factory=Refusals)
    # Our credentials, which an upstream's error may quote.
    redactor: Redactor = field(default_factory=lambda: Redactor(()))
    # For calls with an Idempotency-Key; None: it is not heeded.
    replies: Replies | None = None
    # What becomes of a call that its target cannot be asked in full, where neither key nor caller says it.
    on_unsupported: Unsupported = "warn"
    # Strict durability: what has been settled so far is on the disk when the signal happens; it may fail with Unsynced.
    sync: Callable[[], Signal[None]] | None = None
    # By identity, since hashing a model costs more than all the rest; the model is kept so that its id stays its own.
    _targets: dict[int, tuple[list[Target], list[Target], Model]] = field(default_factory=dict)

    def targets_of(self, model: Model) -> tuple[list[Target], list[Target]]:
        """A model's targets and its fallback, ready to send to."""
        found = self._targets.get(id(model))
        if found is None:
            if len(self._targets) >= MAX_REMEMBERED:
                self._targets.clear()
            first = self._targets_named(model.targets)
            found = self._targets[id(model)] = (first, self._targets_named(model.fallback), model)
        return found[0], found[1]

    def _targets_named(self, names: tuple[TargetName, ...]) -> list[Target]:
        found: list[Target] = []
        for name in names:
            upstream = self.upstreams[name.provider]
            found += upstream.targets(name.model, name.weight, name.pricing, name.capabilities)
        return found


def draining() -> Fault:
    """What is told when the time of grace is over."""
    return Fault("draining", "The gateway is being stopped or renewed, and the time that running calls get is over.")
