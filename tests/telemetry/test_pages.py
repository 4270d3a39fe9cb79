"""Sheets in shared memory: whole or not at all, whoever dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from encke.supervise.board import FIRST, GONE, Board
from encke.telemetry.metrics import Sheet, merge
from encke.telemetry.pages import HALF, HEAD, PAGE, Pages, make_pages


@pytest.fixture
def fd() -> Iterator[int]:
    """Four pages."""
    made = make_pages(4)
    yield made
    os.close(made)


def sheet(count: float, filler: int = 0) -> Sheet:
    """A sheet with one counter, the same number in many places."""
    return Sheet({"encke_errors_total": {"": count, **{f"n{n}": count for n in range(filler)}}}, {"g": {"": 1.0}})


def counted(sheets: list[Sheet]) -> float:
    """The counter's sum."""
    return merge(sheets).counters.get("encke_errors_total", {}).get("", 0.0)


def test_written_and_read(fd: int) -> None:
    """Each page has its own; empty ones are nobody's; the last sheet is the one."""
    writer, reader = Pages(fd), Pages(fd)
    assert reader.read_all() == []
    for number in (1.0, 2.0, 3.0):
        assert writer.write(2, sheet(number))
    writer.write(0, sheet(10.0))
    assert counted(reader.read_all()) == 13.0
    writer.clear(2)
    assert counted(reader.read_all()) == 10.0


def test_too_large_leaves_the_one_before(fd: int) -> None:
    """And says so."""
    pages = Pages(fd)
    assert pages.write(1, sheet(1.0)) and not pages.write(1, sheet(2.0, 100_000))
    assert counted(pages.read_all()) == 1.0


def test_garbage_is_no_sheet(fd: int) -> None:
    """What is damaged counts as nothing."""
    pages = Pages(fd)
    pages.write(1, sheet(1.0))
    os.pwrite(fd, b"\xff" * 64, HEAD + PAGE + HEAD + 8)
    assert pages.read(1) is None and HALF > 64


def test_a_writer_killed_at_any_moment(fd: int) -> None:
    """Twenty writers are killed in the midst of it: what is read is always one whole sheet."""
    pages = Pages(fd)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            number = 0.0
            while True:
                number += 1.0
                pages.write(3, sheet(number, 2000))
        timer = threading.Timer(0.02, os.kill, (child, signal.SIGKILL))
        timer.start()
        os.waitpid(child, 0)
        timer.join()
        found = pages.read(3)
        assert found is None or len(set(found.counters["encke_errors_total"].values())) == 1
    assert pages.read(3) is not None


def test_what_the_dead_had_counted_is_counted_on() -> None:
    """A page that is given back moves into the sum, and no reader ever sees it twice or not at all."""
    board = Board(4)
    reader, seen = Pages(board.fd), set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(counted(reader.read_all()))

    held = board.take()
    Pages(board.fd).write(held, sheet(1000.0, 500))
    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(200):
        board.give_back(held)
        assert counted(reader.read_all()) >= 1000.0
        held = board.take()
    stop.set()
    thread.join()
    assert seen <= {1000.0} and GONE < FIRST <= held
    gone = reader.read(GONE)
    assert gone is not None and gone.gauges == {}  # a dead process has no connections


def test_more_processes_than_pages() -> None:
    """One that finds none does without."""
    board = Board(1)
    assert board.take() == FIRST and board.take() == -1
    board.give_back(-1)
    board.give_back(FIRST)
    assert board.take() == FIRST
