"""The keeper's socket and its loop: what workers and commands get, and what happens to them when the store is away."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.admin.frames import FrameDecoder, encode
from encke.core.paths import DataPaths
from encke.keeper.gauge import NO_CAP, JournalCap
from encke.keeper.keeper import FIRST_SEGMENTS, Keeper, KeeperConnection
from encke.keys.grant import Limit
from encke.keys.granting import Changes
from encke.ledger.entry import Entry
from encke.ledger.journal import Journal
from encke.store.port import Appended, StoredKey, StoreError
from encke.store.sqlite import SqliteStore
from tests.ledger.test_journal import entry, intent

SIZE = 16 * 1024


class Peer:
    """Whoever talks to the keeper."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._decoder = reader, writer, FrameDecoder()
        self.got: list[tuple[str, Any]] = []

    def send(self, kind: str, payload: dict[str, Any], id: int = 0) -> None:
        """A message to it."""
        self._writer.write(encode(kind, id, payload))

    async def until(self, kind: str, count: int = 1) -> Any:
        """The payload of the `count`-th message of that kind from now on."""
        while True:
            for number, (name, payload) in enumerate(self.got):
                if name == kind:
                    count -= 1
                    if not count:
                        del self.got[: number + 1]
                        return payload
            data = await asyncio.wait_for(self._reader.read(65536), 20)
            assert data, f"no {kind}; {self.got}"
            self.got += [(frame.kind, frame.payload) for frame in self._decoder.feed(data)]

    async def closed(self) -> bool:
        """Whether the keeper ends the connection."""
        while await asyncio.wait_for(self._reader.read(65536), 20):
            pass
        return True

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Office:
    """A keeper that runs, on a real socket."""

    def __init__(self, folder: Path, cap: JournalCap = NO_CAP) -> None:
        self.paths = DataPaths(folder)
        self.store = SqliteStore.open(folder / "encke.db")
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.keeper = Keeper(
            self.store, b"p" * 32, self.paths, SIZE, lambda event, more: self.events.append((event, dict(more))), cap
        )
        self.keeper.recover()
        self.peers: list[Peer] = []

    async def peer(self) -> Peer:
        """A new connection."""
        peer = Peer(*await asyncio.open_unix_connection(str(self.paths.keeper_sock)))
        self.peers.append(peer)
        return peer

    async def worker(self, epoch: int = 7) -> tuple[Peer, Journal]:
        """A worker that has said hello, and its journal."""
        peer = await self.peer()
        peer.send("hello", {"epoch": epoch, "segments": 0})
        await peer.until("snapshot")
        slots = Path((await peer.until("slots"))["path"])
        self.lock = os.open(slots, os.O_RDWR)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        journal = Journal(slots)
        for _ in range(FIRST_SEGMENTS):
            journal.add_segment(Path((await peer.until("segment"))["path"]))
        return peer, journal

    async def until(self, condition: Callable[[], object]) -> None:
        """Once it holds."""
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never holds; {self.events}")

    def calls(self) -> int:
        """In the store."""
        return self.store.usage(0, 1 << 60)[0].calls


def run(folder: Path, scene: Callable[[Office], Coroutine[Any, Any, None]], cap: JournalCap = NO_CAP) -> Office:
    """Play a scene with a keeper, and end it in order."""

    async def play() -> Office:
        office = Office(folder, cap)
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: KeeperConnection(office.keeper), str(office.paths.keeper_sock))
        running = asyncio.create_task(office.keeper.run())
        try:
            await scene(office)
        finally:
            server.close()
            office.keeper.close()
            await running
            for peer in office.peers:
                await peer.close()
            office.store.close()
        return office

    return asyncio.run(play())


def write(journal: Journal, numbers: range) -> None:
    """Calls of those numbers, settled."""
    for number in numbers:
        slot = journal.take_slot()
        journal.intend(intent(number, slot))
        journal.settle(entry(number), slot)


