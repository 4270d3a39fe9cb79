"""Journals to the store: read what workers wrote, add it, then let it go; settle what dead workers left open.

Entries are added first and segments removed after, so a keeper that dies in between adds them again, which does
nothing: the store knows entries by (call, attempt). A segment goes only when nothing in it is open, so that the
settlement of a long call survives the keeper's restart too; and when it was read after the worker had begun the next
one, so that nothing can have been written into it since.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
from pathlib import Path
from typing import Final

import msgspec

from encke.core.clock import now_ms
from encke.ledger.entry import Entry, Intent
from encke.ledger.journal import (
    KIND_INTENT,
    Progress,
    SegmentReader,
    make_segment,
    make_slots,
    read_entry,
    read_intent,
    read_slot,
    segment_path,
    slots_path,
)
from encke.ledger.settlement import settle_orphan

_NAME = re.compile(r"([0-9a-f]{16})-(\d{6})\.seg")
_SLOTS = re.compile(r"([0-9a-f]{16})\.slots")

# Entries of one journal read ahead of the store. While the store is away the rest waits where it is safe and costs no
# memory: in the journal.
MAX_PENDING: Final = 5000

FAR: Final = 1 << 62  # a moment that never comes


class WorkerJournal:
    """The journal of one worker process, known by its epoch. `linked` while the worker is connected."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self.epoch = epoch
        self.linked = False
        self._folder = folder
        self._readers: dict[int, SegmentReader] = {}
        self._open: dict[int, tuple[bytes, int]] = {}  # an intent's sequence to the intent, unread, and its segment
        self._pending: list[Entry] = []  # read and not added to the store yet
        self._finished: set[int] = set()  # segments read to their ends after the worker had left them
        self._oldest: dict[int, int] = {}  # a segment to when the first of its calls was received
        self.made = 0  # the highest segment
        self.whole = True  # the last `read` came to the end of what there was
        self.damage: list[str] = []  # names of segments with a record that cannot be read, to be told
        self._damaged: set[str] = set()  # the same, as long as they are there

    def adopt(self, number: int) -> None:
        """A segment that was there already."""
        self._readers[number] = SegmentReader(segment_path(self._folder, self.epoch, number))
        self.made = max(self.made, number)

    def make(self, size: int) -> Path:
        """One more segment. Raises OSError."""
        path = make_segment(self._folder, self.epoch, self.made + 1, size)
        self.adopt(self.made + 1)
        return path

    @property
    def segments(self) -> list[Path]:
        """The segments there are, oldest first."""
        return [segment_path(self._folder, self.epoch, number) for number in sorted(self._readers)]

    @property
    def oldest(self) -> int:
        """When the first was received of the calls whose entries lie here; `FAR` if there are none. UTC ms."""
        return min(self._oldest.values(), default=FAR)

    @property
    def used(self) -> bool:
        """Whether anything has been written into it."""
        return any(reader.begun for reader in self._readers.values())

    @property
    def slots(self) -> Path:
        """The file of progress slots."""
        return slots_path(self._folder, self.epoch)

    def read(self) -> None:
        """Take in what the worker has written since the last time; `whole` tells whether that was all."""
        numbers = sorted(self._readers)
        for at, number in enumerate(numbers):
            if number in self._finished:
                continue
            # Looked at before the reading: the worker may begin the next segment while this one is read.
            left = at + 1 < len(numbers) and self._readers[numbers[at + 1]].begun
            self._read_segment(number)
            if not self.whole or not left:
                return
            self._finished.add(number)
            self._note_damage(number)

    def _read_segment(self, number: int) -> None:
        reader, pending = self._readers[number], self._pending
        self.whole = False
        while (most := MAX_PENDING - len(pending)) > 0:
            found = reader.scan(most)
            for sequence, answers, kind, body, _ in found:
                if kind == KIND_INTENT:
                    self._open[sequence] = (body, number)
                    continue
                self._open.pop(answers, None)
                try:
                    entry = read_entry(body)
                    pending.append(entry)
                    if entry.started < self._oldest.get(number, FAR):
                        self._oldest[number] = entry.started
                except msgspec.DecodeError:  # whole, and not of this version
                    self._damage_in(number)
            if len(found) < most:
                self.whole = True
                return

    def _note_damage(self, number: int) -> None:
        if self._readers[number].damaged:
            self._damage_in(number)

    def _damage_in(self, number: int) -> None:
        name = segment_path(self._folder, self.epoch, number).name
        self.damage.append(name)
        self._damaged.add(name)

    @property
    def waiting(self) -> int:
        """Bytes of disk that hold what is not in the store yet, or the intents of long calls."""
        return sum(self._readers[number].size for number in self._finished)

    @property
    def pending(self) -> list[Entry]:
        """What is to be added to the store."""
        return self._pending

    def added(self, count: int) -> None:
        """The first `count` of `pending` are in the store."""
        del self._pending[:count]
        if not self._pending:
            self._trim()

    def _trim(self) -> None:
        """Remove the segments that the worker has left behind and that hold nothing open."""
        needed = {number for _, number in self._open.values()}
        for number in sorted(self._finished):
            if number in needed:
                return
            self._drop(number)

    def _drop(self, number: int) -> None:
        """Let a segment go; one with a record that could not be read is put aside, for whoever wants to look."""
        reader, path = self._readers.pop(number), segment_path(self._folder, self.epoch, number)
        reader.close()
        self._finished.discard(number)
        # What cannot be taken away just now (a folder that is read-only, a disk that fails) is tried again at the next
        # start: its entries are known there already.
        with contextlib.suppress(OSError):
            if path.name in self._damaged:
                self._damaged.discard(path.name)
                os.rename(path, path.with_name(path.name + ".damaged"))
            else:
                path.unlink(missing_ok=True)
            self._oldest.pop(number, None)

    def dead(self) -> bool:
        """Whether the worker is gone: it holds a lock on its slots as long as it lives."""
        if self.linked:
            return False
        try:
            fd = os.open(self.slots, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # it is not known: too many open files, say; it is looked at again
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True

    def settle_orphans(self) -> int:
        """The worker is dead: settle what it had under way from its slots. Returns how many there were.

        Does nothing before everything has been read (`whole`): the entry may be what comes next.
        """
        self.read()
        if not self.whole:
            return 0
        for number in self._readers.keys() - self._finished:
            self._note_damage(number)
        now = now_ms()
        orphans = list(self._open.items())
        for sequence, (body, _) in orphans:
            intent = read_intent(body)
            self._pending.append(settle_orphan(intent, self._progress(intent, sequence), now))
        self._open.clear()
        return len(orphans)

    def _progress(self, intent: Intent, sequence: int) -> Progress | None:
        try:
            progress = read_slot(self.slots, intent.slot)
        except (OSError, ValueError):
            return None
        return progress if progress.sequence == sequence else None

    def remove(self) -> None:
        """Everything of it is in the store: take its files away."""
        for number in list(self._readers):
            self._drop(number)
        with contextlib.suppress(OSError):
            self.slots.unlink(missing_ok=True)


def find_journals(folder: Path) -> tuple[list[WorkerJournal], list[str]]:
    """The journals that an earlier keeper left, and the names of files that cannot be read as one: these are kept
    beside, as NAME.damaged, so that they are in nobody's way. Raises OSError.
    """
    found: dict[int, WorkerJournal] = {}
    damaged: list[str] = []
    for path in sorted(folder.iterdir()):
        if match := _NAME.fullmatch(path.name):
            epoch = int(match[1], 16)
            journal = found.setdefault(epoch, WorkerJournal(folder, epoch))
            try:
                journal.adopt(int(match[2]))
            except (ValueError, struct.error):
                damaged.append(path.name)
                os.rename(path, path.with_name(path.name + ".damaged"))
        elif match := _SLOTS.fullmatch(path.name):
            found.setdefault(int(match[1], 16), WorkerJournal(folder, int(match[1], 16)))
        elif path.suffix == ".new":
            path.unlink(missing_ok=True)
    return list(found.values()), damaged


def new_journal(folder: Path, epoch: int, segments: int, size: int) -> WorkerJournal:
    """A journal for a worker that has just started. Raises OSError, and leaves nothing behind then."""
    journal = WorkerJournal(folder, epoch)
    try:
        make_slots(folder, epoch)
        for _ in range(segments):
            journal.make(size)
    except OSError:
        journal.remove()
        raise
    return journal
