"""Prices and amounts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from encke.core.money import NANO, RATES, Price, dearer, dollars, shown, unpack
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


_TIERS = st.dictionaries(st.integers(0, 1 << 26), _RATES, max_size=2).map(lambda tiers: tuple(sorted(tiers.items())))
_PRICE = st.builds(Price, st.just("v"), _RATES, _TIERS)


@given(_PRICE, _PRICE, _USAGE)
def test_the_dearer_of_two_costs_as_much_as_either(one: Price, other: Price, usage: Usage) -> None:
    """Whatever is used; and it is one of the two where that is the dearer in all."""
    price = dearer(one, other)
    assert price.cost(usage) >= max(one.cost(usage), other.cost(usage))
    assert dearer(one, one) is one
    free = Price("free", (0,) * len(RATES))
    assert dearer(free, one).packed in (one.packed, free.packed)


@given(st.integers(-(1 << 63), 1 << 63))
def test_amounts_are_written_exactly(nano: int) -> None:
    """Plain decimals without needless zeros, exponents or a minus before nothing; sentences have cents at least."""
    text = dollars(nano)
    assert Decimal(text) * NANO == nano
    assert "e" not in text.lower() and text != "-0" and (("." not in text) or text[-1] != "0")
    said = shown(nano)
    assert Decimal(said.replace("$", "")) * NANO == nano and len(said.partition(".")[2]) >= 2
    assert said.startswith("-$" if nano < 0 else "$")


def test_amounts_as_people_know_them() -> None:
    """Cents, dollars, and a nano-dollar."""
    assert [dollars(nano) for nano in (0, 1, 25 * NANO, NANO // 2, -NANO)] == ["0", "0.000000001", "25", "0.5", "-1"]
    assert [shown(nano) for nano in (0, 1, 25 * NANO, NANO // 2)] == ["$0.00", "$0.000000001", "$25.00", "$0.50"]


@given(st.integers(-(10**20), 10**20))
def test_dollars_are_exact(nano: int) -> None:
    """As decimals they are the same amount, without a needless zero."""
    text = dollars(nano)
    assert Fraction(text) * 10**9 == nano
    assert "." not in text or text[-1] not in "0."
