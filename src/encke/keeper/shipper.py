"""Journals to the store: read what workers wrote, add it, then let it go; settle what dead workers left open.

Entries are added first and segments removed after, so a keeper that dies in between adds them again, which does
nothing: the store knows entries by (call, attempt). A segment goes only when nothing in it is open, so that the
settlement of a long call survives the keeper's restart too.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

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


class WorkerJournal:
    """The journal of one worker process, known by its epoch. `linked` while the worker is connected."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self.epoch = epoch
        self.linked = False
        self._folder = folder
        self._readers: dict[int, SegmentReader] = {}
        self._open: dict[int, tuple[bytes, int]] = {}  # an intent's sequence to the intent, unread, and its segment
        self._pending: list[Entry] = []  # read and not added to the store yet
        self._unsynced: set[int] = set()
        self.made = 0  # the highest segment

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
    def slots(self) -> Path:
        """The file of progress slots."""
        return slots_path(self._folder, self.epoch)

    def read(self) -> None:
        """Take in what the worker has written since the last time."""
        for number in sorted(self._readers):
            reader = self._readers[number]
            before = reader.offset
            for sequence, answers, kind, body, _ in reader.records():
                if kind == KIND_INTENT:
                    self._open[sequence] = (body, number)
                else:
                    self._open.pop(answers, None)
                    self._pending.append(read_entry(body))
            if reader.offset != before:
                self._unsynced.add(number)
            if not reader.begun:
                break  # nor are later ones

    def unsynced(self) -> list[Path]:
        """Segments with records that are not on the disk yet; asking counts as having them synced."""
        paths = [segment_path(self._folder, self.epoch, number) for number in self._unsynced]
        self._unsynced.clear()
        return paths

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
        numbers = sorted(self._readers)
        for number, following in pairwise(numbers):
            if number in needed or not self._readers[following].begun:
                return
            self._drop(number)

    def _drop(self, number: int) -> None:
        self._readers.pop(number).close()
        self._unsynced.discard(number)
        segment_path(self._folder, self.epoch, number).unlink(missing_ok=True)

    def dead(self) -> bool:
        """Whether the worker is gone: it holds a lock on its slots as long as it lives."""
        if self.linked:
            return False
        try:
            fd = os.open(self.slots, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True

    def settle_orphans(self) -> int:
        """The worker is dead: settle what it had under way from its slots. Returns how many there were."""
        self.read()
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

    @property
    def damage(self) -> list[str]:
        """Names of segments that end in a record that cannot be read."""
        return [
            segment_path(self._folder, self.epoch, number).name
            for number, reader in self._readers.items()
            if reader.damaged
        ]

    def remove(self) -> None:
        """Everything of it is in the store: take its files away."""
        for number in list(self._readers):
            self._drop(number)
        self.slots.unlink(missing_ok=True)


def find_journals(folder: Path) -> Iterable[WorkerJournal]:
    """The journals that an earlier keeper left."""
    found: dict[int, WorkerJournal] = {}
    for path in sorted(folder.iterdir()):
        if match := _NAME.fullmatch(path.name):
            epoch = int(match[1], 16)
            found.setdefault(epoch, WorkerJournal(folder, epoch)).adopt(int(match[2]))
        elif match := _SLOTS.fullmatch(path.name):
            found.setdefault(int(match[1], 16), WorkerJournal(folder, int(match[1], 16)))
        elif path.suffix == ".new":
            path.unlink(missing_ok=True)
    return found.values()


def new_journal(folder: Path, epoch: int, segments: int, size: int) -> WorkerJournal:
    """A journal for a worker that has just started. Raises OSError."""
    journal = WorkerJournal(folder, epoch)
    make_slots(folder, epoch)
    for _ in range(segments):
        journal.make(size)
    return journal
