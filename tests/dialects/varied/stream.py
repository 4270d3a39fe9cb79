"""A recorded answer as JSON values, and values framed again as a stream's bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from encke.testing.replay import Exchange
from tests.dialects.recorded.cases import Case, streamed
from tests.dialects.wires.facts import events, json_lines

# Wires whose events have a name of their own, which is their `type` again.
NAMED = frozenset({"messages", "responses", "cohere_chat"})
Dump = Callable[[Any], str]


def values_of(case: Case) -> list[Any]:
    """The values of a stream's events, or a whole answer as the only one. Raises ValueError."""
    if not case.exchange.stream:
        return [json.loads(case.exchange.body)]
    return json_lines(case.exchange.body) if case.op == "ollama_chat" else events(streamed(case))


def compact(value: Any) -> str:
    """JSON as most write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def framed(op: str, value: Any, dump: Dump = compact) -> str:
    """One event. The end mark is a text."""
    data = value if isinstance(value, str) else dump(value)
    if op == "ollama_chat":
        return data + "\n"
    if op in NAMED and isinstance(value, dict):
        return f"event: {value.get('type')}\ndata: {data}\n\n"
    return f"data: {data}\n\n"


def body_of(case: Case, values: list[Any]) -> bytes:
    """The values as a body of the same kind."""
    if not case.exchange.stream:
        return compact(values[0]).encode("utf-8", "surrogatepass")
    return "".join(framed(case.op, value) for value in values).encode("utf-8", "surrogatepass")


def with_body(case: Case, body: bytes) -> Case:
    """The same exchange with another answer."""
    record = case.exchange.record
    response = record["response"] | {"body": body.decode("utf-8", "surrogateescape"), "body_encoding": "utf-8"}
    return replace(case, exchange=Varied(record | {"response": response}))


class Varied(Exchange):
    """An exchange whose body need not be text."""

    @property
    def body(self) -> bytes:
        return str(self.record["response"]["body"]).encode("utf-8", "surrogateescape")


def chance(case: Case, name: str) -> random.Random:
    """The same chance for the same recording and variation."""
    return random.Random(f"{case.id} {name}")


def as_stream(case: Case, body: bytes) -> Case:
    """The exchange of a whole answer with a stream in its place."""
    return replace(case, exchange=Varied(with_body(case, body).exchange.record | {"stream": True}))
