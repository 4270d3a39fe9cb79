"""Terms hold when they say, and what a price does not name costs what it is a kind of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from encke.catalogue.pricing import DAY_MS, FREE, UNPRICED, Pricing, Term, always, make_price, own_price
from encke.core.money import Price
from encke.core.usage import Usage

HOUR = 3_600_000
DAY = 20_000 * DAY_MS  # some midnight


def price(dollars: int) -> Price:
    """A price that one can tell from others."""
    return make_price(f"v{dollars}", {"input": dollars * 1_000_000})


def test_unpriced_is_no_price_and_free_is_one() -> None:
    """Nothing known gives None, never a price of nothing."""
    assert UNPRICED.at(DAY) is None and UNPRICED.at(0) is None
    free = FREE.at(DAY)
    assert free is not None and free.free and free.version == "free"


def test_a_later_price_begins_on_its_day() -> None:
    """The last term that holds counts; before all of them the first does."""
    pricing = Pricing((Term(price(1), DAY), Term(price(2), DAY + 5 * DAY_MS)))
    for now, version in ((DAY - 1, "v1"), (DAY, "v1"), (DAY + 5 * DAY_MS - 1, "v1"), (DAY + 5 * DAY_MS, "v2")):
        found = pricing.at(now)
        assert found is not None and found.version == version, now


def test_hours_of_the_day_may_cross_midnight() -> None:
    """A cheap price from 16:30 to 00:30 UTC holds then, and the first one else."""
    pricing = Pricing((Term(price(2)), Term(price(1), 0, 16 * HOUR + HOUR // 2, HOUR // 2)))
    told = []
    for half_hour in range(96):
        found = pricing.at(DAY + half_hour * HOUR // 2)
        assert found is not None
        told.append(found.version)
    day = ["v1", *["v2"] * 32, *["v1"] * 15]
    assert told == day * 2


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(-1, 23), st.integers(0, 23)),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.integers(0, 6 * 24 * 4), min_size=1, max_size=30),
)
def test_what_is_remembered_is_what_holds(terms: list[tuple[int, int, int]], quarters: list[int]) -> None:
    """Asked again and again, with a clock that also goes back, the answer is that of a fresh look at all terms."""
    made = tuple(
        Term(price(index + 1), DAY + start * DAY_MS if start else 0, begin * HOUR if begin >= 0 else -1, end * HOUR)
        for index, (start, begin, end) in enumerate(terms)
    )
    pricing = Pricing(made)
    for quarter in quarters:
        now = DAY + quarter * HOUR // 4
        holding = [term for term in made if term.holds(now)]
        assert pricing.at(now) is (holding[-1] if holding else made[0]).price


def test_what_is_not_named_costs_what_it_is_a_kind_of() -> None:
    """Cached, spoken and shown tokens cost what tokens read cost, thoughts what tokens written cost: never nothing."""
    plain = make_price("v", {"input": 3, "output": 7})
    assert plain.rates == (3, 3, 3, 3, 3, 3, 7, 7, 7, 7, 0)
    fuller = make_price("v", {"input": 3, "output": 7, "cache_write_5m": 4, "cache_read": 1, "request": 9})
    assert fuller.rates == (3, 1, 4, 4, 3, 3, 7, 7, 7, 7, 9)


def test_a_tier_says_only_what_is_different() -> None:
    """The rest of a tier is the price below it, and what stands for something else stands for the tier's."""
    made = make_price("v", {"input": 3, "output": 7, "cache_read": 1}, [(200, {"input": 6}), (100, {"output": 9})])
    assert made.tiers[0] == (100, (3, 1, 3, 3, 3, 3, 9, 9, 9, 9, 0))
    assert made.tiers[1] == (200, (6, 1, 6, 6, 6, 6, 7, 7, 7, 7, 0))
    big = make_price("v", {"input": 1000, "output": 1000}, [(200, {"input": 2000})])
    assert big.cost(Usage(input=200)) == 200 and big.cost(Usage(input=201)) == 402
    assert big.cost(Usage(input=1, cache_read=200)) == 402, "all that is read counts for the tier"


def test_own_prices_have_their_hash_for_a_version() -> None:
    """Equal prices have equal versions, others have others."""
    one, same, other = (
        own_price({"input": 1, "output": 2}),
        own_price({"output": 2, "input": 1}),
        own_price({"input": 2}),
    )
    assert one.version == same.version != other.version
    assert one.version.startswith("set-") and len(one.version) == 16
    assert always(one).at(DAY) is one
