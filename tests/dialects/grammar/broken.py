"""Streams to test the checkers with: good ones made of events, and ways to break one."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

Events = list[Any]  # JSON values; a text goes out as it is


def sse(events: Events, *, named: bool = False) -> bytes:
    """The stream of these events, each with its type as its name if `named`."""
    lines = []
    for event in events:
        text = event if isinstance(event, str) else json.dumps(event)
        lines.append((f"event: {event['type']}\n" if named and isinstance(event, dict) else "") + f"data: {text}\n\n")
    return "".join(lines).encode()


def put(events: Events, at: int, path: str, value: Any) -> Events:
    """With another value at the path ("choices.0.delta") of event `at`."""
    events = copy.deepcopy(events)
    where, last = _walk(events[at], path)
    where[last] = value
    return events


def drop(events: Events, at: int, path: str = "") -> Events:
    """Without event `at`, or without what is at the path in it."""
    events = copy.deepcopy(events)
    if not path:
        del events[at]
    else:
        where, last = _walk(events[at], path)
        del where[last]
    return events


def insert(events: Events, at: int, *more: Any) -> Events:
    """With more events before event `at`."""
    return [*events[:at], *more, *events[at:]]


def _walk(value: Any, path: str) -> tuple[Any, Any]:
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        value = value[step]
    return value, last


def rules_of(module: str) -> set[str]:
    """The names of all rules that a checker's source has."""
    source = (Path(__file__).parent / f"{module}.py").read_text("utf-8")
    prefix = "frame" if module == "frames" else module
    return set(re.findall(rf'"({prefix}\.[a-z_0-9]+)"', source))
