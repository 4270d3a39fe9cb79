"""The worker's side of the keeper's socket: snapshots and journal segments come in, wishes go out.

The keeper may die and come back; until then the worker goes on with the snapshot and the segments it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from encke.admin.frames import Frame, FrameDecoder, FrameError, encode
from encke.keys.grant import Grant
from encke.ledger.journal import Journal

RETRY_SECONDS = 0.1
LOOK_SECONDS = 0.1
SPARES = 2


class Snapshot(msgspec.Struct, frozen=True):
    """What the keeper pushes: all live keys by digest, and the pepper that makes digests."""

    version: int
    pepper: bytes
    grants: list[tuple[bytes, Grant]]


class KeeperLink(asyncio.Protocol):
    """Keeps one connection to the keeper. `on_snapshot` gets every push, `on_slots` the first file of slots."""

    def __init__(
        self,
        socket: Path,
        epoch: int,
        on_snapshot: Callable[[Snapshot], None],
        on_slots: Callable[[Path], Journal],
        on_fenced: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._epoch = epoch
        self._on_snapshot = on_snapshot
        self._on_slots = on_slots
        self._on_fenced = on_fenced
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._journal: Journal | None = None
        self._segments: set[str] = set()
        self._asked_for = 0
        self._closed = False

    async def run(self) -> None:
        """Connect, and again whenever the keeper is lost, until `close`."""
        loop = asyncio.get_running_loop()
        while not self._closed:
            if self._transport is None:
                try:
                    await loop.create_unix_connection(lambda: self, str(self._socket))
                except OSError:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
            await asyncio.sleep(LOOK_SECONDS)
            self._look_after_segments()

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
        self._asked_for = 0
        # Slots without a segment count too: a keeper that does not know them took this process for dead.
        known = len(self._segments) or int(self._journal is not None)
        self._send("hello", {"epoch": self._epoch, "segments": known})

    def connection_lost(self, exc: Exception | None) -> None:
        """The keeper is gone; `run` looks for it."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Messages."""
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except FrameError:
            if self._transport is not None:
                self._transport.abort()

    def _take(self, frame: Frame) -> None:
        payload: Any = frame.payload
        if frame.kind == "snapshot":
            self._on_snapshot(msgspec.convert(payload, Snapshot))
        elif frame.kind == "slots":
            if self._journal is None:
                self._journal = self._on_slots(Path(payload["path"]))
        elif frame.kind == "segment":
            self._add(payload["path"])
        elif frame.kind == "hold":
            if self._journal is not None:
                self._journal.hold(payload["held"])
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

    def _send(self, kind: str, payload: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.write(encode(kind, 0, payload))
