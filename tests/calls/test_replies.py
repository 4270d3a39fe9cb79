"""Calls under an Idempotency-Key, with a port that only notes what it is asked."""

from __future__ import annotations

from collections.abc import Coroutine
from hashlib import sha256
from typing import Any

import pytest

from encke.calls.replies import MAX_NAME, Kept, Once, name_of, refusal
from encke.core.faults import Fault
from encke.http.drive import Driver, Signal
from encke.http.server import ClientGone
from encke.keys.grant import Grant

ALICE, BOB = Grant("alice", "a", 0), Grant("bob", "b", 0)


class Notes:
    """The port: says that a name is in `state`, and notes what happens. It waits where `wait` is given."""

    max_answer = 10

    def __init__(self, state: str = "begun") -> None:
        self.state = state
        self.did: list[object] = []
        self.held = 0
        self.room = 100
        self.wait: Signal[None] | None = None
        self.answer: Kept | None = None

    async def _pause(self) -> None:
        if self.wait is not None:
            await self.wait

    async def digest(self, data: bytes) -> bytes:
        """As it is."""
        return sha256(data).digest()

    async def begin(self, name: bytes, asked: bytes, call: str) -> tuple[str, str]:
        """Note it."""
        self.did.append(("begin", asked))
        await self._pause()
        return self.state, "first"

    async def fetch(self, call: str) -> Kept | None:
        """What there is."""
        self.did.append(("fetch", call))
        return self.answer

    def gather(self, size: int) -> bool:
        """Count it."""
        self.held += size
        return self.held <= self.room

    async def keep(self, call: str, content_type: str, stream: bool, pieces: list[bytes]) -> bool:
        """Note it."""
        await self._pause()
        self.did.append(("keep", content_type, stream, b"".join(pieces)))
        return True

    async def done(self, name: bytes, call: str, state: str, size: int) -> None:
        """Note it."""
        self.did.append(("done", state, size))

    async def free(self, name: bytes, call: str) -> None:
        """Note it."""
        self.did.append("free")


class Run:
    """A coroutine under a Driver: `ended` and `problem` tell how it went."""

    def __init__(self, work: Coroutine[Any, Any, object]) -> None:
        self.ended = False
        self.result: object = None
        self.problem: BaseException | None = None

        async def all_of_it() -> None:
            self.result = await work

        self.driver = Driver(all_of_it(), self._end)
        self.driver.start()

    def _end(self, problem: BaseException | None) -> None:
        self.ended, self.problem = True, problem


def begun(notes: Notes) -> Once:
    """A call that has its name."""
    once = Once(notes, "call", b"name")
    assert Run(once.begin(b"{}", {})).result is None and once.stands
    return once


@pytest.mark.parametrize("given", [b"a", b"x" * MAX_NAME, b'"quoted, as in the draft"', b"~ !"])
def test_names_are_printable_ascii(given: bytes) -> None:
    """1 to 255 characters, quotes and spaces among them."""
    assert len(name_of(ALICE, "chat", given)) == 32


@pytest.mark.parametrize("given", [b"", b"x" * (MAX_NAME + 1), b"caf\xc3\xa9", b"tab\there", b"\x7f"])
def test_other_names_are_refused(given: bytes) -> None:
    """With a 400 that says which header it is."""
    with pytest.raises(Fault) as caught:
        name_of(ALICE, "chat", given)
    assert (caught.value.code, caught.value.status, caught.value.param) == ("invalid_value", 400, "Idempotency-Key")
    assert "1 to 255" in caught.value.message


def test_a_name_belongs_to_one_key_and_one_route() -> None:
    """Whatever is in it: nobody comes to another's by choosing it well."""
    ways = [(ALICE, "chat", b"n"), (BOB, "chat", b"n"), (ALICE, "completions", b"n"), (ALICE, "chat", b"chat\\0n")]
    assert len({name_of(*way) for way in ways}) == 4 and name_of(*ways[0]) == name_of(*ways[0])


def test_an_answer_is_kept_whole_before_it_is_done() -> None:
    """What went out, in its order; and memory for it is given back."""
    notes = Notes()
    once = begun(notes)
    once.take([b"one", b"two"])
    Run(once.keep("text/event-stream", True, b"end"))
    Run(once.done())
    assert notes.did[1:] == [("keep", "text/event-stream", True, b"onetwoend"), ("done", "kept", 9)]
    assert notes.held == 0


