"""The process log: every event is known, every line is one line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from encke.telemetry.events import EVENTS, LEVELS, ProcessLog

SRC = Path(__file__).parents[2] / "src" / "encke"
# `tell("x"`, `log("x"`, `trouble("x"`, `PROCESS_LOG.write("x"`, and names chosen between two.
_CALLS = re.compile(r'(?:tell|log|trouble|LOG\.write)\(\s*"([a-z_]+)"(?: if [a-z_]+ else "([a-z_]+)")?')
_CHOSEN = re.compile(r'event = "([a-z_]+)" if [a-z_]+ else "([a-z_]+)"')


def test_every_event_is_in_the_table() -> None:
    """What the code tells stands there, and nothing stands there that no code tells."""
    told: set[str] = set()
    for path in SRC.rglob("*.py"):
        text = path.read_text("utf-8")
        told |= {name for match in [*_CALLS.findall(text), *_CHOSEN.findall(text)] for name in match if name}
    assert told == set(EVENTS)


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    """One object a line, with its level, whatever is in the fields."""
    log = ProcessLog()
    log.write("stopping", {"grace": 30}, "supervisor")
    log.write("config_refused", {"problems": ["a\nb", 'c "d"'], "generation": 1}, "supervisor")
    first, second = map(json.loads, capfd.readouterr().err.splitlines())
    assert (first["level"], first["role"], first["event"], first["grace"]) == ("info", "supervisor", "stopping", 30)
    assert first["pid"] == os.getpid() and first["time"].endswith("Z")
    assert second["level"] == "error" and second["problems"] == ["a\nb", 'c "d"']


def test_text(capfd: pytest.CaptureFixture[str]) -> None:
    """One line for people; what has spaces or line ends in it is quoted."""
    log = ProcessLog()
    log.use("text", "info")
    log.write("child_ended", {"child": "worker", "status": -9, "reason": "two\nlines"}, "supervisor")
    (line,) = capfd.readouterr().err.splitlines()
    assert re.fullmatch(
        rf'\S+Z ERROR supervisor\[{os.getpid()}\] child_ended child=worker status=-9 reason="two\\nlines"', line
    )


@pytest.mark.parametrize("level", LEVELS)
def test_levels(capfd: pytest.CaptureFixture[str], level: str) -> None:
    """What is less serious is left out."""
    log = ProcessLog()
    log.use("json", level)
    for name in EVENTS:
        log.write(name, {}, "keeper")
    found = [json.loads(line)["level"] for line in capfd.readouterr().err.splitlines()]
    kept = LEVELS[LEVELS.index(level) :]
    assert set(found) == set(kept) and len(found) == sum(event.level in kept for event in EVENTS.values())
