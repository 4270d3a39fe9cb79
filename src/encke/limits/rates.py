"""Rates: so many per minute, as a bucket that holds a minute's worth and fills evenly (GCRA, in whole numbers).

A bucket is one number, its `tat` ("theoretical arrival time", ITU-T I.371): the moment at which it will be full again,
UTC microseconds. Taking n moves it n·T on, where T is a minute divided by `amount`, rounded up for each taking: so
within any time t no more than amount + amount·t/minute is ever taken. No bucket is emptier than empty, so a clock that
was put back (`mended`) locks nobody out for longer than a minute.
"""

from __future__ import annotations

from typing import Final

PERIOD_US: Final = 60_000_000


def room(tat: int, amount: int, now_us: int) -> int:
    """How many may be taken now."""
    return (PERIOD_US - _filling(tat, now_us)) * amount // PERIOD_US


def take(tat: int, amount: int, count: int, now_us: int) -> int:
    """The bucket after `count` were taken, of which there is `room`."""
    return now_us + _filling(tat, now_us) + _time(amount, count)


def wait_us(tat: int, amount: int, count: int, now_us: int) -> int | None:
    """How long until there is room for `count`; 0 when there is; None when there never will be."""
    if count <= 0:
        return 0
    if count > amount:
        return None
    return max(0, _filling(tat, now_us) + _time(amount, count) - PERIOD_US)


def mended(tat: int, now_us: int) -> int:
    """A bucket of another day, as it can be now: empty at worst. Its clock may have been ahead of this one."""
    return min(tat, now_us + PERIOD_US)


def give_back(tat: int, amount: int, count: int, now_us: int) -> int:
    """The bucket after `count` of what was taken came back unused; what is more than full is lost."""
    if amount <= 0:
        return tat
    return now_us + max(0, _filling(tat, now_us) - count * PERIOD_US // amount)


def full_at(tat: int, now_us: int) -> int:
    """When it is full again if nobody takes any more; now, when it is."""
    return now_us + _filling(tat, now_us)


def _filling(tat: int, now_us: int) -> int:
    """How long it takes until it is full."""
    return min(max(tat - now_us, 0), PERIOD_US)


def _time(amount: int, count: int) -> int:
    """The time in which so many come in, rounded up."""
    return -(-count * PERIOD_US // amount)
