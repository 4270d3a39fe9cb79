"""The order in which a model's targets are tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

# Refusals of a credential, not of the provider.
CREDENTIAL_FAULTS: Final = frozenset({"upstream_auth", "upstream_rate_limited"})


class Weighted(Protocol):
    """Something with a share."""

    @property
    def weight(self) -> float:
        """Its share among its siblings, more than 0."""

    @property
    def group(self) -> str:
        """The same for all credentials of one provider and model; empty where there is but one."""

    @property
    def resting(self) -> bool:
        """Whether its credential was refused a moment ago, so that another of its group comes first."""


W = TypeVar("W", bound=Weighted)


def plan(targets: Sequence[W], fallback: Sequence[W], healthy: Callable[[W], bool], rng: random.Random) -> list[W]:
    """Targets in the order to try: drawn by weight without putting back, then the fallback in its order.

    Those that are not healthy are left out. An empty list means that there is nothing to try now.
    """
    if len(targets) == 1 and not fallback:
        return list(targets) if healthy(targets[0]) else []
    drawn = [target for target in targets if healthy(target)]
    _draw(drawn, rng)
    rest = [target for target in fallback if healthy(target) and target not in drawn]
    if any(target.group for target in drawn):
        _gather(drawn, drawn)
    if any(target.group for target in rest):
        order = list(rest)
        _draw(rest, rng)
        _gather(rest, order)
    return drawn + rest


def remaining(queue: Sequence[W], fault: str) -> list[W]:
    """What is left to try once the first of the queue failed with a fault of this code.

    Where its credential was refused the next one of its group may be luckier. Where it was not, whoever is not of the
    group comes first; and nobody of the group where the provider could not even be reached.
    """
    first, rest = queue[0], list(queue[1:])
    if not first.group or fault in CREDENTIAL_FAULTS:
        return rest
    others = [target for target in rest if target.group != first.group]
    if fault == "upstream_unreachable":
        return others
    return others + [target for target in rest if target.group == first.group]


def _draw(targets: list[W], rng: random.Random) -> None:
    # Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): sort by u ** (1 / weight).
    targets.sort(key=lambda target: rng.random() ** (1.0 / target.weight), reverse=True)


def _gather(targets: list[W], order: Sequence[W]) -> None:
    """Put the members of each group together, where the first of them stands in `order`, those that rest behind.

    A draw by weight after which groups are gathered is one among groups, and then one within each.
    """
    place: dict[str, int] = {}
    places: dict[int, int] = {}
    for number, target in enumerate(order):
        places[id(target)] = place.setdefault(target.group, number) if target.group else number
    targets.sort(key=lambda target: (places[id(target)], target.resting))
