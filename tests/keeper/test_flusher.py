"""Journals come to the disk every 50 ms, whatever else the keeper does."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from encke.keeper.flusher import FLUSH_SECONDS, SELDOM, Flusher

Events = list[tuple[str, dict[str, object]]]


@pytest.fixture
def events() -> Events:
    """What was told."""
    return []


@pytest.fixture
def flusher(events: Events) -> Iterator[Flusher]:
    """One that is stopped at the end."""

    def tell(event: str, fields: Mapping[str, object]) -> None:
        events.append((event, dict(fields)))

    flusher = Flusher(tell)
    yield flusher
    if flusher._thread.is_alive():
        flusher.stop()


def files(folder: Path, count: int) -> list[Path]:
    """So many files."""
    paths = [folder / f"{number}.seg" for number in range(count)]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_flushes_in_time_while_the_main_thread_is_busy(
    tmp_path: Path, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is flushed again and again, and as often as the others, while the keeper's own thread waits for the
    store."""
    paths = files(tmp_path, 3)
    flushed: Counter[int] = Counter()
    real = os.fdatasync

    def count(fd: int) -> None:
        real(fd)
        flushed[os.fstat(fd).st_ino] += 1

    monkeypatch.setattr(os, "fdatasync", count)
    flusher.watch(paths)
    flusher.start()
    ends = time.monotonic() + 60
    while sum(flushed.values()) < 60:  # how fast is the disk's affair
        assert time.monotonic() < ends, flushed
        time.sleep(FLUSH_SECONDS)
    flusher.stop()
    assert flushed.keys() == {path.stat().st_ino for path in paths}
    # With the round that was under way, and the last one.
    assert max(flushed.values()) - min(flushed.values()) <= 2, flushed


def test_files_that_are_gone(tmp_path: Path, flusher: Flusher, events: Events) -> None:
    """One that was removed is no trouble, one no longer watched is let go, and a last flush comes at the end."""
    first, second, third = files(tmp_path, 3)
    flusher.watch([first, second])
    flusher.flush()
    second.unlink()
    third.unlink()
    flusher.watch([second, third])
    flusher.flush()
    assert flusher._files.keys() == {second} and events == []
    before = len(os.listdir("/proc/self/fd"))
    flusher.start()
    flusher.stop()
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_what_changes_all_the_time_is_flushed_seldom(
    tmp_path: Path, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every twentieth round."""
    often, seldom = files(tmp_path, 2)
    flushed: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: flushed.append(os.fstat(fd).st_ino))
    flusher.watch([often], [seldom])
    for _ in range(2 * SELDOM):
        flusher.flush()
    assert flushed.count(often.stat().st_ino) == 2 * SELDOM and flushed.count(seldom.stat().st_ino) == 2
    flusher.watch([])
    flusher.flush()
    assert not flusher._files


def test_a_disk_that_fails_is_told_once(
    tmp_path: Path, flusher: Flusher, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told when it begins, and again when it begins anew; the thread goes on."""
    flusher.watch(files(tmp_path, 1))

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", fail)
            flusher.flush()
            flusher.flush()
        flusher.flush()
    assert events == [("journal_not_flushed", {"file": "0.seg", "reason": "Input/output error"})] * 2
