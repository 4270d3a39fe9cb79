"""A disk for SQLite that remembers every write and flush, and can fail at any call: an apsw VFS.

`Disk` is made the default file system of SQLite for as long as it is open, so that the store is opened as always.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import apsw

SECTOR = 512
# What is not the content of a file that outlives the power.
_VOLATILE = ("-shm",)


class ShortRead(apsw.IOError):
    """At a read: half of it comes. At another call: an I/O error."""


@dataclass
class Event:
    """Something done to a file: `write` (data at an offset), `truncate` (to a size), `sync`, `delete`."""

    what: str
    path: str
    at: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """`log` has all events; `fail` is asked before every call and raises what shall happen there."""

    log: list[Event] = field(default_factory=list)
    fail: Callable[[str], None] = lambda call: None

    def __enter__(self) -> Self:
        self._vfs = _Vfs(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._vfs.unregister()

    def after_crash(self, until: int, folder: Path, rng: random.Random) -> None:
        """Write the files as they may be when the power goes after `until` events: what was flushed, and any of the
        rest, in any order, torn at sectors."""
        flushed: dict[str, bytearray] = {}
        waiting: dict[str, list[Event]] = {}
        for event in self.log[:until]:
            if event.what == "delete":
                # The folder is not flushed by us: SQLite does that where it matters to it.
                flushed.pop(event.path, None)
                waiting.pop(event.path, None)
                continue
            waiting.setdefault(event.path, [])
            if event.what == "sync":
                image = flushed.setdefault(event.path, bytearray())
                for one in waiting[event.path]:
                    _apply(image, one)
                waiting[event.path] = []
            else:
                waiting[event.path].append(event)
        early = rng.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for path, events in waiting.items():
            image = flushed.get(path, bytearray())
            kept = [event for event in events if rng.random() < early]
            if rng.random() < 0.5:
                rng.shuffle(kept)
            for event in kept:
                _apply_torn(image, event, rng)
            (folder / Path(path).name).write_bytes(image)


def _apply(image: bytearray, event: Event) -> None:
    if event.what == "truncate":
        del image[event.at :]
        return
    if len(image) < event.at:
        image.extend(bytes(event.at - len(image)))
    image[event.at : event.at + len(event.data)] = event.data


def _apply_torn(image: bytearray, event: Event, rng: random.Random) -> None:
    """Whole, or some of its sectors."""
    if event.what == "truncate" or rng.random() < 0.7:
        _apply(image, event)
        return
    for start in range(0, len(event.data), SECTOR):
        if rng.random() < 0.5:
            _apply(image, Event("write", event.path, event.at + start, event.data[start : start + SECTOR]))


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("broken-disk", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        self._disk.fail("open")
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.fail("delete")
        super().xDelete(filename, False)
        self._disk.log.append(Event("delete", filename))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("unix", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        try:
            self._disk.fail("read")
        except ShortRead:
            return super().xRead(amount, offset)[: amount // 2]
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.fail("write")
        super().xWrite(data, offset)
        if not self._path.endswith(_VOLATILE):
            self._disk.log.append(Event("write", self._path, offset, bytes(data)))

    def xSync(self, flags: int) -> None:
        self._disk.fail("sync")
        # The disk itself is left alone: what would be on it is known from the log, and here the power does not go.
        self._disk.log.append(Event("sync", self._path))

    def xTruncate(self, newsize: int) -> None:
        self._disk.fail("truncate")
        super().xTruncate(newsize)
        self._disk.log.append(Event("truncate", self._path, newsize))

    def xFileSize(self) -> int:
        self._disk.fail("size")
        return super().xFileSize()
