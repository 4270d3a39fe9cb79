"""Upstream: one provider as the calls see it, ready to send to. Target: an upstream and a model there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.http.pool import Pool
from encke.routing.breaker import PROVIDER_FAULTS, Breaker


class SeatTaker(Protocol):
    """A bound on concurrent calls that all workers share; the embedded model has one."""

    def take(self) -> int | None:
        """A seat, or None when all are taken."""

    def free(self, seat: int) -> None:
        """Give it back."""


class Patience(NamedTuple):
    """How long to wait for an upstream, in seconds."""

    first_byte: float = 300.0
    idle: float = 120.0
    total: float = 600.0


@dataclass(slots=True)
class Upstream:
    """One provider. `heads` maps a route's name to the request head up to the value of content-length."""

    name: str
    pool: Pool
    heads: Mapping[str, bytes]
    stream_usage: str
    patience: Patience
    seats: SeatTaker | None = None
    breaking: bool = True
    breakers: dict[str, Breaker] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an attempt goes."""

    upstream: Upstream
    model: str
    weight: int = 1

    @property
    def healthy(self) -> bool:
        """Whether its breaker lets an attempt through."""
        breaker = self.upstream.breakers.get(self.model)
        return breaker is None or breaker.allows(monotonic())

    def begin(self) -> None:
        """An attempt begins."""
        breaker = self.upstream.breakers.get(self.model)
        if breaker is not None:
            breaker.start(monotonic())

    def end(self, fault: Fault | None) -> float:
        """An attempt has ended, or its stream has begun; only the provider's faults count against it.

        Returns when it was counted, in seconds of the monotonic clock; 0 if it was not.
        """
        breakers = self.upstream.breakers
        breaker = breakers.get(self.model)
        failed = fault is not None and fault.code in PROVIDER_FAULTS
        if breaker is None:
            if not failed or not self.upstream.breaking:
                return 0.0
            if len(breakers) >= 4096:
                breakers.clear()
            breaker = breakers[self.model] = Breaker()
        now = monotonic()
        breaker.record(now, failed)
        return now

    def spoil(self, fault: Fault, counted: float) -> None:
        """A stream that had begun well, as `end` told at `counted`, broke off."""
        breaker = self.upstream.breakers.get(self.model)
        if breaker is None or fault.code not in PROVIDER_FAULTS:
            self.end(fault)
        else:
            breaker.spoil(counted, monotonic())

    def left(self) -> None:
        """The client left before the attempt told anything."""
        breaker = self.upstream.breakers.get(self.model)
        if breaker is not None:
            breaker.release()
