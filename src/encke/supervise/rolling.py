"""Workers replaced one by one, without a moment in which nobody accepts connections.

The new worker shares the place's listening socket with the old one. As soon as it answers calls, the old one is told to
retire: it accepts no more, finishes what it has, and ends. If the new one does not come up, the old one stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from encke.supervise.control import Answer
from encke.supervise.fleet import Fleet
from encke.supervise.nursery import Place, Process, order

START_SECONDS = 60.0

Tell = Callable[[str, Mapping[str, object]], None]


class Rolling:
    """One round at a time. `start` starts a worker for a place; it raises OSError. `on_change`: processes changed."""

    def __init__(
        self, fleet: Fleet, start: Callable[[Place], Process], tell: Tell, on_change: Callable[[], None]
    ) -> None:
        self._fleet = fleet
        self._start = start
        self._tell = tell
        self._on_change = on_change
        self._answer: Answer | None = None
        self._todo: list[Place] = []
        self._done = 0
        self._deadline = 0.0

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do at the latest."""
        return self._deadline if self._todo else None

    def ask(self, answer: Answer) -> None:
        """Begin a round."""
        if self._todo:
            answer({"error": "the workers are being restarted already; wait until that is done"})
            return
        left = len(self._fleet.retired)
        if left > len(self._fleet.places):
            answer({"error": f"{left} workers of earlier restarts still finish their calls; try again later"})
            return
        self._answer = answer
        self._todo = list(self._fleet.places)
        self._done = 0
        self._tell("workers_restarting", {"workers": len(self._todo)})
        self._go_on()

    def tick(self, now: float) -> None:
        """Take the successor in when it is ready; give up when it does not come."""
        if not self._todo:
            return
        place = self._todo[0]
        successor = place.successor
        if successor is None:
            return  # `gone` has seen to it
        if successor.ready:
            self._take_over(place, successor)
        elif now > self._deadline:
            successor.popen.kill()
            self._give_up(f"the new worker {successor.pid} was not ready within {START_SECONDS:g} s")

    def gone(self, process: Process) -> None:
        """A process has ended; call it before the fleet forgets it."""
        if self._todo and self._todo[0].successor is process:
            status = process.popen.returncode
            self._give_up(f"the new worker {process.pid} ended with status {status} before it was ready")

    def refuse_all(self, why: str) -> None:
        """The gateway stops."""
        if self._todo:
            self._todo = []
            self._reply({"error": why})

    def _go_on(self) -> None:
        if not self._todo:
            still = len(self._fleet.retired)
            self._tell("workers_restarted", {"workers": self._done, "retiring": still})
            self._reply({"result": {"workers": self._done, "retiring": still}})
            return
        place = self._todo[0]
        self._deadline = time.monotonic() + START_SECONDS
        try:
            place.successor = self._start(place)
        except OSError as error:
            self._give_up(f"a new worker could not be started: {error.strerror or error}")
            return
        self._on_change()

    def _take_over(self, place: Place, successor: Process) -> None:
        old, place.process, place.successor, place.again_at = place.process, successor, None, 0.0
        if old is not None:
            self._fleet.retired.append(old)
            order(old, "retire", 0, {})
        self._todo.pop(0)
        self._done += 1
        self._on_change()
        self._go_on()

    def _give_up(self, why: str) -> None:
        left = len(self._todo)
        self._todo = []
        self._tell("workers_not_restarted", {"reason": why, "replaced": self._done, "kept": left})
        self._reply({"error": f"{why}; {self._done} workers were replaced, {left} stay as they are (see the log)"})

    def _reply(self, answer: Mapping[str, Any]) -> None:
        reply, self._answer = self._answer, None
        if reply is not None:
            reply(answer)
