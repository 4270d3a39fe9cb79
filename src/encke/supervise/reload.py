"""Settings read again: all workers prepare, then all change over; or none does, and the old settings stay.

One reload at a time; others wait for their turn. A worker that starts meanwhile is started with the old settings and
gets the new ones with the change.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from encke.compose import Composition, Recomposition
from encke.config.problems import ConfigError
from encke.config.wire import encode_config
from encke.supervise.control import Answer
from encke.supervise.fleet import Fleet
from encke.supervise.nursery import Process, order

PREPARE_SECONDS = 20.0

Tell = Callable[[str, Mapping[str, object]], None]


class Settled(NamedTuple):
    """Settings in use: as made, as a worker is told them, and how often they have been changed."""

    made: Composition
    config: bytes
    provider_keys: dict[str, str]
    generation: int

    @property
    def order(self) -> dict[str, Any]:
        """What a worker is sent."""
        return {"config": self.config, "keys": self.provider_keys, "generation": self.generation}


def settle(made: Composition, generation: int = 1) -> Settled:
    """Settings ready to be handed on."""
    keys = {name: secret.reveal() for name, secret in made.environment.provider_keys.items()}
    return Settled(made, encode_config(made.config), keys, generation)


@dataclass(slots=True)
class Turn:
    """A reload under way. `waiting` holds the workers that have not answered the present phase."""

    number: int
    answer: Answer
    found: Recomposition
    new: Settled
    began: float
    deadline: float
    waiting: set[Process] = field(default_factory=set)
    prepared: set[Process] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    changing: bool = False


class Reload:
    """Keeps the settings in use (`now`). `recompose` reads the file anew, given what is in use; it raises ConfigError.

    `on_change` is called when new settings are in use, before anybody is told.
    """

    def __init__(
        self,
        made: Composition,
        fleet: Fleet,
        recompose: Callable[[Composition], Recomposition],
        tell: Tell,
        on_change: Callable[[], None],
    ) -> None:
        self.now = settle(made)
        self.counts = {"taken": 0, "refused": 0}
        self.last_at = time.time()
        self._fleet = fleet
        self._recompose = recompose
        self._tell = tell
        self._on_change = on_change
        self._queue: deque[Answer] = deque()
        self._turn: Turn | None = None
        self._number = 0

    def ask(self, answer: Answer) -> None:
        """Reload, now or after those that asked before."""
        self._queue.append(answer)
        self._next()

    def plan(self) -> dict[str, Any]:
        """What a reload would change now; as an answer."""
        found = self._look()
        return {"error": found} if isinstance(found, str) else {"result": _changes(found)}

    def refuse_all(self, why: str) -> None:
        """The gateway stops: nobody is left waiting."""
        turn, self._turn = self._turn, None
        for answer in [*([turn.answer] if turn else []), *self._queue]:
            answer({"error": why})
        self._queue.clear()

    @property
    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        return self._turn.deadline if self._turn is not None else None

    def tick(self, now: float) -> None:
        """Nobody is waited for without end."""
        turn = self._turn
        if turn is None or now < turn.deadline:
            return
        for process in turn.waiting:
            turn.problems.append(f"the worker {process.pid} did not answer within {PREPARE_SECONDS:g} s")
        turn.waiting.clear()
        self._go_on(turn)

    def replied(self, process: Process, number: int, payload: Any) -> None:
        """A worker has answered."""
        turn = self._turn
        if turn is None or number != turn.number or process not in turn.waiting:
            return
        turn.waiting.discard(process)
        problem = payload.get("problem") if isinstance(payload, dict) else "it answered nonsense"
        if problem:
            turn.problems.append(f"the worker {process.pid} cannot use them: {problem}")
        elif not turn.changing:
            turn.prepared.add(process)
        self._go_on(turn)

    def gone(self, process: Process) -> None:
        """A worker has ended: whatever follows it starts with the settings in use, and nobody waits for it."""
        turn = self._turn
        if turn is not None and process in turn.waiting:
            turn.waiting.discard(process)
            self._go_on(turn)

    def _look(self) -> Recomposition | str:
        """The settings as they would be, or what is wrong with them."""
        try:
            return self._recompose(self.now.made)
        except ConfigError as error:
            return str(error)
        except Exception as error:  # whatever is wrong with us: what runs goes on running
            return f"the settings could not be read: {type(error).__name__}"

    def _next(self) -> None:
        while self._turn is None and self._queue:
            self._begin(self._queue.popleft())

    def _begin(self, answer: Answer) -> None:
        found = self._look()
        if isinstance(found, str):
            self._refuse(answer, found)
            return
        self._number += 1
        now = time.monotonic()
        new = settle(found.made, self.now.generation + 1)
        turn = self._turn = Turn(self._number, answer, found, new, now, now + PREPARE_SECONDS)
        # Those that still start are not waited for: they take the settings up when they are there.
        turn.waiting = {process for process in self._fleet.processes() if process.ready}
        for process in turn.waiting:
            order(process, "prepare", turn.number, new.order)
        self._go_on(turn)

    def _go_on(self, turn: Turn) -> None:
        if turn.waiting:
            return
        if turn.changing:
            self._finish(turn)
        elif turn.problems:
            self._turn = None
            for process in turn.prepared:
                order(process, "forget", turn.number, {})
            self._refuse(turn.answer, "\n".join(turn.problems))
            self._next()
        else:
            self._change(turn)

    def _change(self, turn: Turn) -> None:
        self.now = turn.new
        self.last_at = time.time()
        turn.changing = True
        turn.deadline = time.monotonic() + PREPARE_SECONDS
        for process in list(self._fleet.processes()):
            if process not in turn.prepared:
                order(process, "prepare", turn.number, turn.new.order)
            order(process, "change", turn.number, {})
        turn.waiting = {process for process in self._fleet.processes() if process in turn.prepared}
        self._on_change()
        self._go_on(turn)

    def _finish(self, turn: Turn) -> None:
        self._turn = None
        self.counts["taken"] += 1
        result = {
            **_changes(turn.found),
            "generation": self.now.generation,
            "workers": len(turn.prepared),
            "problems": turn.problems,
        }
        changed = [change.name for change in turn.found.changes]
        restart = [change.name for change in turn.found.changes if change.restart]
        self._tell(
            "config_reloaded",
            {
                "generation": self.now.generation,
                "changed": [name for name in changed if name not in restart],
                "need_restart": restart,
                "problems": turn.problems,
                "seconds": round(time.monotonic() - turn.began, 3),
            },
        )
        turn.answer({"result": result})
        self._next()

    def _refuse(self, answer: Answer, why: str) -> None:
        self.counts["refused"] += 1
        self._tell("config_refused", {"generation": self.now.generation, "problems": why.split("\n")})
        answer({"error": why})


def _changes(found: Recomposition) -> dict[str, Any]:
    config = found.made.config
    return {
        "path": str(config.path) if config.path is not None else None,
        "changes": msgspec.to_builtins(found.changes),
    }
