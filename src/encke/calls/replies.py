"""Calls made under an Idempotency-Key: one that was answered is answered again from what was kept, and not run twice.

Whoever first comes with a name runs the call; the keeper says who that is (`Replies.begin`). What its caller is sent
is gathered on the way. When all of it is there it is kept (`keep`), then the entry is settled, then the keeper is told
(`done`), and only then does the caller see the end. So whoever has seen the end can have it again; and a call that was
settled as complete is never run again under its name, whoever dies in between.
"""

from __future__ import annotations

from collections.abc import Coroutine
from hashlib import sha256
from typing import Any, Final, Protocol, TypeVar

from encke.calls.relay import StreamRelay
from encke.core.faults import Fault
from encke.dialects.port import Tap
from encke.framing.json_lines import JsonLinesSplitter
from encke.framing.sse import SseSplitter
from encke.http.drive import Driver, Signal
from encke.http.server import ServerConnection
from encke.keys.grant import Grant

HEADER: Final = b"idempotency-key"
MAX_NAME: Final = 255
# Headers beside it that change what is answered: they belong to what was asked.
TELLING: Final = (b"x-encke-include-cost", b"x-encke-unsupported", b"anthropic-beta", b"anthropic-version")

T = TypeVar("T")


class Kept:
    """An answer as it was kept: `stream` tells whether it went out as events."""

    __slots__ = ("body", "call", "content_type", "stream")

    def __init__(self, call: str, content_type: str, stream: bool, body: bytes) -> None:
        self.call = call
        self.content_type = content_type
        self.stream = stream
        self.body = body


class Replies(Protocol):
    """Who knows names and keeps answers. `call` is a call's id, `name` and `asked` are SHA-256 digests."""

    @property
    def max_answer(self) -> int:
        """Bytes; larger answers are not kept."""

    async def digest(self, data: bytes) -> bytes:
        """The SHA-256 of what may be large."""

    async def begin(self, name: bytes, asked: bytes, call: str) -> tuple[str, str]:
        """What is known of a name, and the id of the call it belongs to: `begun` (this one's now), `running`,
        `conflict` (something else was asked), `kept`, `large`, `dropped`, `lost`, or `unavailable`."""

    async def fetch(self, call: str) -> Kept | None:
        """A kept answer; None when it cannot be had any more."""

    def gather(self, size: int) -> bool:
        """So many bytes more are held in memory, or fewer; false when that is too many for the process."""

    async def keep(self, call: str, content_type: str, stream: bool, pieces: list[bytes]) -> bool:
        """Put an answer where it can be had when `done` has been told; false when that failed."""

    async def done(self, name: bytes, call: str, state: str, size: int) -> None:
        """The call is settled as complete: its answer is `kept`, or was too `large`, or is `lost`."""

    async def free(self, name: bytes, call: str) -> None:
        """The call came to nothing: whoever comes next with its name runs it."""


class Once:
    """One call that is made under a name."""

    __slots__ = ("_asked", "_call", "_held", "_name", "_pieces", "_replies", "_size", "_state", "settled", "stands")

    def __init__(self, replies: Replies, call: str, name: bytes) -> None:
        self._replies = replies
        self._call = call
        self._name = name
        self._asked = b""
        self._pieces: list[bytes] = []
        self._size = 0
        self._held = 0
        self._state = "kept"
        self.stands = False  # whether the name is this call's
        self.settled = False  # as complete

    async def begin(self, body: bytes, headers: dict[bytes, bytes], place: str = "") -> Kept | None:
        """Take the name: None when the call is to be run, else its answer of before. `place` is what the path says
        beside the route. Raises Fault
        idempotency_conflict, idempotency_in_progress, unavailable."""
        replies = self._replies
        asked = await replies.digest(body)
        if place:
            asked = sha256(asked + place.encode()).digest()
        for header in TELLING:
            if header in headers:
                asked = sha256(asked + header + b":" + headers[header]).digest()
        answer: Signal[tuple[str, str]] = _apart(replies.begin(self._name, asked, self._call))
        known: tuple[str, str] | None = None
        problem: Exception | None = None
        try:
            known = await answer
        except Exception as error:
            problem = error  # compiled, an exception does not outlive an await in its own handler
        if known is None or problem is not None:
            if not answer.ready:  # the caller has left meanwhile, and the name may be ours all the same
                self.stands = True
                await self.fail()
            assert problem is not None
            raise problem
        state, call = known
        if state == "begun":
            self.stands = True
            return None
        if state != "kept":
            raise refusal(state, call)
        kept = await replies.fetch(call)
        if kept is None:
            raise refusal("lost", call)
        return kept

    def take(self, pieces: list[bytes]) -> None:
        """What goes out to the caller."""
        if self._state != "kept":
            return
        size = 0
        for piece in pieces:
            size += len(piece)
        self._size += size
        if self._size > self._replies.max_answer:
            self._let_go("large")
            return
        self._held += size
        self._pieces += pieces
        if not self._replies.gather(size):
            self._let_go("lost")

    def _let_go(self, state: str) -> None:
        self._state = state
        self._pieces = []
        held, self._held = self._held, 0
        self._replies.gather(-held)

    async def keep(self, content_type: str, stream: bool, last: bytes) -> None:
        """All of it is there: put it where it can be had. A caller who leaves meanwhile changes nothing."""
        self.take([last])
        if self._state == "kept" and not await through(
            self._replies.keep(self._call, content_type, stream, self._pieces)
        ):
            self._state = "lost"
        self._let_go(self._state)

    async def done(self) -> None:
        """It is settled: from now on it is answered from what was kept."""
        self.stands = False
        await through(self._replies.done(self._name, self._call, self._state, self._size))

    async def fail(self) -> None:
        """It came to nothing, and the name is free; or it was settled, and then its end could not be shown: there will
        be no second charge for it."""
        self._let_go("lost")
        if self.stands and self.settled:
            await self.done()
        elif self.stands:
            self.stands = False
            await through(self._replies.free(self._name, self._call))


