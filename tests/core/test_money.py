"""Prices and amounts."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from encke.core.money import RATES, Price, unpack
from encke.core.usage import Usage

_RATES = st.tuples(*[st.integers(0, 10**9)] * len(RATES))
_USAGE = st.builds(Usage, **{name: st.integers(0, 1 << 26) for name in Usage.__struct_fields__ if name != "estimated"})


@given(_RATES, st.lists(st.tuples(st.integers(0, 1 << 26), _RATES), max_size=2), _USAGE)
def test_cost_is_the_sum_rounded_up_once(
    rates: tuple[int, ...], tiers: list[tuple[int, tuple[int, ...]]], usage: Usage
) -> None:
    """Against fractions: each token costs its bucket's rate in its tier, and less than a nano-dollar is added."""
    tiers.sort()
    price = Price("v", rates, tuple(tiers))
    for above, each in tiers:
        if usage.total_input > above:
            rates = each
    pico = sum(
        (Fraction(getattr(usage, name)) * rate for name, rate in zip(RATES, rates, strict=True) if name != "request"),
        Fraction(),
    )
    exact = pico / 1000 + rates[-1]
    assert 0 <= price.cost(usage) - exact < 1
    assert unpack(price.packed).cost(usage) == price.cost(usage)
    assert price.bound(usage.total_input, usage.total_output, True) >= price.cost(usage)
