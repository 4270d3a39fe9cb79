"""The checker of Messages: good streams, and one stream for each rule that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.grammar.broken import Events, drop, insert, put, rules_of, sse
from tests.dialects.grammar.messages import check

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "m",
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": None},
}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **what: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": what}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str, sequence: str | None = None) -> list[dict[str, Any]]:
    told = {"stop_reason": reason, "stop_sequence": sequence}
    return [{"type": "message_delta", "delta": told, "usage": {"output_tokens": 4}}, {"type": "message_stop"}]


BEGIN: Events = [{"type": "message_start", "message": MESSAGE}]
THOUGHT: Events = [
    start(0, type="thinking", thinking="", signature=""),
    {"type": "ping"},
    delta(0, type="thinking_delta", thinking="Hm."),
    delta(0, type="signature_delta", signature="abc"),
    stop(0),
]
TEXT: Events = [
    *BEGIN,
    *THOUGHT,
    start(1, type="text", text=""),
    delta(1, type="text_delta", text="Hello"),
    delta(1, type="citations_delta", citation={"type": "char_location"}),
    stop(1),
    *end("end_turn"),
]
TOOLS: Events = [
    *BEGIN,
    start(0, type="redacted_thinking", data="abc"),
    stop(0),
    start(1, type="tool_use", id="toolu_1", name="f", input={}),
    delta(1, type="input_json_delta", partial_json=""),
    delta(1, type="input_json_delta", partial_json='{"a": 1}'),
    stop(1),
    start(2, type="tool_use", id="toolu_2", name="f", input={}),
    stop(2),
    *end("tool_use"),
]
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
BROKEN: dict[str, list[Events]] = {
    "frame.json": [insert(TEXT, 3, "x")],
    "messages.after_end": [[*TEXT, {"type": "ping"}], [*TEXT, TEXT[-1]]],
    "messages.ping": [put(TEXT, 2, "index", 0)],
    "messages.start_once": [insert(TEXT, 4, BEGIN[0])],
    "messages.start_first": [TEXT[1:], insert(TEXT, 0, TEXT[1])],
    "messages.type": [insert(TEXT, 4, {"type": "message_middle"})],
    "messages.start": [
        put(TEXT, 0, "message.stop_reason", "end_turn"),
        drop(TEXT, 0, "message.id"),
        put(TEXT, 0, "message", 1),
    ],
    "messages.one_block": [drop(TEXT, 5)],
    "messages.after_delta": [insert(TEXT, 11, start(2, type="text", text=""), stop(2))],
    "messages.index": [put(TEXT, 6, "index", 2), put(TEXT, 7, "index", 0), put(TEXT, 9, "index", 0)],
    "messages.block": [
        put(TEXT, 6, "content_block.text", "x"),
        put(TEXT, 6, "content_block", None),
        drop(TOOLS, 1, "content_block.data"),
    ],
    "messages.block_type": [put(TEXT, 6, "content_block.type", "words")],
    "messages.tool": [drop(TOOLS, 3, "content_block.name"), put(TOOLS, 3, "content_block.id", "")],
    "messages.tool_id": [put(TOOLS, 7, "content_block.id", "toolu_1")],
    "messages.no_block": [drop(TEXT, 6), insert(TEXT, 6, stop(0))],
    "messages.delta": [put(TEXT, 7, "delta", None), put(TEXT, 7, "delta.text", 1)],
    "messages.delta_type": [put(TEXT, 7, "delta", {"type": "thinking_delta", "thinking": "x"})],
    "messages.after_signature": [insert(TEXT, 5, THOUGHT[2])],
    "messages.open_block": [drop(TEXT, 9)],
    "messages.message_delta": [put(TEXT, 10, "delta", None), drop(TEXT, 10, "delta.stop_sequence")],
    "messages.stop_once": [insert(TEXT, 11, TEXT[10])],
    "messages.stop_word": [put(TEXT, 10, "delta.stop_reason", "stop")],
    "messages.stop_sequence": [put(TEXT, 10, "delta.stop_sequence", "x")],
    "messages.stop_tools": [put(TEXT, 10, "delta.stop_reason", "tool_use")],
    "messages.tool_json": [put(TOOLS, 5, "delta.partial_json", '{"a"'), put(TOOLS, 5, "delta.partial_json", "[]")],
    "messages.no_message_delta": [drop(TEXT, 10)],
    "messages.no_stop_reason": [put(TEXT, 10, "delta.stop_reason", None)],
    "messages.error": [[*TEXT[:4], put([ERROR], 0, "error.type", "broken")[0]], [{"type": "error"}]],
    "messages.usage": [
        drop(TEXT, 0, "message.usage"),
        put(TEXT, 10, "usage", {}),
        put(TEXT, 10, "usage.output_tokens", -1),
    ],
    "messages.no_end": [TEXT[:-1]],
}


@pytest.mark.parametrize("events", [TEXT, TOOLS, [*BEGIN, *end("stop_sequence", "x")], [ERROR]])
def test_good_streams_are_taken(events: Events) -> None:
    """Thought, text, tools, none of them; a failure before anything."""
    book = check(sse(events, named=True))
    assert not book.breaches and book.end == ("error" if events == [ERROR] else "whole")


def test_a_failure_and_a_limit() -> None:
    """A failure may come in the middle of a block; the limit of length may cut a tool's input."""
    book = check(sse([*TEXT[:8], ERROR], named=True))
    assert not book.breaches and book.end == "error"
    cut = put(put(TOOLS[:7] + end("max_tokens"), 5, "delta.partial_json", '{"a"'), 7, "delta.stop_reason", "max_tokens")
    assert not check(sse(cut, named=True)).breaches


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_stream_is_found(rule: str) -> None:
    """Each rule has streams that break it."""
    for events in BROKEN[rule]:
        assert rule in check(sse(events, named=True)).rules, events


def test_every_rule_is_tested() -> None:
    """No rule without a stream that breaks it."""
    assert check(sse(TEXT)).rules == {"messages.event_name"}
    assert rules_of("messages") == set(BROKEN) - {"frame.json"} | {"messages.event_name"}
