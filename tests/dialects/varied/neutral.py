"""Variations that say the same: JSON and framing in other ways, and what every careful reader passes over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.dialects.varied.stream import framed

# Objects that are the model's or the caller's own: nothing in them is the wire's.
OPAQUE = frozenset(
    {"arguments", "input", "args", "schema", "parameters", "metadata", "partialArgs", "request", "instructions",
     "tools", "logit_bias", "headers", "document", "results"}
)  # fmt: skip
Vary = Callable[[str, list[Any], Random], list[Any]]
Frame = Callable[[str, list[Any], Random], bytes]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of the wire in a value, outermost first."""
    if isinstance(value, dict):
        yield value
        for name, held in value.items():
            if name not in OPAQUE or (isinstance(held, list) and name != "tools"):
                yield from objects(held)
    elif isinstance(value, list):
        for held in value:
            yield from objects(held)


def mapped(value: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    """The value with every leaf and object of the wire changed, innermost first."""
    if name in OPAQUE and isinstance(value, dict):
        return value
    if isinstance(value, dict):
        value = {key: mapped(held, change, key) for key, held in value.items()}
    elif isinstance(value, list):
        value = [mapped(held, change, name) for held in value]
    return change(name, value)


def shuffled(op: str, values: list[Any], chance: Random) -> list[Any]:
    """Fields in another order."""

    def change(_: str, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        pairs = list(value.items())
        chance.shuffle(pairs)
        return dict(pairs)

    return [mapped(value, change) for value in values]


_STRANGE: tuple[Any, ...] = (None, True, 7, -0.5, "x", "", [], {}, [None], {"type": "x", "text": "no"}, [[{"a": 1}]])


def extra(op: str, values: list[Any], chance: Random) -> list[Any]:
    """Fields that nobody knows, of every type."""

    def change(_: str, value: Any) -> Any:
        if not isinstance(value, dict) or chance.random() < 0.4:
            return value
        added = {f"x_{chance.choice('abcdef')}_new": chance.choice(_STRANGE) for _ in range(2)}
        return {**added, **value} if chance.random() < 0.5 else {**value, **added}

    return [mapped(value, change) for value in values]


def floats(op: str, values: list[Any], chance: Random) -> list[Any]:
    """Whole numbers as 12.0."""
    return [
        mapped(one, lambda _, held: float(held) if type(held) is int and abs(held) < 1 << 50 else held)
        for one in values
    ]


def no_nulls(op: str, values: list[Any], chance: Random) -> list[Any]:
    """What is null is not there."""

    def change(_: str, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    return [mapped(value, change) for value in values]


# What stands around an answer and is of no use to it.
_IDLE = frozenset(
    {"object", "system_fingerprint", "service_tier", "created", "created_at", "createTime", "obfuscation", "p",
     "sequence_number", "provider", "prompt_filter_results", "content_filter_results", "x_groq_id", "safetyRatings",
     "modelVersion", "responseId", "role", "total_duration", "load_duration", "eval_duration", "prompt_eval_duration"}
)  # fmt: skip


def bare(op: str, values: list[Any], chance: Random) -> list[Any]:
    """What nothing hangs on is left out."""

    def change(_: str, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v for k, v in value.items() if k not in _IDLE}

    return [mapped(value, change) for value in values]


_NOISE: dict[str, tuple[Any, ...]] = {
    "chat": (
        {"object": "chat.completion.chunk", "choices": []},
        {"id": "x", "choices": [], "usage": None},
        {"choices": None},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": None, "tool_calls": []}, "finish_reason": ""}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"type": "ping"},
        {},
    ),
    "messages": ({"type": "ping"}, {"type": "heartbeat", "index": 0, "delta": {"type": "text_delta", "text": "no"}}),
    "responses": (
        {"type": "keepalive", "sequence_number": 3},
        {"type": "response.new_thing.delta", "output_index": 0, "item_id": "x", "content_index": 0, "delta": "no"},
        {"type": "codex.rate_limits", "plan_type": "x"},
    ),
    "generate": (
        {},
        {"candidates": []},
        {"candidates": [{"content": {"role": "model", "parts": []}}]},
        {"candidates": [{"content": {"role": "model"}}]},
        {"candidates": [{"index": 0}]},
        {"candidates": [{"content": {"parts": [{}]}}]},
        {"candidates": [{"content": {"parts": [{"videoMetadata": {"fps": 1}}]}}]},
        {"candidates": None},
    ),
    "cohere_chat": (
        {"type": "debug", "prompt": "no"},
        {"type": "new-thing", "index": 0, "delta": {"message": {"x": 1}}},
    ),
    "ollama_chat": (
        {"model": "x", "message": {"role": "assistant", "content": ""}, "done": False},
        {"status": "loading"},
        {"message": None, "done": False},
    ),
}  # fmt: skip
_NOISE["mistral_chat"] = _NOISE["chat"]


def noise(op: str, values: list[Any], chance: Random) -> list[Any]:
    """Events that say nothing, or that nobody knows, between the others (before the end)."""
    found: list[Any] = []
    for number, value in enumerate(values):
        if number and chance.random() < 0.5:
            found.append(chance.choice(_NOISE[op]))
        found.append(value)
    return found


def strangers(op: str, values: list[Any], chance: Random) -> list[Any]:
    """Values between the others that are no objects at all."""
    found: list[Any] = []
    for number, value in enumerate(values):
        if number and chance.random() < 0.3:
            found.append(chance.choice((None, 1, True, [], [{}])))
        found.append(value)
    return found


def as_json(**options: Any) -> Frame:
    """The same values, written by another library."""

    def frame(op: str, values: list[Any], chance: Random) -> bytes:
        return "".join(framed(op, value, lambda one: json.dumps(one, **options)) for value in values).encode()

    return frame


def crlf(op: str, values: list[Any], chance: Random) -> bytes:
    """Lines that end with CR LF."""
    return "".join(framed(op, value) for value in values).replace("\n", "\r\n").encode()


def dressed(op: str, values: list[Any], chance: Random) -> bytes:
    """A byte order mark, comments, ids, waits, blank lines; no blank after the colon, and no last line end."""
    made = ["\ufeff"]
    for number, value in enumerate(values):
        event = framed(op, value)
        if op == "ollama_chat":
            made.append(chance.choice(("", "\n", " \n")) + " " + event)
            continue
        made.append(
            chance.choice(("", ": comment\n\n", ":\n\n", "\n\n", "event: ping\n\n", "retry: 10\n", ": OPENROUTER\n\n"))
        )
        made.append(chance.choice((f"id: {number}\n", "", "x: y\n")))
        made.append(event.replace("data: ", "data:") if chance.random() < 0.5 else event)
    return "".join(made).rstrip("\n").encode() + (b"\n" if op == "ollama_chat" else b"\n\n")


def nameless(op: str, values: list[Any], chance: Random) -> bytes:
    """No names of events."""
    return "".join(framed("chat", value) for value in values).encode()


def several_lines(op: str, values: list[Any], chance: Random) -> bytes:
    """Data of several lines."""
    made = []
    for value in values:
        lines = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
        made.append("".join(f"data: {line}\n" for line in lines.split("\n")) + "\n")
    return "".join(made).encode()


ALL: dict[str, Vary] = {
    "fields in another order": shuffled,
    "unknown fields": extra,
    "whole numbers as floats": floats,
    "no nulls": no_nulls,
    "what nothing hangs on left out": bare,
}
STREAMS: dict[str, Vary] = {"events that say nothing": noise, "values that are no objects": strangers}
FRAMES: dict[str, Frame] = {
    "spaces": as_json(ensure_ascii=False),
    "escapes": as_json(ensure_ascii=True),
    "CR LF": crlf,
    "comments, ids, no blanks": dressed,
}
SSE_FRAMES: dict[str, Frame] = {"no names": nameless, "data of several lines": several_lines}
