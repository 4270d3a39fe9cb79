"""Recorded answers, told in other ways: what is read of them is the same; and what whole answers say, streams of them
say."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from encke.core.chat import ChatReply, ChatRequest, Message, Text
from encke.core.delta import Delta
from encke.core.faults import Fault
from encke.dialects.table import PROVIDERS
from encke.framing.json_lines import JsonLinesSplitter
from encke.framing.sse import SseSplitter
from tests.conftest import Count, Size
from tests.dialects.recorded import drive
from tests.dialects.recorded.cases import Case, answers, streamed
from tests.dialects.varied import gathered, neutral, told_in_pieces
from tests.dialects.varied.stream import as_stream, body_of, chance, framed, values_of, with_body

pytestmark = pytest.mark.recordings
ASKED = ChatRequest(model="any", messages=(Message("user", (Text("Hello"),)),))
LARGE = 16 << 20


def read(case: Case) -> dict[str, Any] | str:
    """What is read of an answer; the code of a failure."""
    side = PROVIDERS[case.op]
    try:
        if not case.exchange.stream:
            reply = side.read_reply(case.exchange.body, ASKED, drive.CALL_ID)
            assert isinstance(reply, ChatReply)
            return gathered.of_reply(reply)
        reader = side.reader(ASKED, drive.CALL_ID)
        splitter = JsonLinesSplitter(LARGE) if side.framing == "json_lines" else SseSplitter(LARGE)
        deltas: list[Delta] = []
        for _, data in splitter.feed(streamed(case)):
            if data is not None and not reader.ended and reader.fault is None:
                deltas += reader.feed(data)
        if reader.fault is None and (reader.ended or reader.finished):
            deltas += reader.finish()
            return gathered.of_deltas(deltas, reader.usage)
    except Fault as fault:
        return fault.code
    return "cut" if reader.fault is None else reader.fault.code


def varied(case: Case, values: list[Any]) -> Iterator[tuple[str, bytes]]:
    """The same answer in other ways, each with its name."""
    ways = neutral.ALL | (neutral.STREAMS if case.exchange.stream else {})
    for name, vary in ways.items():
        yield name, body_of(case, vary(case.op, copy.deepcopy(values), chance(case, name)))
    frames = neutral.FRAMES if case.exchange.stream else {}
    if case.exchange.stream and case.op != "ollama_chat":
        frames = frames | neutral.SSE_FRAMES
    for name, frame in frames.items():
        yield name, frame(case.op, values, chance(case, name))


def test_what_is_said_in_another_way_is_read_alike(size: Size, count: Count) -> None:
    """Orders, unknown fields and events, nulls, floats, framing: text, tools, reasons and usage stay what they are."""
    seen: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for case, _ in answers(size(48, soak=1), skipped):
        if case.op not in PROVIDERS:
            continue
        values = values_of(case)
        plain = read(with_body(case, body_of(case, values)))
        for name, body in varied(case, values):
            assert read(with_body(case, body)) == plain, f"{case.name}: {name}"
            seen[name] += 1
    assert seen.total() > 300
    count(f"answers told in other ways: {dict(seen)}")


def test_a_stream_of_a_whole_answer_says_the_same(size: Size, count: Count) -> None:
    """In pieces of chance, calls taking turns: blocks, ids, arguments, signatures, citations, reasons and usage."""
    seen: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for case, _ in answers(size(12, soak=1), skipped):
        if case.op not in PROVIDERS or case.exchange.stream:
            continue
        whole = read(case)
        if isinstance(whole, str) or any(choice["finish"][0] is None for choice in whole["choices"]):
            continue  # a stream that does not say why it ended is none
        events = told_in_pieces.WAYS[case.op](json.loads(case.exchange.body), chance(case, "pieces"))
        body = "".join(framed(case.op, event) for event in events).encode("utf-8", "surrogatepass")
        told = read(as_stream(case, body))
        assert isinstance(told, dict), f"{case.name}: {told}"
        assert gathered.settled(told) == gathered.settled(whole), case.name
        seen[case.op] += 1
    assert seen.total() > 100
    count(f"whole answers as streams: {dict(seen)}")
