"""The journal: what was written is read back, whoever dies, and what was sent can always be settled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.ledger.entry import Entry, Intent
from encke.ledger.journal import (
    HEADER,
    MAGIC,
    MAX_RECORD,
    RECORD,
    SLOT_COUNT,
    Journal,
    SegmentReader,
    make_segment,
    make_slots,
    read_slot,
    segment_path,
)

SIZE = 64 * 1024


def intent(number: int, slot: int, attempt: int = 1, asked: str = "m") -> Intent:
    """An intent, told apart by its number."""
    return Intent(f"call-{number:06d}", attempt, "pub", "chat", asked, "lab", "model", True, 1, 2, 3, slot)


def entry(number: int, attempt: int = 1, status: str = "complete", asked: str = "m") -> Entry:
    """The entry of the same number."""
    usage = Usage(input=number, output=1)
    return Entry(
        f"call-{number:06d}", attempt, "pub", "chat", asked, "lab", "model", status, "", 200, True, True,  # type: ignore[arg-type]
        1, 2, 3, 4, usage,
    )  # fmt: skip


def journal_of(folder: Path, segments: int = 1, size: int = SIZE) -> Journal:
    """A journal with its segments."""
    journal = Journal(make_slots(folder, 1))
    for number in range(1, segments + 1):
        journal.add_segment(make_segment(folder, 1, number, size))
    return journal


def values(folder: Path, number: int = 1) -> list[Intent | Entry]:
    """All that stands in a segment."""
    reader = SegmentReader(segment_path(folder, 1, number))
    try:
        return [record.value for record in reader.records()]
    finally:
        reader.close()


def test_written_is_read(tmp_path: Path) -> None:
    """Intents and entries come back in order with rising sequence, also to a reader that looks again and again."""
    journal = journal_of(tmp_path)
    reader = SegmentReader(segment_path(tmp_path, 1, 1))
    assert not reader.begun and list(reader.records()) == []
    for number in range(20):
        slot = journal.take_slot()
        journal.intend(intent(number, slot))
        assert [record.value for record in reader.records()] == [intent(number, slot)]
        journal.settle(entry(number), slot)
        found = list(reader.records())
        assert [record.value for record in found] == [entry(number)]
        assert found[0].sequence == 2 * number + 2 and found[0].end % 8 == 0
    assert journal.open == 0 and not reader.damaged


def test_what_was_sent_can_be_settled(tmp_path: Path) -> None:
    """When the journal fills up new intents are refused with 503, and every open one can be settled still."""
    journal = journal_of(tmp_path, segments=2)
    opened: list[tuple[int, int]] = []
    long = "m" * 400
    with pytest.raises(Fault) as raised:
        for number in range(10_000):
            slot = journal.take_slot()
            journal.intend(intent(number, slot, asked=long))
            opened.append((number, slot))
    assert raised.value.status == 503 and len(opened) > 20
    for number, slot in reversed(opened):
        journal.settle(entry(number, asked=long), slot)
    with pytest.raises(Fault, match="unavailable"):
        for number in range(10_000):
            journal.note(entry(number))
    got = values(tmp_path, 1) + values(tmp_path, 2)
    settled = {value.call for value in got if isinstance(value, Entry)}
    assert {f"call-{number:06d}" for number, _ in opened} <= settled


def test_largest_entry_fits_what_is_set_aside() -> None:
    """The room kept for an entry is enough for the longest names that are let in."""
    journal_bytes = RECORD.size + 8 + 400 * 2 + 128 + 64 * 3 + 120
    assert journal_bytes < MAX_RECORD


def test_segments_follow_each_other(tmp_path: Path) -> None:
    """A full segment is left for the next, records never straddle, and readers find each one's end."""
    journal = journal_of(tmp_path, segments=3, size=16 * 1024)
    number = 0
    while journal.begun < 3:
        slot = journal.take_slot()
        try:
            journal.intend(intent(number, slot))
        except Fault:
            journal.free_slot(slot)
            break
        journal.settle(entry(number), slot)
        number += 1
    found = [value for segment in (1, 2, 3) for value in values(tmp_path, segment)]
    assert [value.call for value in found if isinstance(value, Entry)] == [f"call-{n:06d}" for n in range(number)]
    assert number > 50