def test_a_worker_is_given_what_it_needs(tmp_path: Path) -> None:
    """Keys, slots, segments, and more segments when it asks; what it writes comes into the store."""

    async def scene(office: Office) -> None:
        peer, journal = await office.worker()
        assert (await peer.until("hold")) == {"held": False}
        peer.send("segments", {"count": FIRST_SEGMENTS + 2})
        for _ in range(2):
            journal.add_segment(Path((await peer.until("segment"))["path"]))
        write(journal, range(150))
        await office.until(lambda: office.calls() == 150)
        await peer.close()

    assert run(tmp_path, scene).events == []


def test_a_change_of_keys_reaches_workers_before_its_answer(tmp_path: Path) -> None:
    """What has changed is pushed; what cannot be read at once is pushed later, and told."""

    async def scene(office: Office) -> None:
        peer, _ = await office.worker()
        command = await office.peer()
        command.send("command", {"name": "keys.create", "args": {"name": "one"}}, 1)
        assert "result" in await command.until("reply")
        assert len((await peer.until("snapshot"))["keys"]) == 1
        changes, away = office.store.changes, True

        def read(since: int | None = None) -> Changes:
            if away:
                raise StoreError("locked")
            return changes(since)

        office.store.changes = read  # type: ignore[method-assign]
        command.send("command", {"name": "keys.create", "args": {"name": "two"}}, 2)
        assert "result" in await command.until("reply")
        await office.until(lambda: ("keys_not_pushed", {"reason": "locked"}) in office.events)
        away = False
        assert len((await peer.until("snapshot"))["keys"]) == 1

    run(tmp_path, scene)


def test_strangers(tmp_path: Path) -> None:
    """Who says what no program of ours says is let go; a command that fails is answered."""

    async def scene(office: Office) -> None:
        for kind, payload in (("hello", {}), ("hello", {"epoch": "x", "segments": 0}), ("command", {"name": 1})):
            peer = await office.peer()
            peer.send(kind, payload)
            assert await peer.closed()
        peer = await office.peer()
        peer.send("command", {"name": "keys.revoke", "args": {"key": "nobody"}}, 1)
        assert "error" in await peer.until("reply")

    run(tmp_path, scene)


def test_a_journal_of_somebody_else_is_fenced(tmp_path: Path) -> None:
    """Who says it has a journal that is not known, or none though one of its name is in use, must begin anew."""

    async def scene(office: Office) -> None:
        peer = await office.peer()
        peer.send("hello", {"epoch": 99, "segments": 3})
        await peer.until("fenced")
        _, journal = await office.worker()
        write(journal, range(1))
        other = await office.peer()
        other.send("hello", {"epoch": 7, "segments": 0})
        await other.until("fenced")
        again = await office.peer()
        again.send("hello", {"epoch": 7, "segments": 3})
        assert (await again.until("slots"))["path"].endswith(".slots")

    run(tmp_path, scene)


def test_a_worker_that_dies(tmp_path: Path) -> None:
    """Its open calls are settled, told as an event, and its files go."""

    async def scene(office: Office) -> None:
        peer, journal = await office.worker()
        for number in range(3):
            journal.intend(intent(number, journal.take_slot()))
        await peer.close()
        os.close(office.lock)
        await office.until(lambda: office.calls() == 3 and not list(office.paths.journal.iterdir()))

    assert run(tmp_path, scene).events == [("orphans_settled", {"epoch": 7, "count": 3})]


