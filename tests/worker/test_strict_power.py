"""Strict durability and the power: whoever was told of an end has its entry on the disk, whatever else is lost.

The disk is a model, page by page. A page that has been written into is dirty; a sync brings the dirty pages of a file
to the disk as they were some time since it began, a failed one brings some of them and calls the others clean all the
same, as Linux does; a power cut leaves of each dirty page any state since it was last clean, and of a clean one what
the disk has. What decides which files are synced, and when, is the real thing.
"""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from encke.http.drive import Signal
from encke.keeper.shipper import find_journals
from encke.ledger.journal import KIND_ENTRY, Journal, SegmentReader, make_segment, make_slots, slots_path
from encke.worker.syncing import GroupSync
from tests.conftest import Count, Size
from tests.ledger.test_journal import entry, intent

SEGMENTS, SEGMENT_SIZE, PAGE = 6, 16 * 1024, mmap.PAGESIZE


class Disk:
    """What the kernel has of some files, and what the disk has."""

    def __init__(self, paths: list[Path]) -> None:
        self._files = {path: path.open("rb") for path in paths}
        self.disk = {path: self._now(path) for path in paths}
        self._seen = {path: list(pages) for path, pages in self.disk.items()}
        self._dirty: dict[tuple[Path, int], list[bytes]] = {}  # all states since the page was clean

    def _now(self, path: Path) -> list[bytes]:
        file = self._files[path]
        file.seek(0)
        data = file.read(SEGMENT_SIZE)
        return [data[at : at + PAGE] for at in range(0, SEGMENT_SIZE, PAGE)]

    def look(self) -> None:
        """What has been written since the last look makes pages dirty."""
        for path, seen in self._seen.items():
            for number, page in enumerate(self._now(path)):
                if page != seen[number]:
                    seen[number] = page
                    self._dirty.setdefault((path, number), []).append(page)

    def touch(self, paths: list[Path]) -> None:
        """Pages that hold something are dirty, though nothing has changed."""
        for path in paths:
            for number, page in enumerate(self._seen[path]):
                if page.strip(b"\0"):
                    self._dirty.setdefault((path, number), []).append(page)

    def sync(self, path: Path, rng: random.Random, works: bool) -> None:
        """Its dirty pages are written, or only some, and all of them are clean."""
        for key in [key for key in self._dirty if key[0] == path]:
            states = self._dirty.pop(key)
            if works or rng.random() < 0.4:
                self.disk[path][key[1]] = states[-1]

    def cut(self, folder: Path, rng: random.Random) -> None:
        """The files as the power leaves them."""
        lucky = rng.choice((0.1, 0.5, 0.9))
        for path, pages in self.disk.items():
            image = [
                rng.choice(states) if (states := self._dirty.get((path, number))) and rng.random() < lucky else page
                for number, page in enumerate(pages)
            ]
            (folder / path.name).write_bytes(b"".join(image))

    def close(self) -> None:
        """Let the files go."""
        for file in self._files.values():
            file.close()


class Orders:
    """Stands in for the thread: what it is to sync is done when the test says so."""

    def __init__(self) -> None:
        self.paths: list[Path] | None = None

    def put(self, paths: list[Path] | None) -> None:
        """The next order."""
        self.paths = paths


class Life:
    """A worker's journal with its syncs, seeded, up to a power cut."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        make_slots(folder, 1)
        self.paths = [make_segment(folder, 1, number, SEGMENT_SIZE) for number in range(1, SEGMENTS + 1)]
        self.disk = Disk(self.paths)
        self.journal = Journal(slots_path(folder, 1))
        for path in self.paths:
            self.journal.add_segment(path)
        self.sync = GroupSync(self.journal, self._tell)
        self.sync._orders.put(None)  # the thread's end
        self.orders = Orders()
        self.sync._orders = self.orders  # type: ignore[assignment]
        self.waiting: dict[str, Signal[None]] = {}
        self.told: set[str] = set()  # calls whose callers have seen the end
        self.counts: Counter[str] = Counter()

    def _tell(self, event: str, fields: Mapping[str, object]) -> None:
        self.counts[event] += 1

    def run(self) -> None:
        """Until the journal is nearly full, or the power goes."""
        rng, number = self.rng, 0
        under_way: list[tuple[int, int]] = []
        until = rng.randrange(20, 700)
        for _ in range(until):
            dice = rng.random()
            if self.journal.begun == SEGMENTS:
                break
            if self.orders.paths is not None and dice < 0.25:
                self._finish(rng.random() < 0.9)
            elif self.sync._troubled and self.orders.paths is None and dice < 0.5:
                self._again()
            elif len(under_way) < 6 and dice < 0.6 and not self.sync._troubled:
                slot = self.journal.take_slot()
                self.journal.intend(intent(number, slot))
                under_way.append((number, slot))
                number += 1
            elif under_way:
                done, slot = under_way.pop(rng.randrange(len(under_way)))
                self.journal.settle(entry(done), slot)
                self.waiting[f"call-{done:06d}"] = self.sync.wait()
            self.disk.look()

    def _again(self) -> None:
        if self.sync._timer is not None:
            self.sync._timer.cancel()
        self.disk.look()
        self.disk.touch(self.journal.unsynced)
        self.sync._again()

    def _finish(self, works: bool) -> None:
        """The sync under way ends; files are synced one after the other, and the first failure is the end of it."""
        paths, self.orders.paths = self.orders.paths, None
        assert paths is not None
        self.disk.look()
        error: OSError | None = None
        bad = len(paths) if works else self.rng.randrange(len(paths))
        for at, path in enumerate(paths):
            self.disk.sync(path, self.rng, at != bad)
            if at == bad:
                error = OSError(errno.EIO, "Input/output error")
                break
        self.sync._done(len(paths), error)
        for call, signal in list(self.waiting.items()):
            if signal.ready:
                del self.waiting[call]
                if signal._error is None:
                    self.told.add(call)
                self.counts["told" if signal._error is None else "refused"] += 1


def test_what_was_told_outlives_the_power(
    tmp_path: Path, size: Size, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 100 moments (3,000 with --soak), syncs that fail among them: every call whose end was told has its entry in
    what the power leaves, and the keeper finds it."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # of new files, thousands of times; the disk here is a model
    total: Counter[str] = Counter()

    async def live(folder: Path, seed: int) -> Life:
        life = Life(folder, seed)
        life.run()
        if life.sync._timer is not None:
            life.sync._timer.cancel()
        return life

    for seed in range(size(100, soak=3000)):
        folder, after = tmp_path / f"{seed}", tmp_path / f"{seed}-after"
        folder.mkdir()
        after.mkdir()
        life = asyncio.run(live(folder, seed))
        life.disk.cut(after, life.rng)
        written, found = 0, set()
        for path in life.paths:
            for where in (path, after / path.name):
                reader = SegmentReader(where)
                calls = [record.value.call for record in reader.records() if record.kind == KIND_ENTRY]
                reader.close()
                if where == path:
                    written += len(calls)
                else:
                    found.update(calls)
        (journal,), damaged = find_journals(after)
        journal.read()
        kept = {one.call for one in journal.pending}
        journal.remove()
        life.disk.close()
        life.journal.close()
        assert damaged == [] and life.told <= kept, (seed, sorted(life.told - kept))
        total.update(life.counts)
        total.update({"lost, and nobody was told": written - len(kept), "read": len(kept)})
    count(
        f"power, strict: {size(100, soak=3000)} cuts: {', '.join(f'{n} {what}' for what, n in sorted(total.items()))}"
    )
    assert total["refused"] and total["lost, and nobody was told"] and total["journal_synced"], "nothing was risked"
