"""Recorded exchanges of a wire, and what a reader has read of a stream, put together."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from encke.core.chat import ChatReply, Citation, Text, Thinking, TokenLogprob, ToolCall
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    LOGPROBS,
    START,
    TEXT,
    THINKING,
    TOOL,
    USAGE,
    Delta,
)
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.port import Reader
from encke.framing.json_lines import JsonLinesSplitter
from encke.framing.sse import SseSplitter
from tests.support.recordings import folder


class Exchange(NamedTuple):
    """One of them. `request` is its body, None where the source has none."""

    id: str
    status: int
    stream: bool
    request: dict[str, Any] | None
    body: str


@cache
def exchanges(file: str) -> tuple[Exchange, ...]:
    """All of a file, by its name without the endings."""
    return tuple(_read(file))


def _read(file: str) -> Iterator[Exchange]:
    with gzip.open(folder() / "data" / f"{file}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            one = json.loads(line)
            body = one["request"].get("body")
            yield Exchange(
                one["id"],
                one["response"]["status"],
                bool(one["stream"]),
                body if isinstance(body, dict) else None,
                one["response"]["body"],
            )


@dataclass
class Answer:
    """An answer, however it came. Arguments are parsed; `calls` are (id, name, arguments)."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    finish: str | None = None
    raw: str = ""
    usage: Usage | None = None
    citations: list[Citation] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    fault: Fault | None = None
    ended: bool = False


def of_reply(reply: ChatReply) -> Answer:
    """A whole one."""
    (choice,) = reply.choices
    texts = [part for part in choice.parts if isinstance(part, Text)]
    return Answer(
        text="".join(part.text for part in texts),
        thinking="".join(part.text for part in choice.parts if isinstance(part, Thinking)),
        calls=[(part.id, part.name, json.loads(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)],
        finish=choice.finish,
        raw=choice.finish_raw,
        usage=reply.usage,
        citations=[citation for part in texts for citation in part.citations],
        logprobs=list(choice.logprobs),
    )


def of_stream(reader: Reader, parts: list[bytes], framing: str = "sse") -> Answer:
    """What a reader reads. Holds the reader to what every one has to keep to."""
    splitter = JsonLinesSplitter() if framing == "json_lines" else SseSplitter()
    events = [data for part in parts for _, data in splitter.feed(part) if data is not None]
    if framing == "json_lines" and splitter.rest.strip():
        events.append(splitter.rest)
    answer, deltas = Answer(), []
    for data in events:
        deltas += reader.feed(data)
        if reader.fault is not None or reader.ended:
            break
    deltas += reader.finish() if reader.fault is None else []
    _collect(deltas, answer)
    answer.usage, answer.fault = reader.usage, reader.fault
    answer.ended = reader.ended or reader.finished
    assert (answer.finish is not None) == (reader.finished and answer.fault is None)
    return answer


def _collect(deltas: list[Delta], answer: Answer) -> None:
    calls: dict[int, tuple[str, str, list[str]]] = {}
    closed: set[int] = set()
    started = 0
    for delta in deltas:
        assert delta.choice == 0
        if delta.kind in (TEXT, THINKING, TOOL, ARGUMENTS):
            assert delta.key not in closed or delta.kind in (TEXT, THINKING), f"{delta} after its block's end"
        if delta.kind == TEXT:
            answer.text += delta.text
        elif delta.kind == THINKING:
            answer.thinking += delta.text
        elif delta.kind == TOOL:
            assert delta.key not in calls and delta.id
            calls[delta.key] = (delta.id, delta.name, [])
        elif delta.kind == ARGUMENTS:
            calls[delta.key][2].append(delta.text)
        elif delta.kind == CLOSE:
            closed.add(delta.key)
        elif delta.kind == CITATION:
            answer.citations.append(delta.data)
        elif delta.kind == LOGPROBS:
            answer.logprobs.extend(delta.data)
        elif delta.kind == FINISH:
            assert answer.finish is None
            answer.finish, answer.raw = delta.name, delta.id
        elif delta.kind == START:
            started += 1
        else:
            assert delta.kind == USAGE
    assert started <= 1
    if answer.finish is not None:
        answer.calls = [(id, name, json.loads("".join(pieces))) for id, name, pieces in calls.values()]


def ways(data: bytes, seed: str) -> dict[str, list[bytes]]:
    """The bytes of a stream whole, one by one, and cut at random."""
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(12))
    edges = [0, *cuts, len(data)]
    return {
        "whole": [data],
        "bytes": [data[at : at + 1] for at in range(len(data))],
        "random": [data[start:end] for start, end in pairwise(edges)],
    }


def alike(read: Callable[[list[bytes]], Answer], data: bytes, seed: str) -> Answer:
    """The answer, which is the same however its bytes come."""
    answers = {name: read(parts) for name, parts in ways(data, seed).items()}
    whole = answers["whole"]
    for answer in answers.values():
        assert repr(answer) == repr(whole)
    return whole
