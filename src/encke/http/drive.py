"""Run a call's coroutine straight from the bytes it waits for.

A Task costs a turn of the event loop for its start and for each wake-up, about 5 microseconds each; a call has three.
Here a coroutine waits on a `Signal`, and whoever sets the signal resumes it at once, in the same turn. The rules that
keep this safe:

- a signal is set only when its setter has finished with its own state (a connection sets it after the parser has
returned);
- a coroutine under a Driver awaits signals only, never asyncio's own futures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Signal(Generic[T]):
    """Something that will happen once: `set` or `fail` it, and whoever awaits it goes on. Later calls do nothing."""

    __slots__ = ("_error", "_ready", "_value", "_waiter")

    def __init__(self) -> None:
        self._ready = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._waiter: Driver | None = None

    @property
    def ready(self) -> bool:
        """Whether it has happened."""
        return self._ready

    def set(self, value: T) -> None:
        """It happened."""
        if not self._ready:
            self._ready = True
            self._value = value
            self._wake()

    def fail(self, error: BaseException) -> None:
        """It cannot happen: the waiter gets `error`."""
        if not self._ready:
            self._ready = True
            self._error = error
            self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            waiter.resume(self)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._ready:
            yield self
        if self._error is not None:
            raise self._error
        return cast(T, self._value)


async def rest(seconds: float) -> None:
    """Do nothing for a while, in a coroutine under a Driver."""
    over: Signal[None] = Signal()
    timer = asyncio.get_running_loop().call_later(seconds, over.set, None)
    try:
        await over
    finally:
        timer.cancel()


class Driver:
    """Runs one coroutine to its end, then calls `on_end` with None or the exception that nothing in it caught."""

    __slots__ = ("_cancel", "_coroutine", "_on_end", "_running", "_waits_on", "done")

    def __init__(self, coroutine: Coroutine[Any, None, None], on_end: Callable[[BaseException | None], None]) -> None:
        self._coroutine = coroutine
        self._on_end = on_end
        self._waits_on: Signal[Any] | None = None
        self._cancel: BaseException | None = None
        self._running = False
        self.done = False

    def start(self) -> None:
        """Run until the first signal that has not happened."""
        self._step(None)

    def resume(self, signal: Signal[Any]) -> None:
        """Called by the signal that the coroutine waits on."""
        if self._waits_on is signal:
            self._waits_on = None
            self._step(None)

    def cancel(self, error: BaseException) -> None:
        """Raise `error` inside the coroutine where it waits, or at its next wait if it is running now."""
        if self.done:
            return
        if self._running:
            self._cancel = error
            return
        waits_on = self._waits_on
        if waits_on is not None:
            waits_on._waiter = None
            self._waits_on = None
        self._step(error)

    def _step(self, error: BaseException | None) -> None:
        coroutine = self._coroutine
        self._running = True
        try:
            while True:
                signal: Signal[Any] = coroutine.send(None) if error is None else coroutine.throw(error)
                error = self._cancel
                if error is not None:
                    self._cancel = None
                elif not signal._ready:
                    signal._waiter = self
                    self._waits_on = signal
                    self._running = False
                    return
        except StopIteration:
            problem: BaseException | None = None
        except Exception as raised:
            problem = raised
        self._running = False
        self.done = True
        self._on_end(problem)
