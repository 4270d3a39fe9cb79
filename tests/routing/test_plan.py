"""The order of targets."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from encke.routing.plan import plan


@dataclass(frozen=True)
class One:
    """A target."""

    name: str
    weight: int = 1


A, B, C = One("a", 3), One("b", 1), One("c")


def test_weights_decide_who_is_first() -> None:
    """Three in four begin with the one of weight three; every plan has both."""
    rng = random.Random(1)
    plans = [plan([A, B], [], lambda target: True, rng) for _ in range(4000)]
    first = Counter(order[0].name for order in plans)
    assert 2850 < first["a"] < 3150
    assert all(set(order) == {A, B} for order in plans)


def test_fallback_comes_last_and_in_order() -> None:
    """Fallbacks follow in their own order, none twice."""
    rng = random.Random(2)
    for _ in range(50):
        assert plan([A, B], [C, A, One("d")], lambda target: True, rng)[2:] == [C, One("d")]


def test_unhealthy_are_left_out() -> None:
    """What is not healthy is not tried; nothing left is an empty plan."""
    rng = random.Random(3)
    assert plan([A, B], [C], lambda target: target is C, rng) == [C]
    assert plan([A], [], lambda target: False, rng) == []
    assert plan([A], [], lambda target: True, rng) == [A]