def test_no_segment_refuses(tmp_path: Path) -> None:
    """Without a segment nothing may be sent; with one it goes on."""
    journal = Journal(make_slots(tmp_path, 1))
    slot = journal.take_slot()
    with pytest.raises(Fault, match="unavailable"):
        journal.intend(intent(1, slot))
    journal.add_segment(make_segment(tmp_path, 1, 1, SIZE))
    journal.intend(intent(1, slot))


@pytest.mark.parametrize("offset", [0, 1, 4, 5, 8, 12, 20, 40])
def test_damage_ends_the_reading(tmp_path: Path, offset: int) -> None:
    """A flipped bit anywhere in a record is seen; what stands before it is good."""
    journal = journal_of(tmp_path)
    ends = []
    reader = SegmentReader(segment_path(tmp_path, 1, 1))
    for number in range(3):
        slot = journal.take_slot()
        journal.intend(intent(number, slot))
        ends += [record.end for record in reader.records()]
    path = segment_path(tmp_path, 1, 1)
    data = bytearray(path.read_bytes())
    data[ends[1] + offset] ^= 0x40
    path.write_bytes(bytes(data))
    again = SegmentReader(path)
    found = [record.value for record in again.records()]
    assert [value.call for value in found] == ["call-000000", "call-000001"]
    assert again.damaged


def test_torn_tail(tmp_path: Path) -> None:
    """After a power cut a record may be half there at any byte: it is left out and nothing else is."""
    journal = journal_of(tmp_path)
    reader = SegmentReader(segment_path(tmp_path, 1, 1))
    for number in range(2):
        journal.intend(intent(number, journal.take_slot()))
    first, second = (record.end for record in reader.records())
    whole = segment_path(tmp_path, 1, 1).read_bytes()
    torn = tmp_path / f"{1:016x}-000009.seg"
    end = second
    while whole[end - 1] == 0:  # the padding may be missing: it is zero anyway
        end -= 1
    for cut in range(first, end):
        torn.write_bytes(whole[:cut] + bytes(len(whole) - cut))
        found = [record.value for record in SegmentReader(torn).records()]
        assert [value.call for value in found] == ["call-000000"], cut


@pytest.mark.parametrize("start", [b"", b"WRONGMAG" + bytes(24), bytes(32)])
def test_no_segment_at_all(tmp_path: Path, start: bytes) -> None:
    """A file that is no segment is an error that names it."""
    path = tmp_path / "x.seg"
    path.write_bytes(start + bytes(100))
    with pytest.raises(ValueError, match=r"x\.seg is not a journal segment"):
        SegmentReader(path)


def test_slots(tmp_path: Path) -> None:
    """Progress is written over and over; a slot belongs to the intent whose sequence it holds."""
    journal = journal_of(tmp_path)
    slot = journal.take_slot()
    journal.intend(intent(1, slot))
    path = tmp_path / f"{1:016x}.slots"
    assert read_slot(path, slot)[:4] == (1, False, 0, 0)
    journal.progress(slot, 100, 40)
    journal.usage(slot, 11, 7, 5)
    assert tuple(read_slot(path, slot)) == (1, True, 100, 40, 11, 7, 5)
    journal.settle(entry(1), slot)
    again = journal.take_slot()
    assert again == slot
    journal.intend(intent(2, again))
    assert tuple(read_slot(path, slot)) == (3, False, 0, 0, 0, 0, 0)


def test_slots_run_out(tmp_path: Path) -> None:
    """As many attempts as there are slots, then 503; a slot given back serves again."""
    journal = journal_of(tmp_path)
    taken = [journal.take_slot() for _ in range(SLOT_COUNT)]
    assert len(set(taken)) == SLOT_COUNT
    with pytest.raises(Fault, match="as many calls open"):
        journal.take_slot()
    journal.free_slot(taken[7])
    assert journal.take_slot() == taken[7]