def test_a_store_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are told to hold once it has been away for four fifths of the age, and to go on when it is back; the
    store is opened anew meanwhile; each is told once."""

    async def scene(office: Office) -> None:
        peer, journal = await office.worker()
        assert (await peer.until("hold")) == {"held": False}
        renewed: list[bool] = []

        def fail(entries: object, epoch: int) -> None:
            raise StoreError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(office.store, "append", fail)
            broken.setattr(office.store, "renew", lambda: renewed.append(True))
            write(journal, range(5))
            assert (await peer.until("hold")) == {"held": True}
            await office.until(lambda: renewed)
            late = await office.peer()
            late.send("hello", {"epoch": 8, "segments": 0})
            assert (await late.until("hold")) == {"held": True}
        assert (await peer.until("hold")) == {"held": False}
        await office.until(lambda: office.calls() == 5)

    office = run(tmp_path, scene, JournalCap(1 << 40, 2.0))
    told = ["store_unavailable", "journal_full", "store_available", "journal_free"]
    assert [event for event, _ in office.events] == told


def test_entries_that_were_added_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk fails in the middle of a commit, and the entries are there all the same: what they cost is counted, also
    when the worker is gone, and is nobody's to spend again."""

    async def scene(office: Office) -> None:
        office.store.add_key(StoredKey("KEY000000001", "one", 1), b"1" * 32, [Limit(0, "budget", 1000, 'key "one"')])
        [(limit, _)] = office.store.changed_limits(-1)
        peer, journal = await office.worker()
        peer.send("ask", {"items": [[limit, 0, 400, 0]]}, 5)
        await peer.until("granted")
        append = office.store.append
        failed: list[Appended] = []

        def add_and_fail(entries: Sequence[Entry], epoch: int) -> Appended:
            found = append(entries, epoch)
            if not failed:
                failed.append(found)
                raise StoreError("the disk fails")
            return found

        monkeypatch.setattr(office.store, "append", add_and_fail)
        slot = journal.take_slot()
        journal.intend(intent(1, slot))
        charge = msgspec.Raw(msgspec.msgpack.encode([[limit, 0], [limit, 5]]))
        journal.settle(msgspec.structs.replace(entry(1), cost=300, accounts=charge), slot)
        await office.until(lambda: "store_available" in [event for event, _ in office.events])
        other = await office.peer()
        other.send("hello", {"epoch": 8, "segments": 0, "leases": []})
        other.send("status", {"accounts": [[limit, 0], [limit, 5]]}, 2)
        looked_at, never = [limit, 0, 1000, 300, 100, 600, None], [limit, 5, 1000, 300, 0, 700, None]
        assert await other.until("status") == {"items": [looked_at, never]}
        await peer.close()
        os.close(office.lock)
        await office.until(lambda: not office.store.leases())
        other.send("ask", {"items": [[limit, 0, 701, 0]]}, 3)
        assert (await other.until("refused"))["spent"] == 300
        other.send("ask", {"items": [[limit, 0, 700, 0]]}, 4)
        await other.until("granted")

    run(tmp_path, scene)


def test_a_keeper_that_stops_ships_everything(tmp_path: Path) -> None:
    """What was written in the last moment is in the store when it has ended."""

    async def scene(office: Office) -> None:
        _, journal = await office.worker()
        write(journal, range(100))

    run(tmp_path, scene)
    store = SqliteStore.open(tmp_path / "encke.db")
    assert store.usage(0, 1 << 60)[0].calls == 100
    store.close()


