"""A gateway's money in small: workers as they keep their books, sockets that lose what is in them, a store, and the
lease desk between them."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec

from encke.keeper.accounts import Key
from encke.keeper.closing import EVERY_MS, GRACE_MS
from encke.keeper.desk import LeaseDesk
from encke.keys.grant import Limit
from encke.ledger.entry import Entry
from encke.store.migrate import migrate
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from tests.store.contract import entry

DAILY, TOTAL, SLOTS, RATE = 1, 2, 3, 4
DAY_MS = 86_400_000


class Peer:
    """A connection: two queues that are lost together."""

    def __init__(self, epoch: int) -> None:
        self.epoch: int | None = epoch
        self.down: deque[tuple[str, dict[str, Any], int]] = deque()
        self.up: deque[tuple[str, Any, int]] = deque()

    def send(self, kind: str, payload: dict[str, Any], id: int = 0) -> None:
        """From the keeper."""
        self.down.append((kind, payload, id))


@dataclass
class Call:
    """What a call holds of each account, and what it has asked for."""

    holds: dict[Key, int]
    asked: dict[Key, int] = field(default_factory=dict)


class Worker:
    """A worker's side: what is free is what was granted, less what was spent and what is held."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.peer: Peer | None = None
        self.free: dict[Key, int] = {}
        self.asked: dict[Key, int] = {}
        self.granted: dict[Key, int] = {}
        self.waiting: dict[int, Call] = {}
        self.calls: list[Call] = []
        self.journal: list[Entry] = []
        self.refused: list[dict[str, Any]] = []
        self.next = 1

    def begin(self, wants: dict[Key, int], ahead: int) -> bool:
        """A call that needs so much of each; false when the keeper had to be asked."""
        call = Call(wants)
        items = []
        for key, amount in wants.items():
            there = self.free.get(key, 0) + self.asked.get(key, 0)
            self.free[key] = self.free.get(key, 0) - amount
            if there < amount:
                call.asked[key] = amount - there
                self.asked[key] = self.asked.get(key, 0) + amount - there
                items.append([*key, amount - there, amount - there + (0 if key[0] == SLOTS else ahead)])
        if not items:
            self.calls.append(call)
            return True
        self.waiting[self.next] = call
        if self.peer is not None:
            self.peer.up.append(("ask", items, self.next))
        self.next += 1
        return False

    def _take_back(self, call: Call) -> None:
        for key, amount in call.holds.items():
            self.free[key] += amount
        for key, amount in call.asked.items():
            self.asked[key] -= amount

    def lost(self) -> None:
        """The keeper is gone: who waits for an answer is refused."""
        self.peer = None
        for call in self.waiting.values():
            self._take_back(call)
        self.waiting.clear()

    def settle(self, number: int, cost: int) -> None:
        """A call ends; it has cost so much of its budgets."""
        call = self.calls.pop(number)
        budgets = [key for key in call.holds if key[0] in (DAILY, TOTAL)]
        for key, amount in call.holds.items():
            if key in budgets:
                self.free[key] += amount - cost
            elif key[0] == SLOTS:
                self.free[key] += amount
        charge = msgspec.Raw(msgspec.msgpack.encode([[*key] for key in budgets] or None))
        self.journal.append(entry(cost=cost, accounts=charge))

    def receive(self) -> None:
        """The next message of the keeper."""
        assert self.peer is not None
        kind, payload, id = self.peer.down.popleft()
        if kind == "recall":
            items = [[*key, self._give(key)] for key in map(tuple, payload["items"]) if self.free.get(key, 0) > 0]
            self.peer.up.append(("give", items, payload["round"]))
            return
        call = self.waiting.pop(id)
        if kind == "refused":
            self.refused.append(payload)
            self._take_back(call)
            return
        assert kind == "granted"
        for limit, window, amount, _ in payload["items"]:
            key = (limit, window)
            self.asked[key] -= call.asked.pop(key, 0)
            self.free[key] += amount
            self.granted[key] = self.granted.get(key, 0) + amount
        assert not call.asked, "not all was granted"
        if call.holds:
            self.calls.append(call)

    def give_up(self, id: int) -> None:
        """It waits no longer: what may yet be granted is for nothing."""
        call = self.waiting[id]
        self._take_back(call)
        call.holds, call.asked = {}, {}

    def _give(self, key: Key) -> int:
        amount = self.free[key]
        self.free[key] = 0
        self.granted[key] = self.granted.get(key, 0) - amount
        return amount

    def give(self, key: Key) -> None:
        """Give back what is free, unasked."""
        if self.peer is not None and self.free.get(key, 0) > 0:
            self.peer.up.append(("give", [[*key, self._give(key)]], 0))

    def forget_closed(self, now_ms: int) -> None:
        """Of days that were over in time, what no call holds and nobody waits for."""
        for limit, window in list(self.granted):
            key = (limit, window)
            over = limit == DAILY and window + DAY_MS + GRACE_MS <= now_ms
            busy = any(key in call.holds for call in [*self.calls, *self.waiting.values()])
            left = self.free.get(key, 0) or self.asked.get(key, 0) or self.unposted(key)
            if over and not busy and not left:
                del self.granted[key]

    def held(self, key: Key) -> int:
        """What calls under way hold."""
        return sum(call.holds.get(key, 0) for call in self.calls)

    def unposted(self, key: Key) -> int:
        """What calls that are over have cost, and is not in the store."""
        return sum(one.cost or 0 for one in self.journal if [*key] in (msgspec.msgpack.decode(one.accounts) or []))


