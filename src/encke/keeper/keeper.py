"""The keeper: one socket for workers and commands, one loop that ships journals, one writer of the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from encke.admin.commands import COMMANDS, run
from encke.admin.context import AdminError, Context
from encke.admin.frames import Frame, FrameDecoder, FrameError, encode
from encke.core.crash import Crash, nowhere
from encke.core.paths import DataPaths
from encke.keeper.flusher import Flusher, Tell
from encke.keeper.gauge import NO_CAP, Gauge, JournalCap
from encke.keeper.keyring import Keyring
from encke.keeper.replies import ReplyDesk, ReplyRules
from encke.keeper.retention import Retention
from encke.keeper.shipper import WorkerJournal, find_journals, new_journal
from encke.keeper.turns import FRAMES, Turns
from encke.store.port import Store, StoreError
from encke.telemetry.metrics import Sheet

TICK_SECONDS = 0.05
IDLE_TICK_SECONDS = 0.2  # while nothing comes
BATCH = 1000
FIRST_SEGMENTS = 3
CHECKPOINT_SECONDS = 1.0
IDLE_SECONDS = 30.0
LOOK_FOR_DEAD_SECONDS = 0.25
RENEW_SECONDS = 1.0  # in trouble
TIDY_SECONDS = 1.0


class Keeper:
    """`tell` gets an event's name and its fields, for the log. `retention`: days that entries stay; None: always."""

    def __init__(
        self,
        store: Store,
        pepper: bytes,
        paths: DataPaths,
        segment_size: int,
        tell: Tell,
        cap: JournalCap = NO_CAP,
        crash: Crash = nowhere,
        retention: int | None = None,
        rules: ReplyRules | None = None,
    ) -> None:
        """Raises StoreError."""
        self.context = Context(store, pepper)
        self._store = store
        self._keyring = Keyring(store, pepper)
        self._folder = paths.journal
        self._size = segment_size
        self._tell = tell
        self._crash = crash
        self._flusher = Flusher(tell, crash)
        self._gauge = Gauge(cap)
        self._retention = Retention(store, retention)
        self.turns = Turns(store, tell, crash)
        self.replies = ReplyDesk(store, paths.replies, rules or ReplyRules(), tell, crash)
        self._unpushed = False  # a change of keys that the workers do not know yet
        self._journals: dict[int, WorkerJournal] = {}
        self._links: set[KeeperConnection] = set()
        self._troubled = False
        self._renewed_at = 0.0
        self._troubled_at = 0.0
        self._shipped = self._orphans = 0
        self._shipped_at = 0.0
        self._checkpointed_at = 0.0
        self._looked_at = 0.0
        self._tidied_at = 0.0
        self._idle = True
        self._closing = False

    def recover(self) -> None:
        """Take over the journals of earlier days. Whose workers are gone, they are settled by the first `tick`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        journals, damaged = find_journals(self._folder)
        for name in damaged:
            self._tell("journal_damaged", {"segment": name})
        for journal in journals:
            self._journals[journal.epoch] = journal
        self.replies.recover(self._journals.keys())

    async def run(self) -> None:
        """Ship until `close`."""
        loop = asyncio.get_running_loop()
        self._flusher.start()
        try:
            while not self._closing:
                before = self._shipped
                self.tick(loop.time())
                await asyncio.sleep(TICK_SECONDS if self._shipped != before else IDLE_TICK_SECONDS)
        finally:
            self._flusher.stop()

    def close(self) -> None:
        """Ship what there is, once more, and end."""
        self._closing = True
        now = asyncio.get_running_loop().time()
        self.tick(now, last=True)
        while not self._troubled and not all(journal.whole for journal in self._journals.values()):
            self.tick(now, last=True)
        for link in list(self._links):
            link.close()

    def tick(self, now: float, *, last: bool = False) -> None:
        """One round: read, add, trim, settle the dead. The `last` one looks for them whatever the time."""
        look = last or now - self._looked_at >= LOOK_FOR_DEAD_SECONDS
        unsettled = False
        if look:
            self._looked_at = now
        for journal in list(self._journals.values()):
            self._crash("keeper.reading")
            journal.read()
            gone = look and journal.dead()
            if gone:
                orphans = journal.settle_orphans()
                self._orphans += orphans
                if orphans:
                    self._crash("keeper.orphans")
                    self._tell("orphans_settled", {"epoch": journal.epoch, "count": orphans})
            self._tell_damage(journal)
            if self._ship(journal, now) and gone and journal.whole and self.replies.bury(journal.epoch):
                self._crash("keeper.removing")
                journal.remove()
                del self._journals[journal.epoch]
            unsettled |= gone and journal.epoch in self._journals
        self._forget_leases()
        if look:
            with contextlib.suppress(StoreError):
                self.turns.desk.accounts.commit()
                self.turns.desk.tidy()
        if look and not unsettled and not self.turns.desk.opened:
            self.turns.desk.open()
        journals = self._journals.values()
        self._flusher.watch(
            [path for journal in journals for path in journal.segments], [journal.slots for journal in journals]
        )
        self._look_at_cap(now)
        self._housekeeping(now)
        if self._unpushed:
            self.push()

    def _forget_leases(self) -> None:
        """Whose journal is gone, all of what they have spent is in the store. Tried again if that cannot be written."""
        desk = self.turns.desk
        for epoch in desk.accounts.epochs:
            if epoch not in self._journals:
                self._crash("keeper.forgetting")
                with contextlib.suppress(StoreError):
                    desk.gone(epoch)

    def _tell_damage(self, journal: WorkerJournal) -> None:
        while journal.damage:
            self._tell("journal_damaged", {"segment": journal.damage.pop()})

    def _look_at_cap(self, now: float) -> None:
        """Too much waits, or for too long: workers admit no more, and lose nothing of what they have admitted."""
        waiting = sum(journal.waiting for journal in self._journals.values())
        if self._gauge.changed(waiting, self._troubled, now):
            held = self._gauge.held
            self._tell("journal_full" if held else "journal_free", {"waiting": waiting})
            for link in self._links:
                if link.epoch is not None:
                    link.send("hold", {"held": held})

    def _ship(self, journal: WorkerJournal, now: float) -> bool:
        """Add what is pending; True when all of it is in the store."""
        while journal.pending:
            batch = journal.pending[:BATCH]
            try:
                appended = self._store.append(batch, journal.epoch)
                if self._troubled:
                    self.turns.desk.recount()
                else:
                    self.turns.desk.posted(journal.epoch, appended.posted)
            except StoreError as error:
                if not self._troubled:
                    self._troubled = True
                    self._renewed_at = now
                    self._troubled_at = now
                    self._tell("store_unavailable", {"reason": str(error), "waiting": len(journal.pending)})
                elif now - self._renewed_at > RENEW_SECONDS:
                    self._renewed_at = now
                    with contextlib.suppress(StoreError):
                        self._store.renew()
                return False
            if self._troubled:
                self._troubled = False
                self._tell("store_available", {})
            self._crash("keeper.committed")
            journal.added(len(batch))
            self._shipped += len(batch)
            self._shipped_at = now
            self._idle = False
        journal.added(0)
        return True

    def _housekeeping(self, now: float) -> None:
        if now - self._tidied_at > TIDY_SECONDS and not self.replies.tidy(self._journals.keys()):
            self._tidied_at = now
        try:
            if not self._idle and now - self._shipped_at > IDLE_SECONDS:
                self._idle = True
                self._store.checkpoint_idle()
            elif not self._idle and now - self._checkpointed_at > CHECKPOINT_SECONDS:
                self._checkpointed_at = now
                self._crash("keeper.checkpointing")
                self._store.checkpoint()
                self._crash("keeper.checkpointed")
            if not self._troubled and self._retention.step(now, self._journals.values()):
                self._idle = False
        except StoreError as error:
            self._tell("checkpoint_failed", {"reason": str(error)})

    def sheet(self, now: float) -> Sheet:
        """What it has to tell at this moment of the loop's clock."""
        journals = self._journals.values()
        sheet = Sheet(
            {
                "encke_entries_shipped_total": {"": self._shipped},
                "encke_orphans_settled_total": {"": self._orphans},
            },
            {
                "encke_journal_backlog_bytes": {"": sum(journal.waiting for journal in journals)},
                "encke_journal_backlog_entries": {"": sum(len(journal.pending) for journal in journals)},
                "encke_keeper_lag_seconds": {"": now - self._troubled_at if self._troubled else 0.0},
                "encke_store_available": {"": int(not self._troubled)},
                "encke_admission_held": {"": int(self._gauge.held)},
            },
        )
        self.turns.add_to(sheet)
        return sheet

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
        if link.epoch is not None:
            self.turns.desk.left(link, link.epoch)
            self._looked_at = 0.0  # if it is dead, what it holds is soon settled
        journal = self._journals.get(link.epoch) if link.epoch is not None else None
        if journal is not None:
            journal.linked = False

    def hello(
        self, link: KeeperConnection, epoch: int, has_segments: int, leases: Sequence[Sequence[int]] = ()
    ) -> None:
        """A worker, new or known: `has_segments` of its journal, and `leases` (see `LeaseDesk.hello`). Raises OSError
        when its journal cannot be made."""
        journal = self._journals.get(epoch)
        if has_segments if journal is None else not has_segments and journal.used:
            # Its journal was taken for a dead worker's, or the one that lies here is another's: it must begin anew.
            link.send("fenced", {})
            return
        if journal is None:
            journal = self._journals[epoch] = new_journal(self._folder, epoch, FIRST_SEGMENTS, self._size)
            self._crash("keeper.journal_made")
        if self._keyring.version < 0:
            self._refresh()
        journal.linked = True
        link.epoch = epoch
        self.turns.desk.hello(link, epoch, leases)
        self._update(link)
        link.send("slots", {"path": str(journal.slots)})
        for path in journal.segments:
            link.send("segment", {"path": str(path)})
        link.send("hold", {"held": self._gauge.held})

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
        """Bring every worker up to date; later, if the store cannot be read just now."""
        self._unpushed = True
        try:
            self._refresh()
        except StoreError as error:
            self.trouble("keys_not_pushed", error)
            return
        self._unpushed = False
        for link in self._links:
            if link.epoch is not None:
                self._update(link)

    def _refresh(self) -> None:
        self._keyring.refresh()
        self.turns.desk.use(self._keyring.limits, self._keyring.changed)

    def _update(self, link: KeeperConnection) -> None:
        for frame in self._keyring.frames(link.version):
            link.write(frame)
        link.version = self._keyring.version

    def trouble(self, what: str, error: Exception) -> None:
        """Something could not be done for a worker."""
        self._tell(what, {"reason": str(error)})


