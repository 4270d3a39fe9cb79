"""The worker's side of the keeper's socket: snapshots and journal segments come in, wishes and questions go out.

The keeper may die and come back; until then the worker goes on with the snapshot, the segments and the leases it has.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from encke.admin.frames import Frame, FrameDecoder, FrameError, encode
from encke.http.drive import Signal
from encke.keys.snapshot import OutOfStep, Part
from encke.ledger.journal import Journal
from encke.limits.book import KeeperAway

RETRY_SECONDS = 0.1
FIRST_RETRIES = 20
FIRST_RETRY_SECONDS = 0.01  # somebody may be waiting for an answer
LOOK_SECONDS = 0.1
SPARES = 2
MOST_QUESTIONS = 4096


class _Question:
    """One that was asked, or waits for the keeper to be there."""

    __slots__ = ("again", "answer", "kind", "on_late", "payload", "timer")

    def __init__(
        self, kind: str, payload: dict[str, Any], again: bool, on_late: Callable[[Frame], None] | None
    ) -> None:
        self.kind = kind
        self.payload = payload
        self.again = again
        self.on_late = on_late
        self.answer: Signal[Frame] = Signal()
        self.timer: asyncio.TimerHandle | None = None


class KeeperLink(asyncio.Protocol):
    """Keeps one connection to the keeper. `on_snapshot` gets every part of a push, and None with each new
    connection, which begins at the beginning; `on_slots` the first file of slots.

    `leases` tells what this worker has been given of each account, for the hello, as [[limit, window, amount], ...];
    `on_recall` gets [[limit, window], ...] and a round, and answers with what it can do without. `names` tells which
    calls of this worker are made under an Idempotency-Key.
    """

    def __init__(
        self,
        socket: Path,
        epoch: int,
        on_snapshot: Callable[[Part | None], None],
        on_slots: Callable[[Path], Journal],
        on_fenced: Callable[[], None],
        leases: Callable[[], list[list[int]]] = list,
        on_recall: Callable[[list[list[int]]], list[list[int]]] = lambda accounts: [],
        names: Callable[[], list[str]] | None = None,
    ) -> None:
        self._socket = socket
        self._epoch = epoch
        self._on_snapshot = on_snapshot
        self._on_slots = on_slots
        self._on_fenced = on_fenced
        self._leases = leases
        self._on_recall = on_recall
        self._names = names
        self._questions: dict[int, _Question] = {}
        self._waiting: list[_Question] = []  # for a connection
        self._next = 1
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._journal: Journal | None = None
        self._segments: set[str] = set()
        self._asked_for = 0
        self._closed = False
        self._met = False  # a keeper, at any time
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Connect, and again whenever the keeper is lost, until `close`."""
        loop = asyncio.get_running_loop()
        tries = 0
        while not self._closed:
            if self._transport is None:
                try:
                    await loop.create_unix_connection(lambda: self, str(self._socket))
                except OSError:
                    tries += 1
                    await asyncio.sleep(FIRST_RETRY_SECONDS if tries < FIRST_RETRIES else RETRY_SECONDS)
                    continue
            tries = 0
            await self._until_lost(LOOK_SECONDS)
            self._look_after_segments()

    async def _until_lost(self, seconds: float) -> None:
        self._lost.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._lost.wait(), seconds)

    def close(self) -> None:
        """End."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are, and which segments we have."""
        self._transport = cast(asyncio.Transport, transport)
        self._decoder = FrameDecoder()
        self._on_snapshot(None)
        self._asked_for = 0
        # Slots without a segment count too: a keeper that does not know them took this process for dead.
        known = len(self._segments) or int(self._journal is not None)
        self._send("hello", {"epoch": self._epoch, "segments": known, "leases": self._leases()})
        if self._met and self._names is not None:
            self._send("replies", {"calls": self._names()})
        self._met = True
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            self._ask(question)

    def connection_lost(self, exc: Exception | None) -> None:
        """The keeper is gone; `run` looks for it."""
        self._transport = None
        self._lost.set()
        questions, self._questions = self._questions, {}
        for question in questions.values():
            if question.again and not question.answer.ready:
                self._waiting.append(question)
            else:
                self._give_up(question)

    def request(
        self,
        kind: str,
        payload: dict[str, Any],
        timeout: float,
        *,
        again: bool = False,
        on_late: Callable[[Frame], None] | None = None,
    ) -> Signal[Frame]:
        """Ask the keeper; the signal gets its answer, or fails with KeeperAway after `timeout` seconds.

        `again`: may be asked a second time, of the next keeper, when the answer was lost. `on_late` gets an answer that
        nobody waits for any more.
        """
        question = _Question(kind, payload, again, on_late)
        if len(self._questions) + len(self._waiting) >= MOST_QUESTIONS:
            question.answer.fail(KeeperAway())  # it does not come round to them
            return question.answer
        question.timer = asyncio.get_running_loop().call_later(timeout, self._give_up, question)
        if self._transport is None:
            self._waiting.append(question)
        else:
            self._ask(question)
        return question.answer

    def give(self, items: list[list[int]]) -> None:
        """Give allowance back: [[limit, window, amount], ...]. Without a keeper it is in the next hello."""
        self._send("give", {"items": items, "round": 0})

    def _ask(self, question: _Question) -> None:
        self._questions[self._next] = question
        self._send(question.kind, question.payload, self._next)
        self._next += 1

    def _give_up(self, question: _Question) -> None:
        if question.timer is not None:
            question.timer.cancel()
        if question in self._waiting:
            self._waiting.remove(question)
        question.answer.fail(KeeperAway())

    def _answered(self, frame: Frame) -> None:
        question = self._questions.pop(frame.id, None)
        if question is None:
            return
        if question.timer is not None:
            question.timer.cancel()
        if not question.answer.ready:
            question.answer.set(frame)
        elif question.on_late is not None:
            question.on_late(frame)

    def data_received(self, data: bytes) -> None:
        """Messages."""
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except (FrameError, OutOfStep):
            if self._transport is not None:
                self._transport.abort()

    def _take(self, frame: Frame) -> None:
        payload: Any = frame.payload
        if frame.id:
            self._answered(frame)
        elif frame.kind == "snapshot":
            self._on_snapshot(msgspec.convert(payload, Part))
        elif frame.kind == "slots":
            if self._journal is None:
                self._journal = self._on_slots(Path(payload["path"]))
        elif frame.kind == "segment":
            self._add(payload["path"])
        elif frame.kind == "hold":
            if self._journal is not None:
                self._journal.hold(payload["held"])
        elif frame.kind == "recall":
            self._send("give", {"items": self._on_recall(payload["items"]), "round": payload["round"]})
        elif frame.kind == "fenced":
            self._on_fenced()

    def _add(self, path: str) -> None:
        if self._journal is None or path in self._segments:
            return
        self._journal.add_segment(Path(path))
        self._segments.add(path)

    def _look_after_segments(self) -> None:
        """Ask for a segment in time, so that there are always some to go on with."""
        journal = self._journal
        if journal is None or self._transport is None:
            return
        wanted = journal.begun + SPARES + 1
        if wanted > max(len(self._segments), self._asked_for):
            self._asked_for = wanted
            self._send("segments", {"count": wanted})

    def _send(self, kind: str, payload: dict[str, Any], id: int = 0) -> None:
        if self._transport is not None:
            self._transport.write(encode(kind, id, payload))
