"""The keeper: one socket for workers and commands, one loop that ships journals, one writer of the store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from encke.admin.commands import COMMANDS, run
from encke.admin.context import AdminError, Context
from encke.admin.frames import Frame, FrameDecoder, FrameError, encode
from encke.core.paths import DataPaths
from encke.keeper.shipper import WorkerJournal, find_journals, new_journal
from encke.store.port import Store, StoreError

TICK_SECONDS = 0.05
BATCH = 1000
FIRST_SEGMENTS = 3
CHECKPOINT_SECONDS = 1.0
IDLE_SECONDS = 30.0
LOOK_FOR_DEAD_SECONDS = 0.25

Tell = Callable[[str, Mapping[str, object]], None]


class Keeper:
    """`tell` gets an event's name and its fields, for the log."""

    def __init__(self, store: Store, pepper: bytes, paths: DataPaths, segment_size: int, tell: Tell) -> None:
        self.context = Context(store, pepper)
        self._store = store
        self._pepper = pepper
        self._folder = paths.journal
        self._size = segment_size
        self._tell = tell
        self._journals: dict[int, WorkerJournal] = {}
        self._links: set[KeeperConnection] = set()
        self._troubled = False
        self._shipped_at = 0.0
        self._checkpointed_at = 0.0
        self._looked_at = 0.0
        self._idle = True
        self._closing = False

    def recover(self) -> None:
        """Take over the journals of earlier days. Whose workers are gone, they are settled by the first `tick`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for journal in find_journals(self._folder):
            self._journals[journal.epoch] = journal
            journal.read()
            for name in journal.damage:
                self._tell("journal_damaged", {"segment": name})

    async def run(self) -> None:
        """Ship until `close`."""
        loop = asyncio.get_running_loop()
        while not self._closing:
            self.tick(loop.time())
            paths = [path for journal in self._journals.values() for path in journal.unsynced()]
            if paths:
                # The disk may take its time; commands and snapshots do not wait for it.
                await loop.run_in_executor(None, _sync, paths)
            await asyncio.sleep(TICK_SECONDS)

    def close(self) -> None:
        """Ship what there is, once more, and end."""
        self._closing = True
        self.tick(float("inf"))
        for link in list(self._links):
            link.close()

    def tick(self, now: float) -> None:
        """One round: read, add, trim, settle the dead."""
        look = now - self._looked_at >= LOOK_FOR_DEAD_SECONDS
        if look:
            self._looked_at = now
        for journal in list(self._journals.values()):
            journal.read()
            gone = look and journal.dead()
            if gone:
                orphans = journal.settle_orphans()
                if orphans:
                    self._tell("orphans_settled", {"epoch": journal.epoch, "count": orphans})
            if self._ship(journal, now) and gone:
                journal.remove()
                del self._journals[journal.epoch]
        self._housekeeping(now)

    def _ship(self, journal: WorkerJournal, now: float) -> bool:
        """Add what is pending; True when all of it is in the store."""
        while journal.pending:
            batch = journal.pending[:BATCH]
            try:
                self._store.append(batch)
            except StoreError as error:
                if not self._troubled:
                    self._troubled = True
                    self._tell("store_unavailable", {"reason": str(error), "waiting": len(journal.pending)})
                return False
            if self._troubled:
                self._troubled = False
                self._tell("store_available", {})
            journal.added(len(batch))
            self._shipped_at = now
            self._idle = False
        journal.added(0)
        return True

    def _housekeeping(self, now: float) -> None:
        try:
            if not self._idle and now - self._shipped_at > IDLE_SECONDS:
                self._idle = True
                self._store.checkpoint_idle()
            elif not self._idle and now - self._checkpointed_at > CHECKPOINT_SECONDS:
                self._checkpointed_at = now
                self._store.checkpoint()
        except StoreError as error:
            self._tell("checkpoint_failed", {"reason": str(error)})

    @property
    def has_workers(self) -> bool:
        """Whether any worker is connected."""
        return any(link.epoch is not None for link in self._links)

    # What connections ask for.

    def joined(self, link: KeeperConnection) -> None:
        """Somebody connected."""
        self._links.add(link)

    def left(self, link: KeeperConnection) -> None:
        """Somebody is gone."""
        self._links.discard(link)
        journal = self._journals.get(link.epoch) if link.epoch is not None else None
        if journal is not None:
            journal.linked = False

    def hello(self, link: KeeperConnection, epoch: int, has_segments: int) -> None:
        """A worker, new or known. Raises OSError when its journal cannot be made."""
        journal = self._journals.get(epoch)
        if journal is None:
            if has_segments:
                link.send("fenced", {})  # its journal was taken for a dead worker's: it must begin anew
                return
            journal = self._journals[epoch] = new_journal(self._folder, epoch, FIRST_SEGMENTS, self._size)
        journal.linked = True
        link.epoch = epoch
        link.send("snapshot", self._snapshot())
        link.send("slots", {"path": str(journal.slots)})
        for path in journal.segments:
            link.send("segment", {"path": str(path)})

    def segments(self, link: KeeperConnection, count: int) -> None:
        """A worker wants to have had `count` segments in all. Raises OSError."""
        journal = self._journals.get(link.epoch) if link.epoch is not None else None
        while journal is not None and journal.made < count:
            link.send("segment", {"path": str(journal.make(self._size))})

    def command(self, name: str, args: Mapping[str, object]) -> dict[str, Any]:
        """Run a command; a change of keys is pushed to every worker before the answer goes out."""
        try:
            result = run(self.context, name, args)
        except (AdminError, StoreError) as error:
            return {"error": str(error)}
        if name in COMMANDS and COMMANDS[name].writes:
            self.push()
        return {"result": result}

    def push(self) -> None:
        """Send the present snapshot to every worker."""
        snapshot = self._snapshot()
        for link in self._links:
            if link.epoch is not None:
                link.send("snapshot", snapshot)

    def _snapshot(self) -> dict[str, Any]:
        live = self._store.live_keys()
        grants = [[digest, msgspec.to_builtins(grant)] for digest, grant in live.grants.items()]
        return {"version": live.version, "pepper": self._pepper, "grants": grants}

    def trouble(self, what: str, error: Exception) -> None:
        """Something could not be done for a worker."""
        self._tell(what, {"reason": str(error)})


class KeeperConnection(asyncio.Protocol):
    """One connection: a worker's after its hello, else a command's. `epoch` is the worker's."""

    def __init__(self, keeper: Keeper) -> None:
        self.epoch: int | None = None
        self._keeper = keeper
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._keeper.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._keeper.left(self)

    def data_received(self, data: bytes) -> None:
        """Messages."""
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except (FrameError, KeyError, TypeError, ValueError):
            self.close()  # whoever sends this is no program of ours

    def _take(self, frame: Frame) -> None:
        payload: Any = frame.payload
        keeper = self._keeper
        try:
            if frame.kind == "command":
                reply = keeper.command(payload["name"], payload["args"])
                self._reply(frame.id, reply)
            elif frame.kind == "hello":
                keeper.hello(self, int(payload["epoch"]), int(payload["segments"]))
            elif frame.kind == "segments":
                keeper.segments(self, int(payload["count"]))
        except (OSError, StoreError) as error:
            keeper.trouble("journal_not_made", error)
            loop = asyncio.get_running_loop()
            loop.call_later(1.0, self.close)  # the worker comes back and asks again

    def _reply(self, id: int, payload: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.write(encode("reply", id, payload))

    def send(self, kind: str, payload: dict[str, Any]) -> None:
        """Send a message."""
        if self._transport is not None:
            self._transport.write(encode(kind, 0, payload))

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


def _sync(paths: list[Path]) -> None:
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # shipped and removed meanwhile
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)