def test_a_large_answer_is_not_kept() -> None:
    """Its size is told, nothing of it is held any more, and nothing that follows."""
    notes = Notes()
    once = begun(notes)
    once.take([b"x" * 6])
    once.take([b"x" * 6])
    assert notes.held == 0
    once.take([b"x"])
    Run(once.keep("application/json", False, b""))
    Run(once.done())
    assert notes.did[1:] == [("done", "large", 12)] and notes.held == 0


def test_too_many_answers_at_a_time() -> None:
    """Memory is bounded for all of them together: who comes too late is not kept."""
    notes = Notes()
    notes.room = 4
    once = begun(notes)
    once.take([b"12345"])
    Run(once.keep("application/json", False, b""))
    Run(once.done())
    assert notes.did[1:] == [("done", "lost", 5)] and notes.held == 0


def test_a_caller_who_leaves_at_the_end_changes_nothing() -> None:
    """The answer is whole and will be paid for: it is kept to the end."""
    notes = Notes()
    once = begun(notes)
    notes.wait = Signal()
    keeping = Run(once.keep("application/json", False, b"all"))
    keeping.driver.cancel(ClientGone())
    assert notes.did[1:] == []
    notes.wait.set(None)
    assert keeping.ended and keeping.problem is None
    assert notes.did[1:] == [("keep", "application/json", False, b"all")]


def test_a_caller_who_leaves_while_the_name_is_asked_for() -> None:
    """It may have been given all the same: it is given back."""
    notes = Notes()
    notes.wait = Signal()
    asking = Run(Once(notes, "call", b"name").begin(b"{}", {}))
    asking.driver.cancel(ClientGone())
    assert isinstance(asking.problem, ClientGone) and notes.did[1:] == ["free"]


def test_a_call_that_came_to_nothing() -> None:
    """Frees its name, once, and holds nothing."""
    notes = Notes()
    once = begun(notes)
    once.take([b"half"])
    Run(once.fail())
    Run(once.fail())
    assert notes.did[1:] == ["free"] and notes.held == 0


def test_a_call_that_fails_after_it_was_settled() -> None:
    """It was charged, and nobody may see its end (strict durability): it is not run, and charged, a second time."""
    notes = Notes()
    once = begun(notes)
    Run(once.keep("application/json", False, b"all"))
    once.settled = True
    Run(once.fail())
    Run(once.fail())
    assert notes.did[2:] == [("done", "lost", 3)] and notes.held == 0


def test_an_answer_of_before() -> None:
    """It is fetched, and the name stays whose it is."""
    notes = Notes("kept")
    notes.answer = Kept("first", "application/json", False, b"{}")
    once = Once(notes, "call", b"name")
    assert Run(once.begin(b"{}", {})).result is notes.answer and not once.stands
    Run(once.fail())
    assert notes.did[1:] == [("fetch", "first")]


def test_headers_that_change_the_answer_belong_to_the_question() -> None:
    """A body without and one with them are two questions."""
    notes = Notes()
    for headers in ({}, {b"x-encke-include-cost": b"true"}, {b"x-request-id": b"mine"}):
        Run(Once(notes, "call", b"name").begin(b"{}", headers))
    plain, told, other = notes.did
    assert plain == other != told and plain == ("begin", sha256(b"{}").digest())


@pytest.mark.parametrize(
    ("state", "code", "status", "retry"),
    [
        ("running", "idempotency_in_progress", 409, True),
        ("conflict", "idempotency_conflict", 409, False),
        ("large", "idempotency_conflict", 409, False),
        ("dropped", "idempotency_conflict", 409, False),
        ("lost", "idempotency_conflict", 409, False),
        ("unavailable", "unavailable", 503, True),
    ],
)
def test_refusals(state: str, code: str, status: int, retry: bool) -> None:
    """Each says which call has the name, and what to do; only what passes by itself is worth a retry."""
    problem = Run(Once(Notes(state), "call", b"name").begin(b"{}", {})).problem
    assert isinstance(problem, Fault)
    assert (problem.code, problem.status, problem.kind.retry) == (code, status, retry)
    assert problem.retry_after == (1.0 if retry else None)
    assert ("first" in problem.message) == (state != "unavailable")


def test_a_kept_answer_that_is_gone() -> None:
    """Somebody has removed the file: the call is not run a second time for it."""
    problem = Run(Once(Notes("kept"), "call", b"name").begin(b"{}", {})).problem
    assert isinstance(problem, Fault) and problem.message == refusal("lost", "first").message
