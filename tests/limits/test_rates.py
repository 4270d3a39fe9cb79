"""Rates against a simple model: every taking written down, and added up over all windows."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from encke.limits.rates import PERIOD_US, full_at, give_back, mended, room, take, wait_us

amounts = st.one_of(st.integers(1, 100), st.integers(1, 10**9), st.sampled_from([7, 60, 600, 999_983]))
starts = st.integers(0, 1 << 51)


def within_bounds(taken: list[tuple[int, int]], amount: int) -> None:
    """In no window more than the burst and what came in meanwhile."""
    for first in range(len(taken)):
        total = 0
        for when, count in taken[first:]:
            total += count
            assert total <= amount + Fraction(amount * (when - taken[first][0]), PERIOD_US)


@given(amounts, starts, st.lists(st.tuples(st.integers(0, 90_000_000), st.integers(1, 50)), max_size=40), st.data())
@settings(max_examples=300, deadline=None)
def test_admitted_within_the_bound(amount: int, now: int, steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whoever asks when and for what: in any window no more than burst and rate. A refusal changes nothing, and the
    time to wait is right to the microsecond."""
    tat = 0
    taken: list[tuple[int, int]] = []
    for pause, part in steps:
        now += data.draw(st.sampled_from([0, 1, pause, PERIOD_US // amount]))
        count = max(1, amount * part // 100) if data.draw(st.booleans()) else part
        wait = wait_us(tat, amount, count, now)
        assert (wait == 0) == (count <= room(tat, amount, now))
        if wait == 0:
            tat = take(tat, amount, count, now)
            taken.append((now, count))
            assert now <= tat <= now + PERIOD_US
        elif wait is None:
            assert count > amount
        else:
            assert room(tat, amount, now + wait - 1) < count <= room(tat, amount, now + wait)
    within_bounds(taken, amount)


@given(amounts, starts, st.integers(2, 200))
@settings(max_examples=200, deadline=None)
def test_all_of_it_is_used(amount: int, now: int, rounds: int) -> None:
    """Who takes whatever there is gets the burst and, within a microsecond for each taking, the rate."""
    begun, total, tat = now, 0, 0
    for _ in range(rounds):
        wait = wait_us(tat, amount, 1, now)
        assert wait is not None
        now += wait
        there = room(tat, amount, now)
        tat = take(tat, amount, there, now)
        total += there
    came = Fraction(amount * (now - begun), PERIOD_US)
    assert amount + came - 1 - Fraction(rounds * amount, PERIOD_US) <= total <= amount + came


@given(amounts, starts, st.integers(1, 10**9), st.integers(0, 10**9))
@settings(max_examples=300, deadline=None)
def test_what_comes_back(amount: int, now: int, first: int, back: int) -> None:
    """What is given back at once can be taken again, and never more than that."""
    first = min(first, amount)
    back = min(back, first)
    tat = take(0, amount, first, now)
    again = give_back(tat, amount, back, now)
    most = 1 + -(-2 * amount // PERIOD_US)  # two roundings of at most a microsecond, and one to a whole number
    assert amount - first + back - most <= room(again, amount, now) <= amount - first + back
    assert room(give_back(tat, amount, 10**12, now), amount, now) == amount


@given(amounts, starts, st.integers(1, 1 << 50))
@settings(max_examples=100, deadline=None)
def test_a_clock_put_back_locks_nobody_out(amount: int, now: int, back: int) -> None:
    """However far it is put back, a minute later all of it is there again; what was taken stays taken."""
    tat = take(0, amount, amount, now)
    then = now - back
    assert wait_us(tat, amount, amount, then) == wait_us(mended(tat, then), amount, amount, then)
    assert room(mended(tat, then), amount, then) == 0
    assert room(mended(tat, then), amount, then + PERIOD_US) == amount
    assert full_at(tat, then) == then + PERIOD_US
    assert mended(tat, now) == tat


def test_a_rate_of_nothing() -> None:
    """Admits nothing, ever."""
    assert room(0, 0, 5) == 0 and wait_us(0, 0, 1, 5) is None and give_back(9, 0, 1, 5) == 9


def test_a_rate_that_is_changed() -> None:
    """The bucket is as full as before, as a part of the new amount."""
    tat = take(0, 60, 30, 1_000)
    assert room(tat, 60, 1_000) == 30 and room(tat, 600, 1_000) == 300 and room(tat, 6, 1_000) == 3
