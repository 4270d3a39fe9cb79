"""The order of targets."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from encke.routing.plan import plan, remaining


@dataclass(frozen=True)
class One:
    """A target."""

    name: str
    weight: float = 1
    group: str = ""
    resting: bool = False


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


K = [One("k1", 3.0, "k"), One("k2", 1.0, "k"), One("k3", 2.0, "k")]
OTHER = One("other", 6.0)


def names(order: list[One]) -> list[str]:
    return [one.name for one in order]


def test_a_group_is_drawn_as_one_and_stays_together() -> None:
    """Six of twelve begin with the group, by weight within it; its members follow one another."""
    rng = random.Random(4)
    plans = [names(plan([*K, OTHER], [], lambda target: True, rng)) for _ in range(6000)]
    first = Counter(order[0] for order in plans)
    assert 2800 < first["other"] < 3200 and 1350 < first["k1"] < 1650
    assert 400 < first["k2"] < 600 and 850 < first["k3"] < 1150
    assert all(order.index("other") in (0, 3) for order in plans)


def test_a_group_in_the_fallback_keeps_its_place() -> None:
    """The fallback's order is that of the settings; within a group it is drawn."""
    rng = random.Random(5)
    plans = [names(plan([A], [B, *K, OTHER], lambda target: True, rng)) for _ in range(400)]
    assert all(order[:2] == ["a", "b"] and order[-1] == "other" for order in plans)
    assert {order[2] for order in plans} == {"k1", "k2", "k3"}


def test_who_rests_comes_after_the_rest_of_its_group() -> None:
    """And still before whoever stands behind the group."""
    rng = random.Random(6)
    tired = One("tired", 100.0, "k", True)
    for _ in range(50):
        assert names(plan([tired, *K], [OTHER], lambda target: True, rng))[3:] == ["tired", "other"]


def test_after_a_refused_credential_comes_the_next_one() -> None:
    """429 and a refused key say nothing of the others; whatever else it was, other providers come first."""
    queue = [*K, OTHER]
    for code in ("upstream_rate_limited", "upstream_auth"):
        assert names(remaining(queue, code)) == ["k2", "k3", "other"]
    assert names(remaining(queue, "overloaded")) == ["other", "k2", "k3"]
    assert names(remaining(queue, "upstream_unreachable")) == ["other"]
    assert names(remaining([A, B], "overloaded")) == ["b"] and remaining([A], "upstream_auth") == []
