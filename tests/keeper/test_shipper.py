"""Journals to the store: nothing is lost or twice there, in whatever order workers, keeper and store fail."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from encke.core.faults import Fault
from encke.core.paths import DataPaths
from encke.keeper.keeper import Keeper
from encke.keeper.shipper import MAX_PENDING, find_journals, new_journal
from encke.ledger.entry import Entry
from encke.ledger.journal import KIND_ENTRY, Journal
from encke.store.port import Appended, StoreError
from encke.store.sqlite import SqliteStore
from tests.ledger.test_journal import entry, intent

SIZE = 16 * 1024
EPOCH = 7


class House:
    """A store, keepers one after the other, and a worker's journal without the worker."""

    def __init__(self, folder: Path) -> None:
        self.paths = DataPaths(folder)
        self.paths.journal.mkdir()
        self.store = SqliteStore.open(folder / "encke.db")
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.now = 100.0
        self.shipper = new_journal(self.paths.journal, EPOCH, 2, SIZE)
        self.journal = Journal(self.shipper.slots)
        self.made = 0
        self.lock = os.open(self.shipper.slots, os.O_RDWR)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.give_segments()

    def give_segments(self) -> None:
        """What the keeper tells the worker."""
        for path in self.shipper.segments[self.made :]:
            self.journal.add_segment(path)
            self.made += 1

    def keeper(self) -> Keeper:
        """A keeper that starts now, on what lies there."""
        keeper = Keeper(
            self.store, b"p" * 32, self.paths, SIZE, lambda event, more: self.events.append((event, dict(more)))
        )
        keeper.recover()
        return keeper

    def tick(self, keeper: Keeper) -> None:
        """One round, a second later."""
        self.now += 1.0
        keeper.tick(self.now)

    def write(self, numbers: range, settle: bool = True) -> list[tuple[int, int]]:
        """Calls of those numbers; the slots of those left open."""
        opened = []
        for number in numbers:
            slot = self.journal.take_slot()
            self.journal.intend(intent(number, slot))
            if settle:
                self.journal.settle(entry(number), slot)
            else:
                opened.append((number, slot))
        return opened

    def die(self) -> None:
        """SIGKILL: the lock goes, the files stay."""
        os.close(self.lock)

    def entries(self, numbers: range) -> list[Entry]:
        """What the store has of those calls."""
        return [one for number in numbers for one in self.store.entries(f"call-{number:06d}")]

    @property
    def files(self) -> list[str]:
        """The journal's folder."""
        return sorted(path.name for path in self.paths.journal.iterdir())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A worker that lives."""
    house = House(tmp_path)
    yield house
    house.store.close()


def test_entries_are_shipped_once(house: House) -> None:
    """What is in the journal comes into the store; looking again, and a new keeper, add nothing."""
    house.write(range(30))
    for _ in range(2):
        keeper = house.keeper()
        house.tick(keeper)
        house.tick(keeper)
        assert house.entries(range(30)) == [entry(number) for number in range(30)]
    assert house.events == []


def test_crash_between_adding_and_trimming(house: House) -> None:
    """A keeper that dies after the store has the entries and before the segment goes adds them again: nothing."""
    house.write(range(60))
    (first,), _ = find_journals(house.paths.journal)
    first.read()
    house.store.append(first.pending)  # and then it is killed
    house.tick(house.keeper())
    assert house.entries(range(60)) == [entry(number) for number in range(60)]
    assert house.store.usage(0, 1 << 60)[0].calls == 60


def test_segments_go_when_nothing_needs_them(house: House) -> None:
    """A segment left behind is removed once its entries are in the store, the one in use never."""
    keeper = house.keeper()
    number = 0
    while house.journal.begun < 2:
        house.write(range(number, number + 1))
        number += 1
    assert sum(name.endswith(".seg") for name in house.files) == 2
    house.tick(keeper)
    assert [name for name in house.files if name.endswith(".seg")] == [f"{EPOCH:016x}-000002.seg"]
    assert len(house.entries(range(number))) == number


def test_a_long_call_keeps_its_segment_and_delays_nothing(house: House) -> None:
    """While a call of the first segment is open, later segments are shipped; its worker dies, it is settled too."""
    keeper = house.keeper()
    house.shipper.make(SIZE), house.shipper.make(SIZE), house.shipper.make(SIZE)
    keeper = house.keeper()
    house.give_segments()
    house.write(range(1), settle=False)
    number = 1
    while house.journal.begun < 4:
        house.write(range(number, number + 1))
        number += 1
        if number % 10 == 0:
            house.tick(keeper)
    house.tick(keeper)
    assert len(house.entries(range(1, number))) == number - 1
    assert f"{EPOCH:016x}-000001.seg" in house.files
    house.write(range(number, number + 5))
    house.die()
    house.tick(keeper)
    assert len(house.entries(range(1, number + 5))) == number + 4
    assert [one.status for one in house.entries(range(1))] == ["orphan"]
    assert house.files == []


def test_entries_in_a_segment_not_looked_at_before_the_death(house: House) -> None:
    """All segments of a dead worker are read to their ends before they go, also when an early one is held open."""
    for _ in range(3):
        house.shipper.make(SIZE)
    keeper = house.keeper()
    house.give_segments()
    house.write(range(1), settle=False)
    number = 1
    while house.journal.begun < 3:
        house.write(range(number, number + 1))
        number += 1
    house.tick(keeper)
    while house.journal.begun < 5:
        house.write(range(number, number + 1))
        number += 1
    house.die()
    house.tick(keeper)
    assert len(house.entries(range(number))) == number
    assert house.files == []


def test_orphans_are_settled_from_their_slots(house: House) -> None:
    """What a dead worker had received is in its orphans' entries; those never told of are the input's estimate."""
    opened = house.write(range(3), settle=False)
    house.journal.progress(opened[1][1], 900, 300)
    house.journal.progress(opened[2][1], 900, 300)
    house.journal.usage(opened[2][1], 50, 20, 10)
    keeper = house.keeper()
    house.tick(keeper)
    assert house.entries(range(3)) == [], "its worker lives"
    house.die()
    house.tick(keeper)
    silent, partial, told = house.entries(range(3))
    assert {one.status for one in (silent, partial, told)} == {"orphan"}
    assert (silent.received, silent.usage.total_output, silent.usage.estimated) == (0, 0, True)
    assert (partial.received, partial.usage.total_output, partial.usage.estimated) == (900, 100, True)
    assert (told.usage.total_input, told.usage.cache_read, told.usage.total_output) == (50, 10, 20)
    assert ("orphans_settled", {"epoch": EPOCH, "count": 3}) in house.events
    assert house.files == []
    house.tick(house.keeper())
    assert len(house.entries(range(3))) == 3


def test_slot_of_another_attempt_is_not_believed(house: House) -> None:
    """A slot that was given to a later attempt tells nothing about an earlier one."""
    ((number, slot),) = house.write(range(1), settle=False)
    house.journal.progress(slot, 900, 300)
    house.journal._free.append(slot)
    house.write(range(1, 2), settle=False)
    house.die()
    house.tick(house.keeper())
    first, second = house.entries(range(2))
    assert (first.received, second.received) == (0, 0) and number == 0


def test_store_failure_keeps_entries(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store cannot be written, entries wait and no file goes, told once; then all are shipped."""
    keeper = house.keeper()
    opened = house.write(range(40, 42), settle=False)
    house.write(range(40))

    def fail(*_: object) -> int:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(house.store, "append", fail)
        house.tick(keeper)
        house.die()
        house.tick(keeper)
        house.tick(keeper)
        assert house.entries(range(42)) == []
        assert house.files
        assert [name for name, _ in house.events].count("store_unavailable") == 1
    house.tick(keeper)
    assert len(house.entries(range(42))) == 42 and len(opened) == 2
    assert [name for name, _ in house.events].count("store_available") == 1
    assert house.files == []