def test_a_full_disk_is_met_when_making(tmp_path: Path) -> None:
    """Space is taken when a segment is made, which fails there and leaves nothing behind."""
    with pytest.raises(OSError):
        make_segment(tmp_path, 1, 1, 1 << 60)
    assert list(tmp_path.iterdir()) == []
    made = make_segment(tmp_path, 1, 1, SIZE)
    assert made.stat().st_blocks * 512 >= SIZE and made.stat().st_mode & 0o777 == 0o600
    assert HEADER.size < SIZE


WRITER = """
import sys
from pathlib import Path
from encke.ledger.journal import Journal
from tests.ledger.test_journal import entry, intent
folder = Path(sys.argv[1])
journal = Journal(folder / f"{1:016x}.slots")
for path in sorted(folder.glob("*.seg")):
    journal.add_segment(path)
number = 0
while True:
    slot = journal.take_slot()
    journal.intend(intent(number, slot))
    journal.settle(entry(number), slot)
    print(number, flush=True)
    number += 1
"""


def test_reader_and_killed_writer(tmp_path: Path) -> None:
    """A reader in another process sees whole records only, and all that a writer had told of before SIGKILL."""
    make_slots(tmp_path, 1)
    for number in (1, 2, 3):
        make_segment(tmp_path, 1, number, 1 << 20)
    told = tmp_path / "told"
    with told.open("wb") as out:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=out, cwd=Path(__file__).parents[2]
        )
    readers = [SegmentReader(segment_path(tmp_path, 1, number)) for number in (1, 2, 3)]
    found: list[str] = []
    end = time.monotonic() + 20
    while len(found) < 2000 and time.monotonic() < end and writer.poll() is None:
        for reader in readers:
            found += [record.value.call for record in reader.records() if isinstance(record.value, Entry)]
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    for reader in readers:
        found += [record.value.call for record in reader.records() if isinstance(record.value, Entry)]
        assert not reader.damaged
    count = len(told.read_bytes().splitlines())
    assert count >= 1000
    assert found == [f"call-{number:06d}" for number in range(len(found))] and len(found) >= count


@pytest.mark.parametrize("size", [1, 7, 8, 23, 24, 31])
def test_a_file_too_short_for_a_segment_is_refused(tmp_path: Path, size: int) -> None:
    """Also one whose beginning is right: a clear error, not one of the unpacking."""
    path = tmp_path / "short.seg"
    path.write_bytes((MAGIC + bytes(24))[:size])
    with pytest.raises(ValueError, match="is not a journal segment"):
        SegmentReader(path)


def test_pages_are_written_again(tmp_path: Path) -> None:
    """After a failed sync: every page that holds something changes, and none of them is another afterwards."""
    journal = journal_of(tmp_path, 3)
    journal.strict = True
    for number in range(700):
        slot = journal.take_slot()
        journal.intend(intent(number, slot))
        journal.settle(entry(number), slot)
    paths = list(journal.unsynced)
    assert [path.name[-10:] for path in paths] == ["000001.seg", "000002.seg"]
    before = [path.read_bytes() for path in paths]
    stamps = [path.stat().st_mtime_ns for path in paths]
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fdatasync(fd)
        os.close(fd)
    time.sleep(0.02)
    journal.touch()
    assert [path.read_bytes() for path in paths] == before
    assert all(path.stat().st_mtime_ns > stamp for path, stamp in zip(paths, stamps, strict=True))
    journal.clean(1)
    assert journal.unsynced == paths[1:]
    paths[0].unlink()
    journal.unsynced.insert(0, paths[0])
    journal.touch()  # one that is in the store and gone
    journal.clean(5)
    assert journal.unsynced == paths[1:]
    journal.close()


def test_two_reasons_to_admit_nothing(tmp_path: Path) -> None:
    """The keeper's and the disk's: it goes on when both are gone."""
    journal = journal_of(tmp_path)
    slot = journal.take_slot()
    for held, doubted in ((True, False), (True, True), (False, True)):
        journal.hold(held)
        journal.doubt(doubted)
        with pytest.raises(Fault, match="cannot record"):
            journal.intend(intent(1, slot))
    journal.doubt(False)
    journal.intend(intent(1, slot))
    journal.close()
