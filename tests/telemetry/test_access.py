"""The access log: one whole line for each call, and never a call's time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec

from encke.telemetry.access import AccessLine, AccessLog, Stamp

LINE = AccessLine("2026-01-31T12:00:00.000Z", "id", "127.0.0.1", "GET", "/v1/models", 200, 1.5, code="")


def test_a_line_is_one_json_object(tmp_path: Path) -> None:
    """Appended, with what is empty left out."""
    path = tmp_path / "access.jsonl"
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    log = AccessLog(fd)
    log.write(LINE)
    log.write(msgspec.structs.replace(LINE, path='/a"b\n', model="m"))
    os.close(fd)
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert first.items() >= {"request_id": "id", "path": "/v1/models", "status": 200, "duration_ms": 1.5}.items()
    assert "code" not in first and (second["path"], second["model"]) == ('/a"b\n', "m")


def test_a_reader_that_has_stopped_costs_lines_only() -> None:
    """A full pipe is noticed without waiting; when it is read again, lines go on."""
    read, write = os.pipe()
    log = AccessLog(write)
    for _ in range(2000):
        log.write(LINE)
    assert log.dropped
    dropped = log.dropped
    kept = os.read(read, 1 << 20)
    assert kept.endswith(b"}\n") and all(json.loads(line) for line in kept.splitlines())
    log.write(LINE)
    assert log.dropped == dropped
    os.close(read)
    os.close(write)


def test_a_reader_that_has_gone_costs_lines_only() -> None:
    """A broken pipe is no error of a call."""
    read, write = os.pipe()
    os.close(read)
    log = AccessLog(write)
    log.write(LINE)
    assert log.dropped == 1
    os.close(write)


def test_off_writes_nothing() -> None:
    """Nobody wants lines, nobody makes them."""
    log = AccessLog(None)
    log.write(LINE)
    assert log.off and not log.dropped


def test_times_are_utc_with_milliseconds() -> None:
    """Within a second, across one, and backwards."""
    stamp = Stamp()
    assert [stamp.of(ms) for ms in (1_769_860_800_007, 1_769_860_800_999, 1_769_860_801_000, 0)] == [
        "2026-01-31T12:00:00.007Z",
        "2026-01-31T12:00:00.999Z",
        "2026-01-31T12:00:01.000Z",
        "1970-01-01T00:00:00.000Z",
    ]
