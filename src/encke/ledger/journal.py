"""A worker's journal: what it is about to spend and what it spent, in memory-mapped files that outlive it.

The page cache keeps what was written into a mapping when the process is killed; the keeper flushes it to the disk
every 50 ms and ships it to the store. The keeper makes the files, preallocated, so that a full disk is met by it and
before a call is sent, never by a worker inside a write.

A segment is a header (`MAGIC`, epoch, number) and records one after the other, each at a multiple of 8:

    crc32 u32 | length u32 | sequence u32 | answers u32 | kind u8, 7 zero bytes | body, length bytes

Length 0 means that nothing stands there yet. It is written last, so a record is whole or not there; the checksum covers
what stands after the length, for what a power cut leaves. `answers` of an entry is the sequence of its intent, so that
a reader need not look into either to know which attempts are open. A worker appends to one segment until it is full,
then to the next.

Beside the segments stands one file of progress slots, 64 bytes each, one for every attempt that is under way: what was
received so far, written over and over. `Intent.slot` and the slot's sequence number tie the two together.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from encke.core.faults import Fault
from encke.core.paths import flush
from encke.ledger.entry import Entry, Intent

MAGIC: Final = b"ENCKEJ01"
HEADER: Final = struct.Struct("<8sQIxxxx")
RECORD: Final = struct.Struct("<II")
CHECKED: Final = struct.Struct("<IIB7x")
BODY_AT: Final = RECORD.size + CHECKED.size
# Sequence, flags, received bytes, content bytes, input, output, cached tokens, and the sequence again: it is written
# last, so that nobody takes an earlier attempt's numbers for those of one that has just begun.
SLOT: Final = struct.Struct("<IIqqqqqQ")
SLOT_SIZE: Final = 64
SLOT_COUNT: Final = 16384
USAGE_SEEN: Final = 1

KIND_INTENT: Final = 1
KIND_ENTRY: Final = 2

# What an entry may take at most, record header included: names are bounded, see `Journal.intend`.
MAX_RECORD: Final = 2560

OPEN_MARGIN: Final = 2  # an intent and its entry
HELD_MARGIN: Final = 1 << 40  # no journal has room for so many: nothing is admitted

_encode: Final = msgspec.msgpack.Encoder().encode
_intent: Final = msgspec.msgpack.Decoder(Intent)
_entry: Final = msgspec.msgpack.Decoder(Entry)


class Progress(NamedTuple):
    """What a slot holds: bytes of body, bytes of content, and tokens where upstream has told them (`usage_seen`)."""

    sequence: int
    usage_seen: bool
    received: int
    content: int
    input: int
    output: int
    cached: int


class Record(NamedTuple):
    """A record read back. `body` is an Intent's, or an Entry's that answers one or stands alone; `end` is the offset
    after it.
    """

    sequence: int
    answers: int
    kind: int
    body: bytes
    end: int

    @property
    def value(self) -> Intent | Entry:
        """The body, read. Raises msgspec.DecodeError."""
        return read_intent(self.body) if self.kind == KIND_INTENT else read_entry(self.body)


def segment_path(folder: Path, epoch: int, number: int) -> Path:
    """The file of a worker's n-th segment."""
    return folder / f"{epoch:016x}-{number:06d}.seg"


def slots_path(folder: Path, epoch: int) -> Path:
    """The file of a worker's progress slots."""
    return folder / f"{epoch:016x}.slots"


def make_segment(folder: Path, epoch: int, number: int, size: int) -> Path:
    """Make a segment, with its space allocated. Raises OSError: a full disk is met here."""
    return _make(segment_path(folder, epoch, number), size, HEADER.pack(MAGIC, epoch, number))


def make_slots(folder: Path, epoch: int) -> Path:
    """Make a worker's slots."""
    return _make(slots_path(folder, epoch), SLOT_SIZE * SLOT_COUNT, b"")


