"""Signals and the Driver: what runs when, and what a cancel does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from encke.http.drive import Driver, Signal, rest


class Stop(Exception):
    """Raised inside coroutines by cancels."""


class Log:
    """Collects what happened, and how a driver ended."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.ends: list[BaseException | None] = []

    def drive(self, coroutine: Any) -> Driver:
        """A driver that tells this log of its end."""
        driver = Driver(coroutine, self.ends.append)
        driver.start()
        return driver


def test_waiter_runs_inside_set() -> None:
    """What waits on a signal goes on before `set` returns, and gets the value."""
    log, signal = Log(), Signal[int]()

    async def wait() -> None:
        log.lines.append("before")
        log.lines.append(await signal)

    driver = log.drive(wait())
    assert log.lines == ["before"] and not driver.done
    signal.set(7)
    assert log.lines == ["before", 7]
    assert log.ends == [None]


async def _rest(log: Log, cancel: bool) -> None:
    async def wait() -> None:
        log.lines.append("before")
        await rest(0.01 if not cancel else 3600)
        log.lines.append("after")

    driver = log.drive(wait())
    assert log.lines == ["before"]
    if cancel:
        driver.cancel(Stop())
    while not driver.done:
        await asyncio.sleep(0.005)


def test_a_rest_ends_by_time_or_by_a_cancel() -> None:
    """It takes as long as was asked, and a cancel does not wait for it."""
    log = Log()
    asyncio.run(_rest(log, False))
    assert log.lines == ["before", "after"] and log.ends == [None]
    log = Log()
    asyncio.run(_rest(log, True))
    assert log.lines == ["before"] and isinstance(log.ends[0], Stop)


def test_set_before_await() -> None:
    """A signal that has happened does not suspend, with a value and with an error."""
    log, good, bad = Log(), Signal[int](), Signal[int]()
    good.set(1)
    bad.fail(Stop("no"))

    async def wait() -> None:
        log.lines.append(await good)
        await bad

    assert log.drive(wait()).done
    assert log.lines == [1]
    assert isinstance(log.ends[0], Stop)


def test_only_the_first_counts() -> None:
    """A signal happens once: later sets and failures change nothing."""
    log, signal = Log(), Signal[int]()
    signal.set(1)
    signal.set(2)
    signal.fail(Stop())

    async def wait() -> None:
        log.lines.append(await signal)
        log.lines.append(await signal)

    log.drive(wait())
    assert log.lines == [1, 1]


def test_fail_raises_in_the_waiter() -> None:
    """`fail` raises where the coroutine waits, and the coroutine may go on."""
    log, first, second = Log(), Signal[None](), Signal[str]()

    async def wait() -> None:
        try:
            await first
        except Stop:
            log.lines.append("caught")
        log.lines.append(await second)

    driver = log.drive(wait())
    first.fail(Stop())
    assert log.lines == ["caught"] and not driver.done
    second.set("on")
    assert log.lines == ["caught", "on"] and log.ends == [None]


def test_cancel_while_waiting() -> None:
    """A cancel raises at once where the coroutine waits; the signal it waited on is forgotten."""
    log, signal = Log(), Signal[int]()

    async def wait() -> None:
        try:
            await signal
        finally:
            log.lines.append("finally")

    driver = log.drive(wait())
    driver.cancel(Stop())
    assert driver.done and log.lines == ["finally"] and isinstance(log.ends[0], Stop)
    signal.set(1)
    driver.cancel(Stop())
    assert len(log.ends) == 1


def test_cancel_while_running() -> None:
    """A cancel from inside the running coroutine takes effect at its next wait, and not before."""
    log, signal = Log(), Signal[int]()
    drivers: list[Driver] = []

    async def work() -> None:
        await signal
        drivers[0].cancel(Stop())
        log.lines.append("still running")
        await Signal[int]()
        log.lines.append("never")

    drivers.append(log.drive(work()))
    signal.set(1)
    assert log.lines == ["still running"]
    assert drivers[0].done and isinstance(log.ends[0], Stop)


def test_cancel_while_running_without_another_wait() -> None:
    """A coroutine that was cancelled in its last stretch just ends."""
    log, signal = Log(), Signal[int]()
    drivers: list[Driver] = []

    async def work() -> None:
        await signal
        drivers[0].cancel(Stop())

    drivers.append(log.drive(work()))
    signal.set(1)
    assert log.ends == [None]


def test_cancelled_coroutine_may_wait_again() -> None:
    """Cleaning up after a cancel may wait for signals as usual."""
    log, first, second = Log(), Signal[int](), Signal[int]()

    async def work() -> None:
        try:
            await first
        except Stop:
            log.lines.append(await second)

    driver = log.drive(work())
    driver.cancel(Stop())
    assert not driver.done
    first.set(1)
    assert log.lines == [], "the signal it no longer waits on must not wake it"
    second.set(2)
    assert log.lines == [2] and log.ends == [None]


def test_uncaught_error_reaches_on_end() -> None:
    """What nothing in the coroutine caught is given to `on_end`, whoever set the signal is not disturbed."""
    log, signal = Log(), Signal[int]()

    async def work() -> None:
        await signal
        raise ValueError("mine")

    log.drive(work())
    signal.set(1)
    assert isinstance(log.ends[0], ValueError)


def test_drivers_wake_each_other_in_order() -> None:
    """A coroutine that sets another's signal goes on after the other has run up to its next wait."""
    log, ping, pong = Log(), Signal[None](), Signal[None]()

    async def first() -> None:
        await ping
        log.lines.append("first: pong")
        pong.set(None)
        log.lines.append("first: end")

    async def second() -> None:
        await pong
        log.lines.append("second")

    log.drive(second())
    log.drive(first())
    ping.set(None)
    assert log.lines == ["first: pong", "second", "first: end"]
    assert log.ends == [None, None]


def test_many_ready_signals_do_not_nest() -> None:
    """Ten thousand signals that have happened are awaited in a loop, not in recursion."""
    log, signal = Log(), Signal[int]()
    signal.set(1)

    async def work() -> None:
        log.lines.append(sum([await signal for _ in range(10_000)]))

    log.drive(work())
    assert log.lines == [10_000]


@pytest.mark.parametrize("ready", [True, False])
def test_ready_tells(ready: bool) -> None:
    """`ready` says whether it has happened, either way."""
    signal = Signal[int]()
    if ready:
        signal.fail(Stop())
    assert signal.ready is ready
