"""The order in which targets are tried."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from encke.routing.plan import plan


@dataclass(frozen=True)
class Some:
    """A target with a name."""

    name: str
    weight: int = 1


A, B, C, D = Some("a", 3), Some("b"), Some("c"), Some("d")


def everyone(_: Some) -> bool:
    return True


def test_the_first_is_drawn_by_weight() -> None:
    """A target of weight 3 comes first three times as often as one of weight 1."""
    rng = random.Random(7)
    first = Counter(plan([A, B], [], everyone, rng)[0].name for _ in range(4000))
    assert 0.72 < first["a"] / 4000 < 0.78


def test_every_target_then_the_fallback_in_its_order() -> None:
    """Nothing is lost, nothing comes twice, and the fallback is never shuffled."""
    for seed in range(20):
        order = plan([A, B], [C, A, D], everyone, random.Random(seed))
        assert set(order[:2]) == {A, B} and order[2:] == [C, D]


def test_the_unhealthy_are_left_out() -> None:
    """Among targets, in the fallback, and a lone one: then there is nothing to try."""
    assert plan([A, B], [C], lambda target: target != A, random.Random(1)) == [B, C]
    assert plan([A], [C, D], lambda target: target == D, random.Random(1)) == [D]
    assert plan([A], [], lambda target: False, random.Random(1)) == []
    assert plan([A], [], everyone, random.Random(1)) == [A]