class World:
    """All of it. Times are microseconds."""

    def __init__(self) -> None:
        self.store = SqliteStore(apsw.Connection(":memory:"), Path("memory"))
        migrate(self.store._db, Path("memory"))
        self.now = 1_800_000_000_000_000
        self.window = 0
        self.roll()
        self.limits = {
            DAILY: Limit(DAILY, "budget", 1000, "key", period="day"),
            TOTAL: Limit(TOTAL, "budget", 3000, "project"),
            SLOTS: Limit(SLOTS, "concurrency", 6, "key"),
            RATE: Limit(RATE, "requests", 600, "key"),
        }
        self.workers: dict[int, Worker] = {}
        self.dead: list[Worker] = []
        self.epochs = 0
        self.spent: dict[Key, int] = {}  # by calls that are over
        self.errors: list[StoreError] = []
        self.woken = False
        self.grant = self.store.grant
        self.start_keeper()

    def start_keeper(self) -> None:
        """A new one, on what is in the store; who was connected is not any more."""
        for worker in self.workers.values():
            worker.lost()
        self.desk = LeaseDesk(self.store, lambda: self.now, self._wake, self.errors.append)
        self.desk.use(self.limits, list(self.limits))
        if not self.dead:
            self.desk.open()

    def _wake(self) -> None:
        self.woken = True

    def roll(self) -> None:
        """It is another day."""
        self.window = max(self.window, self.now // 1000 // DAY_MS * DAY_MS)

    def keys(self) -> list[Key]:
        """The accounts of today."""
        return [(DAILY, self.window), (TOTAL, 0), (SLOTS, 0), (RATE, 0)]

    def connect(self, worker: Worker) -> None:
        """It says hello, perhaps once more: whatever was under way on an older connection may come late, or never."""
        if worker.peer is not None:
            worker.lost()
        worker.peer = Peer(worker.epoch)
        lasting = [[*key, amount] for key, amount in worker.granted.items() if key[0] != RATE and amount]
        self.desk.hello(worker.peer, worker.epoch, lasting)

    def hear(self, peer: Peer) -> None:
        """The desk takes the next message of this connection."""
        kind, items, number = peer.up.popleft()
        if kind == "ask":
            self.desk.ask(peer, number, items)
        else:
            self.desk.give(peer, items, number)

    def settle(self, worker: Worker, number: int, cost: int) -> None:
        """A call ends."""
        call = worker.calls[number]
        for key in call.holds:
            if key[0] in (DAILY, TOTAL):
                self.spent[key] = self.spent.get(key, 0) + cost
        worker.settle(number, cost)

    def ship(self, worker: Worker, count: int) -> None:
        """So many entries come into the store."""
        batch, worker.journal = worker.journal[:count], worker.journal[count:]
        if batch:
            self.desk.posted(worker.epoch, self.store.append(batch, worker.epoch).posted)

    def kill(self, worker: Worker) -> None:
        """It dies; the keeper sees that its connection is gone."""
        del self.workers[worker.epoch]
        self.dead.append(worker)
        if worker.peer is not None:
            self.desk.left(worker.peer, worker.epoch)
        worker.lost()

    def bury(self, worker: Worker, part: int) -> None:
        """All that it has spent comes into the store, and its leases are forgotten. Calls under way cost `part` percent
        of what they held."""
        while worker.calls:
            holds = [amount for key, amount in worker.calls[0].holds.items() if key[0] in (DAILY, TOTAL)]
            self.settle(worker, 0, min(holds, default=0) * part // 100)
        self.ship(worker, len(worker.journal))
        self.desk.gone(worker.epoch)
        self.dead.remove(worker)
        if not self.dead and not self.desk.opened:
            self.desk.open()

    def tidy(self) -> None:
        """All rows are looked at, a quarter of an hour later."""
        self.now += GRACE_MS * 1000
        self.roll()
        for worker in self.workers.values():
            worker.forget_closed(self.now // 1000)
        self.now += EVERY_MS * 1000
        with suppress(StoreError):
            self.desk.accounts.commit()
            self.desk.tidy()  # begins a round
            self.desk.tidy()

    def quiet(self) -> None:
        """Until everything that was said has been heard, and nobody waits."""
        still = 0
        for _ in range(1000):
            for worker in self.workers.values():
                while worker.peer is not None and worker.peer.down:
                    worker.receive()
                while worker.peer is not None and worker.peer.up:
                    self.hear(worker.peer)
            due = self.desk.turn()
            still = 0 if any(worker.waiting for worker in self.workers.values()) else still + 1
            if any(worker.peer is not None and worker.peer.down for worker in self.workers.values()):
                continue
            if due is None or still > 8:  # what is held beyond a lowered limit is asked for all the time
                return
            self.now = max(self.now, due)
        raise AssertionError("it never comes to rest")
