"""The power goes: of what was written into the journal since the last flush, any part may be on the disk.

The files are remembered after every step of the writing, in the middle of a record too. A crash takes, for every page
or sector, any of the states that it had since the last flush: pages reach the disk in any order, or not at all.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from encke.keeper.shipper import find_journals
from encke.ledger.crashing import CrashingJournal
from encke.ledger.entry import Entry
from encke.ledger.journal import KIND_INTENT, SegmentReader, make_segment, make_slots, segment_path, slots_path
from tests.conftest import Count, Size
from tests.ledger.test_journal import entry, intent

SEGMENTS, SEGMENT_SIZE, SLOTS_SEEN = 6, 24 * 1024, 4096
PAGE, SECTOR = 4096, 512


@dataclass
class Moment:
    """The files as the kernel had them, what had been told by then, and whether a flush had just ended."""

    files: list[bytes]
    written: int  # records
    flushed: bool = False


@dataclass
class Writing:
    """Seeded traffic of a worker, every step of it remembered."""

    folder: Path
    seed: int
    moments: list[Moment] = field(default_factory=list)
    records: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)  # by sequence: kind, answers, body
    progress: dict[str, set[tuple[int, int]]] = field(default_factory=dict)  # of a call: received, content

    def __post_init__(self) -> None:
        make_slots(self.folder, 1)
        paths = [make_segment(self.folder, 1, number, SEGMENT_SIZE) for number in range(1, SEGMENTS + 1)]
        self.paths = [*paths, slots_path(self.folder, 1)]
        self._open = [path.open("rb") for path in self.paths]
        later: list[object] = []
        journal = CrashingJournal(self.paths[-1], self._remember, later.append)
        for path in paths:
            journal.add_segment(path)
        self._write(journal)
        self._learn()
        journal.close()
        for file in self._open:
            file.close()

    def _write(self, journal: CrashingJournal) -> None:
        rng = random.Random(self.seed)
        under_way: list[tuple[int, int]] = []
        number = 0
        while journal.begun < SEGMENTS or not number:
            if len(under_way) < 6 and rng.random() < 0.5:
                slot = journal.take_slot()
                self.progress[f"call-{number:06d}"] = {(0, 0)}
                journal.intend(intent(number, slot))
                under_way.append((number, slot))
                number += 1
            elif under_way and rng.random() < 0.5:
                call, slot = rng.choice(under_way)
                known = self.progress[f"call-{call:06d}"]
                received, content = max(known)
                known |= {(received + 100, content), (received + 100, content + 40)}
                journal.progress(slot, received + 100, content + 40)
            elif under_way:
                done = under_way.pop(rng.randrange(len(under_way)))
                journal.settle(entry(done[0]), done[1])
            self._remember("")
            if rng.random() < 0.05:
                self.moments[-1].flushed = True

    def _remember(self, place: str) -> None:
        files = []
        for file, path in zip(self._open, self.paths, strict=True):
            file.seek(0)
            files.append(file.read(SLOTS_SEEN if path.suffix == ".slots" else SEGMENT_SIZE))
        # A step changes one file, seldom two: the others are the same objects as before.
        before = self.moments[-1].files if self.moments else files
        self.moments.append(Moment([old if old == new else new for old, new in zip(before, files, strict=True)], 0))

    def _learn(self) -> None:
        """What was written, read from the files as they are at the end, and how much of it at each moment."""
        ends: list[tuple[int, int]] = []  # file and offset of each record's end
        for number in range(1, SEGMENTS + 1):
            reader = SegmentReader(segment_path(self.folder, 1, number))
            for record in reader.records():
                self.records[record.sequence] = (record.kind, record.answers, record.body)
                ends.append((number - 1, record.end))
            reader.close()
        whole = self.moments[-1].files
        written = 0  # never less than a moment before: records are only added
        for moment in self.moments:
            while written < len(ends):
                file, end = ends[written]
                if moment.files[file][:end] != whole[file][:end]:
                    break
                written += 1
            moment.written = written

    def crash(self, folder: Path, rng: random.Random) -> tuple[int, int]:
        """Files as a crash may leave them; how many records were flushed before, and written."""
        at = rng.randrange(1, len(self.moments))
        last = max((number for number in range(at) if self.moments[number].flushed), default=0)
        size = rng.choice((PAGE, PAGE, SECTOR))
        # Most of what was not flushed is lost, or most of it is there.
        early = rng.choice((0.1, 0.5, 0.9))
        for which, path in enumerate(self.paths):
            newest, oldest = self.moments[at].files[which], self.moments[last].files[which]
            image = bytearray(oldest)
            for start in range(0, len(image), size):
                part = slice(start, start + size)
                if newest[part] != oldest[part] and rng.random() > early:
                    image[part] = self.moments[rng.randint(last, at)].files[which][part]
            (folder / path.name).write_bytes(image)
        return self.moments[last].written, self.moments[at].written


def check(writing: Writing, folder: Path, flushed: int, written: int, found: Counter[str]) -> None:
    """What a keeper makes of the files."""
    seen: list[int] = []
    for number in range(1, SEGMENTS + 1):
        reader = SegmentReader(segment_path(folder, 1, number))
        for record in reader.records():
            assert writing.records[record.sequence] == (record.kind, record.answers, record.body), "a wrong record"
            seen.append(record.sequence)
        found["damaged segments"] += reader.damaged
        reader.close()
    assert seen == sorted(set(seen)), "a record twice, or out of order"
    assert seen[:flushed] == list(range(1, flushed + 1)), "a record is lost that had been flushed"
    assert len(seen) <= written
    (journal,), damaged = find_journals(folder)
    assert damaged == []
    orphans = journal.settle_orphans()
    entries: list[Entry] = journal.pending
    attempts = Counter((one.call, one.attempt) for one in entries)
    assert set(attempts.values()) <= {1}, "settled twice"
    sent = sum(writing.records[sequence][0] == KIND_INTENT for sequence in seen)
    settled = sum(writing.records[sequence][0] != KIND_INTENT for sequence in seen)
    assert sent - settled <= orphans and len(entries) == settled + orphans
    for one in entries[settled:]:
        # Whatever the slot had at some moment; nobody else's numbers.
        content = {content for received, content in writing.progress[one.call] if received == one.received}
        assert one.usage.output in {-(-size // 3) for size in content}, (one.call, one.received, one.usage.output)
    for one in entries[:settled]:
        assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(entry(int(one.call[-6:])))
    journal.remove()
    found["records flushed"] += flushed
    found["records lost"] += written - len(seen)
    found["records read"] += len(seen)
    found["orphans"] += orphans


def test_the_power_goes_at_any_moment(tmp_path: Path, size: Size, count: Count) -> None:
    """At 300 moments (2,000 with --soak): no wrong record, none twice, none lost that was flushed; orphans are billed
    for what their slots once held, and settled once."""
    points, seeds = size(300, soak=2000), size(6, soak=20)
    found: Counter[str] = Counter()
    for seed in range(seeds):
        folder = tmp_path / f"written-{seed}"
        folder.mkdir()
        writing = Writing(folder, seed)
        rng = random.Random(seed)
        for point in range(points // seeds):
            after = tmp_path / f"after-{seed}-{point}"
            after.mkdir()
            check(writing, after, *writing.crash(after, rng), found)
    told = ", ".join(f"{number} {what}" for what, number in found.items())
    count(f"power, journal: {points // seeds * seeds} crashes: {told}")
    assert found["records lost"] > 0 and found["damaged segments"] > 0 and found["orphans"] > 0, "nothing was risked"
