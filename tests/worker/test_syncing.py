"""Strict durability: who waits goes on when the disk has it, many share one sync, and a disk that fails is told."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from encke.calls.desk import Unsynced
from encke.core.faults import Fault
from encke.http.drive import Signal
from encke.worker import syncing
from encke.worker.syncing import GroupSync
from tests.http.support import Driven, LoopThread
from tests.ledger.test_journal import entry, intent, journal_of


class Disk:
    """Stands in for `os.fdatasync`: counts, waits to be told, fails when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[str] = []  # names of files
        self.go_on = threading.Event()
        self.go_on.set()
        self.error: OSError | None = None
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, fd: int) -> None:
        assert threading.current_thread().name == "sync", "the loop waits for the disk"
        name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
        assert self.go_on.wait(20)
        if self.error is not None:
            raise self.error
        self._real(fd)
        self.synced.append(name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A disk that obeys."""
    disk = Disk(monkeypatch)
    yield disk
    disk.go_on.set()


class House:
    """A journal and what brings it to the disk, in a loop of its own."""

    def __init__(self, folder: Path, segments: int = 2, size: int = 64 * 1024) -> None:
        self.thread = LoopThread()
        self.journal = journal_of(folder, segments, size)
        self.events: list[tuple[str, dict[str, object]]] = []
        self.sync = self.thread.call(lambda: GroupSync(self.journal, self._tell))
        self._number = 0

    def _tell(self, event: str, fields: Mapping[str, object]) -> None:
        self.events.append((event, dict(fields)))

    def _write(self) -> None:
        slot = self.journal.take_slot()
        self.journal.intend(intent(self._number, slot))
        self.journal.settle(entry(self._number), slot)
        self._number += 1

    async def _settled(self) -> None:
        self._write()
        await self.sync.wait()

    def settle(self) -> Driven[None]:
        """A call that ends: its entry is written, and it waits."""
        return self.thread.drive(self._settled())

    def stop(self) -> None:
        """End."""
        self.thread.call(self.sync.close)
        self.thread.stop()
        self.journal.close()


@pytest.fixture
def house(tmp_path: Path, disk: Disk) -> Iterator[House]:
    """One with two segments."""
    house = House(tmp_path)
    yield house
    disk.go_on.set()
    house.stop()


def until(condition: object, what: str) -> None:
    """Wait for it."""
    assert callable(condition)
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def test_who_waits_goes_on_when_the_disk_has_it(house: House, disk: Disk) -> None:
    """Not before; and the loop does other things meanwhile."""
    disk.go_on.clear()
    call = house.settle()
    time.sleep(0.05)
    assert not call.future.done() and house.thread.call(lambda: 7) == 7
    disk.go_on.set()
    assert call.result() is None
    assert len(disk.synced) == 1 and house.events == []


def test_many_share_one_sync(house: House, disk: Disk) -> None:
    """Whoever comes while one runs waits for the next: 500 calls take two syncs."""
    disk.go_on.clear()
    first = house.settle()
    others = [house.settle() for _ in range(500)]
    assert not first.future.done()
    disk.go_on.set()
    for call in (first, *others):
        call.result()
    assert house.sync.rounds == 2


def test_a_segment_that_was_left_is_synced_too(tmp_path: Path, disk: Disk) -> None:
    """Until it is on the disk: an entry behind one that is missing would not be read. Then no more."""
    house = House(tmp_path, segments=4, size=8 * 1024)
    disk.go_on.clear()
    first = house.settle()
    while house.journal.begun < 3:
        house.thread.call(house._write)
    second = house.settle()
    disk.go_on.set()
    first.result()
    second.result()
    names = [path.name for path in house.journal.unsynced]
    assert disk.synced == [f"{1:016x}-{number:06d}.seg" for number in (1, 1, 2, 3)]
    assert names == [f"{1:016x}-000003.seg"]
    house.settle().result()
    assert disk.synced[4:] == names
    house.stop()


def test_a_file_that_is_gone_is_in_the_store(house: House, tmp_path: Path) -> None:
    """The keeper lets a segment go when the store has all of it: nobody waits for it."""
    for path in tmp_path.glob("*.seg"):
        path.unlink()
    assert house.settle().result() is None


def test_a_failed_sync_is_told_to_who_waits(house: House, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, not to be tried again by itself; no call is begun; pages are written again; then all goes on."""
    monkeypatch.setattr(syncing, "RETRY_SECONDS", 0.3)
    house.settle().result()
    disk.error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(Unsynced) as raised:
        house.settle().result()
    fault = raised.value
    assert (fault.status, fault.code, fault.headers) == (503, "unavailable", (("x-should-retry", "false"),))
    assert house.events == [("journal_not_synced", {"reason": "Input/output error"})]
    with pytest.raises(Fault, match="cannot record calls"):
        house.thread.call(house._write)
    disk.error = None
    until(lambda: len(house.events) == 2, "it never went on")
    assert house.events[1] == ("journal_synced", {})
    assert house.settle().result() is None


def test_a_disk_that_hangs_fails_who_waits(house: House, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time, whoever came before or since; when it answers at last, all goes on."""
    monkeypatch.setattr(syncing, "STALL_SECONDS", 0.2)
    disk.go_on.clear()
    calls = [house.settle(), house.settle()]
    for call in calls:
        with pytest.raises(Unsynced):
            call.result()
    assert [event for event, _ in house.events] == ["journal_not_synced"]
    disk.go_on.set()
    until(lambda: len(house.events) == 2, "it never went on")
    assert house.settle().result() is None


def test_who_leaves_disturbs_nobody(house: House, disk: Disk) -> None:
    """A caller that is gone does not keep the others from going on."""
    disk.go_on.clear()
    gone: Signal[None] = house.thread.call(house.sync.wait)
    house.thread.call(lambda: gone.fail(KeyError()))
    call = house.settle()
    disk.go_on.set()
    assert call.result() is None
