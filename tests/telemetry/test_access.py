"""Access lines: whole lines in each write, and nobody who does not read them holds up a call."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from encke.telemetry.access import AccessLog, Stamp
from encke.telemetry.line import AccessLine


def line(number: int, **more: str) -> AccessLine:
    """A line, told apart by its request id."""
    return AccessLine("2026-01-01T00:00:00.000Z", f"r{number}", "127.0.0.1", "POST", "/v1/x", 200, 1.5, **more)  # type: ignore[arg-type]


def test_lines_in_a_file(tmp_path: Path) -> None:
    """Each line is one JSON object; what is empty is left out; several writers do not mix."""
    path = tmp_path / "access.log"
    logs = [AccessLog(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)) for _ in range(4)]

    def write(log: AccessLog, first: int) -> None:
        for number in range(first, first + 200):
            log.write(line(number, model="m" * (number % 50)))
        log.flush()

    threads = [threading.Thread(target=write, args=(log, at * 200)) for at, log in enumerate(logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [json.loads(text) for text in path.read_text().splitlines()]
    assert {one["request_id"] for one in found} == {f"r{number}" for number in range(800)} and len(found) == 800
    assert "code" not in found[0] and {log.dropped for log in logs} == {0}


def test_whole_lines_in_one_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is held goes out in a single write, each line with its end; nothing before that, nothing twice."""
    written: list[bytes] = []
    log = AccessLog(os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT))

    def write(fd: int, data: bytes) -> int:
        written.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    log.write(line(1, model='a"\n\u2028b'))
    log.write(line(2))
    assert not written and log.deadline == 0.0
    log.expire(1.0)
    log.flush()
    assert len(written) == 1 and written[0].endswith(b"}\n") and written[0].count(b"\n") == 2
    assert log.deadline == float("inf")


def test_many_lines_are_not_held_for_long(tmp_path: Path) -> None:
    """Without a look at the clock the lines go out when there are many."""
    path = tmp_path / "a"
    log = AccessLog(os.open(path, os.O_WRONLY | os.O_CREAT))
    for number in range(2000):
        log.write(line(number))
    held = 2000 - len(path.read_text().splitlines())
    assert 0 < held < 500


def test_a_pipe_gets_pieces_that_do_not_mix() -> None:
    """Into a pipe no write is larger than what the system keeps together, unless one line is."""
    read, write = os.pipe()
    log = AccessLog(write)
    sizes = [500, 3900, 100, 4090, 6000, 10, 10, 10]
    for number, size in enumerate(sizes):
        log.write(line(number, model="m" * size))
    pieces: list[bytes] = []
    whole = os.write

    def put(fd: int, data: bytes) -> int:
        pieces.append(data)
        return whole(fd, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", put)
        log.flush()
    assert all(len(piece) <= 4096 or piece.count(b"\n") == 1 for piece in pieces) and len(pieces) < len(sizes)
    assert [json.loads(text)["request_id"] for text in os.read(read, 1 << 16).splitlines()] == [
        f"r{number}" for number in range(len(sizes))
    ]
    os.close(read)
    os.close(write)


def test_stuck_reader_costs_lines_not_time() -> None:
    """A pipe that nobody reads fills up; then lines are dropped and counted, and writing never blocks."""
    read, write = os.pipe()
    log = AccessLog(write)

    def fill() -> None:
        for number in range(2000):
            log.write(line(number, model="m" * 500))
        log.flush()

    worker = threading.Thread(target=fill, daemon=True)
    worker.start()
    worker.join(10)
    assert not worker.is_alive()
    assert log.dropped > 1000
    data = os.read(read, 1 << 20)
    assert data.endswith(b"\n") and len(data.splitlines()) + log.dropped == 2000
    log.write(line(1))
    log.flush()
    assert json.loads(os.read(read, 4096))["request_id"] == "r1"
    os.close(read)
    os.close(write)


def test_reader_that_has_gone() -> None:
    """A pipe without a reader costs lines, no exception."""
    read, write = os.pipe()
    log = AccessLog(write)
    os.close(read)
    log.write(line(1))
    log.flush()
    assert log.dropped == 1
    os.close(write)


def test_off() -> None:
    """Without a target nothing is written."""
    log = AccessLog(None)
    log.write(line(1))
    log.flush()
    assert log.off and log.dropped == 0


def test_stamp() -> None:
    """Times are UTC with milliseconds, whichever order they come in."""
    stamp = Stamp()
    assert [stamp.of(ms) for ms in (0, 999, 1000, 1_700_000_000_007, 5)] == [
        "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.999Z", "1970-01-01T00:00:01.000Z",
        "2023-11-14T22:13:20.007Z", "1970-01-01T00:00:00.005Z",
    ]  # fmt: skip