class KeepingRelay(StreamRelay):
    """A stream whose events are gathered as they go out."""

    __slots__ = ("_once",)

    def __init__(self, tap: Tap, opened: Signal[None], splitter: SseSplitter | JsonLinesSplitter, once: Once) -> None:
        super().__init__(tap, opened, splitter)
        self._once = once

    def flush(self) -> None:
        """See `StreamRelay`."""
        if self._client is not None and self._out:
            self._once.take(self._out)
        super().flush()

    def flow(self, client: ServerConnection) -> bytes:
        """See `StreamRelay`."""
        self._once.take(self._out)
        return super().flow(client)


def name_of(grant: Grant, route: str, given: bytes) -> bytes:
    """What the keeper knows a name by: only this key on this route can come to it. Raises Fault invalid_value."""
    if not 0 < len(given) <= MAX_NAME or not all(0x20 <= byte < 0x7F for byte in given):
        raise Fault(
            "invalid_value",
            f"The header Idempotency-Key must be 1 to {MAX_NAME} characters of printable ASCII; a UUID is best.",
            param="Idempotency-Key",
        )
    return sha256(b"%b\0%b\0%b" % (grant.public_id.encode(), route.encode(), given)).digest()


def refusal(state: str, call: str) -> Fault:
    """Why a call under a name is neither run nor answered."""
    if state == "running":
        return Fault(
            "idempotency_in_progress",
            f"The first call with this Idempotency-Key is still running, as {call}. Its answer is yours when it is "
            "there: send the same again in a moment.",
            retry_after=1.0,
        )
    if state == "conflict":
        return Fault(
            "idempotency_conflict",
            f"This Idempotency-Key was used for another request to this route, {call}. Send that one's body to have "
            "its answer again, or use a new Idempotency-Key.",
        )
    if state in _NOT_KEPT:
        return Fault(
            "idempotency_conflict",
            f"The call with this Idempotency-Key was completed and charged, as {call}, but {_NOT_KEPT[state]}. "
            "It is not run a second time; to run it anew, use a new Idempotency-Key.",
        )
    return Fault("unavailable", "The gateway cannot look up an Idempotency-Key just now.", retry_after=1.0)


_NOT_KEPT: Final = {
    "large": "its answer is larger than `idempotency.max_answer` and was not kept",
    "dropped": "its answer had to make room for newer ones (`idempotency.max_total`)",
    "lost": "its answer could not be kept",
}


def _apart(work: Coroutine[Any, Any, T]) -> Signal[T]:
    """Run it by itself, whatever happens to whoever waits for it."""
    result: Signal[T] = Signal()

    async def run() -> None:
        try:
            result.set(await work)
        except Exception as error:
            result.fail(error)

    Driver(run(), _ended).start()
    return result


async def through(work: Coroutine[Any, Any, T]) -> T:
    """Its result, though the caller leaves or the gateway stops meanwhile: it takes a moment only."""
    result = _apart(work)
    while True:
        try:
            return await result
        except Exception:
            if result.ready:
                raise


def _ended(error: BaseException | None) -> None:
    """`run` has told it."""