class KeeperConnection(asyncio.Protocol):
    """One connection: a worker's after its hello, else a command's. `epoch` is the worker's, `version` that of the keys
    it has been told."""

    def __init__(self, keeper: Keeper) -> None:
        self.epoch: int | None = None
        self.version = -1
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
                keeper.hello(self, int(payload["epoch"]), int(payload["segments"]), payload.get("leases", ()))
            elif frame.kind in FRAMES:
                keeper.turns.take(self, frame.kind, frame.id, payload)
            elif frame.kind == "segments":
                keeper.segments(self, int(payload["count"]))
            elif self.epoch is not None and frame.kind.startswith("repl"):
                answer = keeper.replies.take(self.epoch, frame.kind, payload)
                if frame.id:
                    self._reply(frame.id, answer)
        except (OSError, StoreError) as error:
            keeper.trouble("journal_not_made", error)
            loop = asyncio.get_running_loop()
            loop.call_later(1.0, self.close)  # the worker comes back and asks again

    def _reply(self, id: int, payload: dict[str, Any]) -> None:
        self.send("reply", payload, id)

    def send(self, kind: str, payload: dict[str, Any], id: int = 0) -> None:
        """Send a message."""
        self.write(encode(kind, id, payload))

    def write(self, frame: bytes) -> None:
        """Send a message that is encoded."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()
