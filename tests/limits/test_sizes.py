"""How long answers are, learnt."""

from __future__ import annotations

from encke.limits.sizes import AGED, ENOUGH, START, Sizes


def test_before_enough_answers() -> None:
    """Nothing is believed of a few."""
    sizes = Sizes()
    for _ in range(ENOUGH - 1):
        sizes.learn("m", 10)
    assert sizes.most("m") == START == sizes.most("never seen")


def test_one_in_a_hundred_may_be_longer() -> None:
    """The bound is a power of two that 99 of 100 answers stay below."""
    sizes = Sizes()
    for size in [100] * 990 + [50_000] * 10:
        sizes.learn("m", size)
    assert sizes.most("m") == 128
    sizes.learn("m", 50_000)
    sizes.learn("m", 1 << 40)
    assert sizes.most("m") == 65536


def test_what_was_long_ago_counts_less() -> None:
    """A model whose answers become longer is held at more before long."""
    sizes = Sizes()
    for _ in range(AGED * 3):
        sizes.learn("m", 100)
    for _ in range(AGED // 16):
        sizes.learn("m", 5000)
    assert sizes.most("m") == 8192