def _make(path: Path, size: int, start: bytes) -> Path:
    part = path.with_suffix(".new")
    fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
        os.pwrite(fd, start, 0)
        os.fsync(fd)
        os.rename(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    flush(path.parent)
    return path


class Journal:
    """The worker's side: append intents before dispatch, entries at the end. Nothing here blocks.

    Every intent sets space aside for its entry, so that what was sent can always be settled: only `intend` can be
    refused.
    """

    def __init__(self, slots: Path) -> None:
        self._slots = _map(slots)
        self._free = list(range(SLOT_COUNT - 1, -1, -1))
        self._intents = [0] * SLOT_COUNT  # the sequence of the intent that holds a slot
        self._segments: deque[tuple[Path, mmap.mmap]] = deque()
        self._map: mmap.mmap | None = None
        self._size = 0
        self._at = 0
        self._sequence = 0
        self._open = 0  # intents whose entry is not written yet
        self._spare = 0  # bytes in segments not begun
        self._margin = OPEN_MARGIN  # records for which there must be room beside the entries of open intents
        self._held = self._doubted = False
        # `strict`: somebody brings it to the disk, and is told here of files written into since (`clean`),
        # the present one last.
        self.strict = False
        self.unsynced: list[Path] = []
        self.begun = 0  # segments begun

    def add_segment(self, path: Path) -> None:
        """A segment the keeper has made."""
        mapped = _map(path)
        self._segments.append((path, mapped))
        self._spare += len(mapped) - HEADER.size - MAX_RECORD

    @property
    def spares(self) -> int:
        """Segments not begun yet."""
        return len(self._segments)

    @property
    def open(self) -> int:
        """Attempts under way."""
        return self._open

    def intend(self, intent: Intent) -> None:
        """Write that an attempt is about to be sent. `intent.slot` comes from `take_slot`.

        Raises Fault unavailable when there is no room: then nothing may be sent.
        """
        room = self._size - self._at + self._spare
        if room < (self._open + self._margin) * MAX_RECORD:
            raise Fault("unavailable", "The gateway cannot record calls just now, so it makes none.", retry_after=1.0)
        self._append(KIND_INTENT, 0, _encode(intent))
        self._open += 1
        self._intents[intent.slot] = self._sequence
        SLOT.pack_into(self._slots, intent.slot * SLOT_SIZE, self._sequence, 0, 0, 0, 0, 0, 0, self._sequence)

    def hold(self, held: bool) -> None:
        """Admit no more attempts, or do again. Those under way have their room."""
        self._held = held
        self._margin = HELD_MARGIN if held or self._doubted else OPEN_MARGIN

    def doubt(self, doubted: bool) -> None:
        """As `hold`, for another reason: it is not known whether the disk takes what is written."""
        self._doubted = doubted
        self._margin = HELD_MARGIN if doubted or self._held else OPEN_MARGIN

    def clean(self, files: int) -> None:
        """So many of `unsynced`, the first ones, are on the disk; the file that is being written stays."""
        del self.unsynced[: max(min(files, len(self.unsynced) - 1), 0)]

    def touch(self) -> None:
        """Change the unsynced files' pages without changing them: the kernel takes those whose writing has failed for
        clean, and would not write them again.
        """
        for path in self.unsynced[:-1]:
            try:
                mapped = _map(path)
            except FileNotFoundError:
                continue  # it is in the store, and gone
            _touch(mapped, len(mapped))
            mapped.close()
        if self._map is not None:
            _touch(self._map, self._at)

    def take_slot(self) -> int:
        """A progress slot for an attempt. Raises Fault unavailable when all are taken."""
        if not self._free:
            raise Fault("unavailable", "The gateway has as many calls open as it can record.", retry_after=1.0)
        return self._free.pop()

    def free_slot(self, slot: int) -> None:
        """Give a slot back whose intent was refused."""
        self._free.append(slot)

    def progress(self, slot: int, received: int, content: int) -> None:
        """Write over what an attempt has received so far, in bytes."""
        struct.pack_into("<qq", self._slots, slot * SLOT_SIZE + 8, received, content)

    def usage(self, slot: int, tokens_in: int, tokens_out: int, cached: int) -> None:
        """Write the tokens that upstream has told."""
        at = slot * SLOT_SIZE
        struct.pack_into("<qqq", self._slots, at + 24, tokens_in, tokens_out, cached)
        struct.pack_into("<I", self._slots, at + 4, USAGE_SEEN)

    def settle(self, entry: Entry, slot: int) -> None:
        """Write an attempt's entry; its slot is free afterwards."""
        self._append(KIND_ENTRY, self._intents[slot], _encode(entry))
        self._open -= 1
        self._free.append(slot)

    def note(self, entry: Entry) -> None:
        """Write the entry of a call that had no attempt. Raises Fault unavailable when there is no room."""
        if self._size - self._at + self._spare < (self._open + self._margin) * MAX_RECORD:
            raise Fault("unavailable", "The gateway cannot record calls just now.", retry_after=1.0)
        self._append(KIND_ENTRY, 0, _encode(entry))

    def close(self) -> None:
        """Let the files go."""
        for mapped in (self._slots, self._map, *[segment for _, segment in self._segments]):
            if mapped is not None:
                mapped.close()

    def _append(self, kind: int, answers: int, body: bytes) -> None:
        length = len(body)
        at = self._at
        end = at + BODY_AT + length
        # The last length of a segment stays zero, so that a reader finds its end.
        if end + RECORD.size > self._size:
            self._begin_segment()
            at = self._at
            end = at + BODY_AT + length
        mapped = self._map
        assert mapped is not None
        self._sequence = sequence = (self._sequence + 1) & 0xFFFFFFFF
        checked = CHECKED.pack(sequence, answers, kind) + body
        mapped[at + RECORD.size : end] = checked
        RECORD.pack_into(mapped, at, zlib.crc32(checked), length)  # in this order: the length is the last to be written
        self._at = (end + 7) & ~7

    def _begin_segment(self) -> None:
        if not self._segments:
            raise Fault("unavailable", "The gateway's journal is full.", retry_after=1.0)
        path, self._map = self._segments.popleft()
        if self.strict:
            self.unsynced.append(path)
        self._size = len(self._map)
        self._spare -= self._size - HEADER.size - MAX_RECORD
        self._at = HEADER.size
        self.begun += 1


def _map(path: Path) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def _touch(mapped: mmap.mmap, size: int) -> None:
    for at in range(0, size, mmap.PAGESIZE):
        mapped[at] = mapped[at]


class SegmentReader:
    """The keeper's side: read a segment that may still be written to. `offset` is where the next record will stand."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(fd, os.fstat(fd).st_size, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        begin = self._map[: HEADER.size + RECORD.size]
        if len(begin) < HEADER.size + RECORD.size or begin[: len(MAGIC)] != MAGIC:
            self._map.close()
            raise ValueError(f"{path.name} is not a journal segment: it begins with {begin[: len(MAGIC)]!r}")
        _, self.epoch, self.number = HEADER.unpack_from(begin)
        self.size = len(self._map)
        self.offset = HEADER.size
        self.damaged = False

    def records(self) -> Iterator[Record]:
        """As `scan`, one by one."""
        while found := self.scan(1):
            yield Record(*found[0])

    def scan(self, most: int) -> list[tuple[int, int, int, bytes, int]]:
        """The records (the fields of `Record`) that have been written since the last look, `most` at most. A damaged
        one ends the reading (`damaged`).

        One that is being written just now may look damaged too, to this look; the next one finds it whole.
        """
        self.damaged = False
        mapped = self._map
        size = len(mapped)
        found: list[tuple[int, int, int, bytes, int]] = []
        at = self.offset
        while at + BODY_AT <= size and len(found) < most:
            checksum, length = RECORD.unpack_from(mapped, at)
            if length == 0:
                break
            start = at + BODY_AT
            checked = mapped[at + RECORD.size : start + length]
            if len(checked) != CHECKED.size + length or zlib.crc32(checked) != checksum:
                self.damaged = True
                break
            sequence, answers, kind = CHECKED.unpack_from(checked)
            at = (start + length + 7) & ~7
            found.append((sequence, answers, kind, checked[CHECKED.size :], at))
        self.offset = at
        return found

    @property
    def begun(self) -> bool:
        """Whether anything stands in it."""
        return self.offset > HEADER.size or RECORD.unpack_from(self._map, HEADER.size)[1] != 0

    def close(self) -> None:
        """Let the file go."""
        self._map.close()


def read_intent(body: bytes) -> Intent:
    """A record's intent. Raises msgspec.DecodeError."""
    return _intent.decode(body)


def read_entry(body: bytes) -> Entry:
    """A record's entry. Raises msgspec.DecodeError."""
    return _entry.decode(body)


def read_slot(path: Path, slot: int) -> Progress:
    """What a slot holds, for settling the attempts of a worker that died. Sequence 0: it was just being given away."""
    with path.open("rb") as file:
        file.seek(slot * SLOT_SIZE)
        data = file.read(SLOT.size)
    sequence, flags, received, content, tokens_in, tokens_out, cached, again = SLOT.unpack(data)
    return Progress(
        sequence if sequence == again else 0, bool(flags & USAGE_SEEN), received, content, tokens_in, tokens_out, cached
    )