def test_full_journal_is_emptied(house: House) -> None:
    """A journal that was full serves again when the keeper has made another segment."""
    number = 0
    with pytest.raises(Fault, match="unavailable"):
        while True:
            house.write(range(number, number + 1))
            number += 1
    for slot in range(3):
        house.journal.free_slot(slot)  # the refused attempt's, and two that were free
    house.shipper.make(SIZE)
    house.give_segments()
    house.write(range(number, number + 1))
    house.tick(house.keeper())
    assert len(house.entries(range(number + 1))) == number + 1


def test_damaged_segment_is_told_and_the_rest_shipped(house: House) -> None:
    """What stands before the damage is shipped, the keeper says which segment it was."""
    house.write(range(5))
    path = house.shipper.segments[0]
    data = bytearray(path.read_bytes())
    house.write(range(5, 6))
    position = next(at for at in range(len(data)) if data[at] != path.read_bytes()[at])
    house.write(range(6, 8))
    damaged = bytearray(path.read_bytes())
    damaged[position + 20] ^= 0xFF
    path.write_bytes(bytes(damaged))
    keeper = house.keeper()
    house.tick(keeper)
    assert len(house.entries(range(8))) == 5
    house.die()
    house.tick(keeper)
    assert house.events.count(("journal_damaged", {"segment": path.name})) == 1
    assert len(house.entries(range(8))) == 5 and house.files == [f"{path.name}.damaged"]
    assert (path.parent / f"{path.name}.damaged").read_bytes() == bytes(damaged), "the only evidence there is"