def test_leases(tmp_path: Path) -> None:
    """Granted, spent, recalled for another worker and when the limit is removed; out of the store when the worker is
    gone and its journal is settled."""

    async def scene(office: Office) -> None:
        office.store.add_key(StoredKey("KEY000000001", "one", 1), b"1" * 32, [Limit(0, "budget", 1000, 'key "one"')])
        [(limit, _)] = office.store.changed_limits(-1)
        peer, journal = await office.worker()
        peer.send("ask", {"items": [[limit, 0, 100, 500]]}, 5)
        peer.send("ask", {"items": [[limit, 0, 100, 0]]}, 6)
        assert await peer.until("granted") == {"items": [[limit, 0, 250, 650]]}
        assert await peer.until("granted") == {"items": [[limit, 0, 100, 650]]}
        assert office.store.leases() == [(7, limit, 0, 350, 0)]
        slot = journal.take_slot()
        journal.intend(intent(1, slot))
        charge = msgspec.Raw(msgspec.msgpack.encode([[limit, 0]]))
        journal.settle(msgspec.structs.replace(entry(1), cost=30, accounts=charge), slot)
        await office.until(lambda: office.store.leases() == [(7, limit, 0, 350, 30)])
        other = await office.peer()
        other.send("hello", {"epoch": 8, "segments": 0, "leases": []})
        other.send("ask", {"items": [[limit, 0, 700, 0]]}, 1)
        recalled = await peer.until("recall")
        assert recalled["items"] == [[limit, 0]]
        peer.send("give", {"items": [[limit, 0, 220]], "round": recalled["round"]})
        assert (await other.until("granted"))["items"] == [[limit, 0, 700, 170]]
        other.send("status", {"accounts": [[limit, 0]]}, 2)
        assert await other.until("status") == {"items": [[limit, 0, 1000, 30, 800, 170, None]]}
        command = await office.peer()
        remove = {"name": "budgets.remove", "args": {"owner": {"key": "one"}, "period": "total"}}
        command.send("command", remove, 3)
        assert "result" in await command.until("reply")
        assert (await peer.until("recall"))["items"] == [[limit, 0]]
        await peer.close()
        os.close(office.lock)
        await office.until(lambda: [row.epoch for row in office.store.leases()] == [8])

    run(tmp_path, scene)


def test_leases_outlive_the_keeper(tmp_path: Path) -> None:
    """The next one knows them, lowers them to what the worker says it has, and refuses what is out there; strangers'
    nonsense ends their connection."""

    async def first(office: Office) -> None:
        office.store.add_key(StoredKey("KEY000000001", "one", 1), b"1" * 32, [Limit(0, "budget", 1000, 'key "one"')])
        peer, journal = await office.worker()
        write(journal, range(1))
        peer.send("ask", {"items": [[1, 0, 600, 0]]}, 5)
        await peer.until("granted")

    async def second(office: Office) -> None:
        peer = await office.peer()
        peer.send("hello", {"epoch": 7, "segments": 3, "leases": [[1, 0, 550]]})
        peer.send("ask", {"items": [[1, 0, 451, 0]]}, 1)
        refused = await peer.until("refused")
        assert (refused["spent"], refused["reserved"], refused["amount"]) == (0, 550, 1000)
        peer.send("ask", {"items": [[1, 0, 450, 0]]}, 1)
        await peer.until("granted")
        assert office.store.leases() == [(7, 1, 0, 1000, 0)]
        peer.send("ask", {"items": [[1, 0, -1, 0]]}, 1)
        assert await peer.closed()
        os.close(lock)

    lock = run(tmp_path, first).lock
    run(tmp_path, second)


def test_a_store_that_takes_no_grants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks are refused as unavailable; that it began and that it is over are told once each, and the store is opened
    anew meanwhile."""

    async def scene(office: Office) -> None:
        peer, _ = await office.worker()
        office.store.add_key(StoredKey("KEY000000001", "one", 1), b"1" * 32, [Limit(0, "budget", 1000, 'key "one"')])
        office.keeper.push()
        renewed: list[bool] = []

        def fail(given: object, rates: object) -> None:
            raise StoreError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(office.store, "grant", fail)
            broken.setattr(office.store, "renew", lambda: renewed.append(True))
            while not renewed:
                peer.send("ask", {"items": [[1, 0, 1, 0]]}, 1)
                assert await peer.until("refused") == {"unavailable": True}
                await asyncio.sleep(0.05)
        peer.send("ask", {"items": [[1, 0, 1, 0]]}, 2)
        await peer.until("granted")

    told = run(tmp_path, scene).events
    assert told == [("leases_unavailable", {"reason": "the disk is full"}), ("leases_available", {})]
