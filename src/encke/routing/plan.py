"""The order in which a model's targets are tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Weighted(Protocol):
    """Something with a share."""

    @property
    def weight(self) -> int:
        """Its share among its siblings, 1 or more."""


W = TypeVar("W", bound=Weighted)


def plan(targets: Sequence[W], fallback: Sequence[W], healthy: Callable[[W], bool], rng: random.Random) -> list[W]:
    """Targets in the order to try: drawn by weight without putting back, then the fallback in its order.

    Those that are not healthy are left out. An empty list means that there is nothing to try now.
    """
    if len(targets) == 1 and not fallback:
        return list(targets) if healthy(targets[0]) else []
    drawn = [target for target in targets if healthy(target)]
    # Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): sort by u ** (1 / weight).
    drawn.sort(key=lambda target: rng.random() ** (1.0 / target.weight), reverse=True)
    return drawn + [target for target in fallback if healthy(target) and target not in drawn]
