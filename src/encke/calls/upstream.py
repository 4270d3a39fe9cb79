"""Upstream: a provider's credential as the calls see it, ready to send with. Target: an upstream and a model there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from encke.catalogue.pricing import UNPRICED, Pricing
from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.core.traits import PLAIN, Traits
from encke.dialects.table import op_for
from encke.http.pool import Pool
from encke.routing.breaker import PROVIDER_FAULTS, Breaker
from encke.routing.plan import CREDENTIAL_FAULTS
from encke.telemetry.tally import ProviderTally

# How long a refused credential stands behind the others of its provider, in seconds, where upstream does not say.
REST_SECONDS: Final = {"upstream_auth": 60.0, "upstream_rate_limited": 5.0}


NOTHING_SAID: Final[Mapping[str, Any]] = {}


class SeatTaker(Protocol):
    """A bound on concurrent calls that all workers share; the embedded model has one."""

    def take(self) -> int | None:
        """A seat, or None when all are taken."""

    def free(self, seat: int) -> None:
        """Give it back."""


class PriceSource(Protocol):
    """A provider's prices."""

    def pricing(self, model: str) -> Pricing:
        """What one of its models costs."""


class NoPrices:
    """No model has one."""

    def pricing(self, model: str) -> Pricing:
        """None."""
        return UNPRICED


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an upstream, in seconds."""

    first_byte: float = 300.0
    idle: float = 120.0
    total: float = 600.0


def _plain(model: str) -> Traits:
    return PLAIN


@dataclass(slots=True)
class Upstream:
    """One credential of a provider. `heads` maps an operation (`encke.dialects.table`) to the request head up to the
    value of content-length, in the provider's order of preference; `OP.stream` is that of its streams, where they have
    another. Where the model stands in the path, `heads_of` makes them for one.

    `credential` is its name, empty where it has none, `share` its part of the calls. Of a provider with several
    credentials the first one's upstream knows them all (`siblings`); they have one pool.
    """

    name: str
    pool: Pool
    heads: Mapping[str, bytes]
    patience: Patience
    seats: SeatTaker | None = None
    breaking: bool = True
    breakers: dict[str, Breaker] = field(default_factory=dict)
    heads_of: Callable[[str], Mapping[str, bytes]] | None = None
    credential: str = ""
    share: int = 1
    siblings: tuple[Upstream, ...] = ()
    tally: ProviderTally = field(default_factory=ProviderTally)
    prices: PriceSource = field(default_factory=NoPrices)
    # How a model of it wants to be talked to.
    traits_of: Callable[[str], Traits] = _plain
    # Until when each model's calls prefer another credential.
    resting: dict[str, float] = field(default_factory=dict)

    def targets(
        self, model: str, weight: int, pricing: Pricing | None = None, said: Mapping[str, Any] = NOTHING_SAID
    ) -> list[Target]:
        """A target for each credential; without `pricing` the provider's holds. `said` are capabilities by name that
        hold in place of the provider's.

        Raises Fault model_not_found for a name that cannot stand in a path.
        """
        if pricing is None:
            pricing = self.prices.pricing(model)
        heads = self.heads if self.heads_of is None else self.heads_of(model)
        traits = self.traits_of(model)
        if said:
            capabilities = msgspec.structs.replace(traits.capabilities, **said)
            traits = msgspec.structs.replace(traits, capabilities=capabilities)
        siblings = self.siblings
        if not siblings:
            return [Target(self, model, heads, weight, pricing=pricing, traits=traits)]
        total = sum(one.share for one in siblings)
        return [
            Target(
                one,
                model,
                one.heads if one.heads_of is None else one.heads_of(model),
                weight * one.share / total,
                f"{one.name}/{model}",
                pricing,
                traits,
            )
            for one in siblings
        ]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an attempt goes."""

    upstream: Upstream
    model: str
    heads: Mapping[str, bytes]
    weight: float = 1.0
    group: str = ""
    pricing: Pricing = UNPRICED
    traits: Traits = PLAIN
    _ops: dict[str, str] = field(default_factory=dict)

    def op(self, route: str) -> str:
        """The operation that a call on a route becomes here; empty if it cannot come here."""
        found = self._ops.get(route)
        if found is None:
            found = self._ops[route] = op_for(route, self.heads, self.traits.capabilities.ops) or ""
        return found

    @property
    def resting(self) -> bool:
        """Whether the credential was refused a moment ago for this model."""
        return self.upstream.resting.get(self.model, 0.0) > monotonic()

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
        if fault is not None and self.group and fault.code in CREDENTIAL_FAULTS:
            self._rest(fault)
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

    def _rest(self, fault: Fault) -> None:
        resting = self.upstream.resting
        if len(resting) >= 4096:
            resting.clear()
        seconds = fault.retry_after if fault.retry_after is not None else REST_SECONDS[fault.code]
        resting[self.model] = monotonic() + seconds

    def left(self) -> None:
        """The client left before the attempt told anything."""
        breaker = self.upstream.breakers.get(self.model)
        if breaker is not None:
            breaker.release()