def test_entries_written_while_the_store_is_busy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker fills a segment and begins the next while the keeper is adding to the store: nothing of it is lost."""
    keeper = house.keeper()
    house.write(range(3))
    append, number = house.store.append, 3

    def slowly(entries: Sequence[Entry], epoch: int) -> Appended:
        nonlocal number
        added = append(entries, epoch)
        while house.journal.begun < 2:
            house.write(range(number, number + 1))
            number += 1
        return added

    with monkeypatch.context() as busy:
        busy.setattr(house.store, "append", slowly)
        house.tick(keeper)
    house.tick(keeper)
    assert len(house.entries(range(number))) == number > 20
    assert [name for name in house.files if name.endswith(".seg")] == [f"{EPOCH:016x}-000002.seg"]


def test_the_keeper_reads_no_more_than_it_can_pass_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is away, what waits does so in the journal, not in memory; then all of it is shipped, and a dead
    worker's calls are settled after that."""
    monkeypatch.setattr(house.store, "append", _away)
    for _ in range(20):
        house.shipper.make(SIZE * 64)
    house.give_segments()
    house.write(range(1), settle=False)
    house.write(range(1, 2 * MAX_PENDING + 500))
    keeper = house.keeper()
    for _ in range(5):
        house.tick(keeper)
    (journal,) = keeper._journals.values()
    assert len(journal.pending) == MAX_PENDING and not journal.whole
    house.die()
    house.tick(keeper)
    assert len(journal.pending) == MAX_PENDING and house.files != []
    monkeypatch.undo()
    for _ in range(5):
        house.tick(keeper)
    assert house.store.usage(0, 1 << 60)[0].calls == 2 * MAX_PENDING + 500
    assert [one.status for one in house.entries(range(1))] == ["orphan"]
    assert house.files == []


def _away(*_: object) -> int:
    raise StoreError("the disk is full")


@pytest.mark.parametrize("start", [b"", b"ENCKE", b"WRONGMAG" + bytes(24)])
def test_a_file_that_is_no_segment_is_put_aside(house: House, start: bytes) -> None:
    """It is told, kept under another name, and keeps nobody from starting."""
    house.write(range(2))
    (house.paths.journal / f"{EPOCH + 1:016x}-000001.seg").write_bytes(start)
    keeper = house.keeper()
    house.tick(keeper)
    assert house.events == [("journal_damaged", {"segment": f"{EPOCH + 1:016x}-000001.seg"})]
    assert f"{EPOCH + 1:016x}-000001.seg.damaged" in house.files
    assert len(house.entries(range(2))) == 2


def test_a_record_of_another_version_is_told_and_left_out(house: House) -> None:
    """Whole, and not to be read: what follows is shipped."""
    house.write(range(1))
    house.journal._append(KIND_ENTRY, 0, b"\xc1")
    house.write(range(1, 2))
    keeper = house.keeper()
    house.tick(keeper)
    house.tick(keeper)
    assert len(house.entries(range(2))) == 2
    assert house.events == [("journal_damaged", {"segment": f"{EPOCH:016x}-000001.seg"})]


def test_a_journal_that_cannot_be_made_leaves_nothing(house: House) -> None:
    """Half of a journal would be nobody's until the next start."""
    before = house.files
    with pytest.raises(OSError):
        new_journal(house.paths.journal, EPOCH + 1, 2, 1 << 60)
    assert house.files == before


def test_a_stale_worker_settles_nothing_twice(house: House) -> None:
    """A worker taken for dead goes on writing: the entry that the keeper settled stays the only one."""
    ((_, slot),) = house.write(range(1), settle=False)
    keeper = house.keeper()
    house.die()
    house.tick(keeper)
    assert [one.status for one in house.entries(range(1))] == ["orphan"]
    house.journal.settle(entry(0), slot)
    house.store.append([entry(0)])  # even if it came to be read
    house.tick(keeper)
    house.tick(house.keeper())
    assert [one.status for one in house.entries(range(1))] == ["orphan"]


def test_half_made_files_go(house: House) -> None:
    """What a keeper that died was just making is removed; files of others are left alone."""
    half = house.paths.journal / f"{EPOCH:016x}-000009.new"
    other = house.paths.journal / "notes.txt"
    half.write_bytes(b"x")
    other.write_bytes(b"x")
    house.keeper()
    assert not half.exists() and other.exists()


def test_what_cannot_be_taken_away_stops_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not let a file go: the entries are in the store once, now and after the next start."""
    keeper = house.keeper()
    house.write(range(3))
    house.die()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        house.tick(keeper)
        house.tick(keeper)
        assert len(house.entries(range(3))) == 3 and len(house.files) == 3
    house.tick(house.keeper())
    assert len(house.entries(range(3))) == 3 and house.files == []


def test_a_lock_that_cannot_be_looked_at_says_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files: the worker may live, so nothing of it is settled before that is known."""
    keeper = house.keeper()
    house.write(range(2), settle=False)
    house.die()
    real = os.open

    def refuse(path: Any, *more: Any) -> int:
        if str(path).endswith(".slots"):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        house.tick(keeper)
        assert len(house.entries(range(2))) == 0
    house.tick(keeper)
    assert len(house.entries(range(2))) == 2
