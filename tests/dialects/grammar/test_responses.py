"""The checker of Responses: good streams, and one stream for each rule that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.grammar.broken import Events, drop, insert, put, rules_of, sse
from tests.dialects.grammar.responses import check

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "model": "m",
    "tools": [],
    "output": [],
    "parallel_tool_calls": True,
    "metadata": {},
    "tool_choice": "auto",
    "temperature": 1.0,
    "top_p": 1.0,
    "usage": None,
}
USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 7,
}
TEXT_PART = {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation"}], "logprobs": []}
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT_PART]}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "c_1",
    "name": "f",
    "arguments": '{"a": 1}',
}


def numbered(events: Events) -> Events:
    """With their numbers and the prefix of their types."""
    return [{**e, "type": f"response.{e['type']}", "sequence_number": n} for n, e in enumerate(events)]


def part(kind: str, at: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": kind, **at, **fields}


R = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
M = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
F = {"item_id": "fc_1", "output_index": 2}
BEGIN: Events = [{"type": "created", "response": RESPONSE}, {"type": "in_progress", "response": RESPONSE}]
STREAM: Events = numbered(
    [
        *BEGIN,
        part("output_item.added", {"output_index": 0}, item={**REASONING, "summary": []}),  # 2
        part("reasoning_summary_part.added", R, part={"type": "summary_text", "text": ""}),
        part("reasoning_summary_text.delta", R, delta="Hm."),
        part("reasoning_summary_text.done", R, text="Hm."),
        part("reasoning_summary_part.done", R, part={"type": "summary_text", "text": "Hm."}),
        part("output_item.done", {"output_index": 0}, item=REASONING),  # 7
        part("output_item.added", {"output_index": 1}, item={**MESSAGE, "status": "in_progress", "content": []}),
        part("content_part.added", M, part={**TEXT_PART, "text": "", "annotations": []}),  # 9
        part("output_text.delta", M, delta="Hel", logprobs=[]),
        part("output_text.delta", M, delta="lo", logprobs=[]),
        part("output_text.annotation.added", M, annotation_index=0, annotation={"type": "url_citation"}),  # 12
        part("output_text.done", M, text="Hello", logprobs=[]),
        part("content_part.done", M, part=TEXT_PART),  # 14
        part("output_item.done", {"output_index": 1}, item=MESSAGE),
        part("output_item.added", {"output_index": 2}, item={**CALL, "status": "in_progress", "arguments": ""}),  # 16
        part("function_call_arguments.delta", F, delta='{"a": 1}'),
        part("function_call_arguments.done", F, arguments='{"a": 1}'),
        part("output_item.done", {"output_index": 2}, item=CALL),  # 19
        part(
            "completed",
            {},
            response={**RESPONSE, "status": "completed", "output": [REASONING, MESSAGE, CALL], "usage": USAGE},
        ),
    ]
)
FAILED = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "It broke."}}
CUT = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
CUSTOM_CALL = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c_1", "name": "f", "input": "x"}
REFUSAL = {"type": "refusal", "refusal": "No."}
REFUSED = {"id": "msg_2", "type": "message", "role": "assistant", "status": "completed", "content": [REFUSAL]}
C = {"item_id": "ctc_1", "output_index": 0}
W = {"item_id": "msg_2", "output_index": 1, "content_index": 0}
OTHERS: Events = numbered(
    [
        *BEGIN,
        part("output_item.added", {"output_index": 0}, item={**CUSTOM_CALL, "input": ""}),
        part("custom_tool_call_input.delta", C, delta="x"),
        part("custom_tool_call_input.done", C, input="x"),
        part("output_item.done", {"output_index": 0}, item=CUSTOM_CALL),
        part("output_item.added", {"output_index": 1}, item={**REFUSED, "status": "in_progress", "content": []}),
        part("content_part.added", W, part={"type": "refusal", "refusal": ""}),
        part("refusal.delta", W, delta="No."),
        part("refusal.done", W, refusal="No."),
        part("content_part.done", W, part=REFUSAL),
        part("output_item.done", {"output_index": 1}, item=REFUSED),
        part("incomplete", {}, response={**CUT, "output": [CUSTOM_CALL, REFUSED]}),
    ]
)
BROKEN: dict[str, list[Events]] = {
    "frame.json": [insert(STREAM, 3, "[DONE]")],
    "responses.sequence": [put(STREAM, 4, "sequence_number", 9), drop(STREAM, 4, "sequence_number")],
    "responses.after_end": [[*STREAM, STREAM[-1]], [*STREAM, STREAM[10]]],
    "responses.error": [[*STREAM[:4], {"type": "error", "sequence_number": 4}]],
    "responses.fields": [drop(STREAM, 10, "logprobs"), drop(STREAM, 4, "item_id"), drop(STREAM, 2, "item")],
    "responses.begin": [drop(STREAM, 0), drop(STREAM, 1), insert(STREAM, 1, STREAM[0]), insert(STREAM, 9, STREAM[1])],
    "responses.response": [drop(STREAM, 0, "response.tools"), put(STREAM, 20, "response.error", {"code": "x"})],
    "responses.same": [put(STREAM, 20, "response.id", "resp_2")],
    "responses.status": [
        put(STREAM, 20, "response.status", "in_progress"),
        put(STREAM, 0, "response.status", "completed"),
    ],
    "responses.failed": [numbered([*BEGIN, {"type": "failed", "response": {**FAILED, "error": None}}])],
    "responses.open_item": [drop(STREAM, 19)],
    "responses.reason": [
        put(STREAM, 20, "response.incomplete_details", {}),
        put(OTHERS, 12, "response.incomplete_details", None),
    ],
    "responses.output": [put(STREAM, 20, "response.output", []), put(STREAM, 20, "response.output.0", MESSAGE)],
    "responses.usage": [
        drop(STREAM, 20, "response.usage.total_tokens"),
        drop(STREAM, 20, "response.usage.output_tokens_details"),
    ],
    "responses.usage_sum": [
        put(STREAM, 20, "response.usage.total_tokens", 8),
        put(STREAM, 20, "response.usage.output_tokens_details.reasoning_tokens", 9),
    ],
    "responses.no_item": [drop(STREAM, 2)],
    "responses.output_index": [put(STREAM, 8, "output_index", 2), put(STREAM, 10, "output_index", 0)],
    "responses.item_id": [
        put(STREAM, 10, "item_id", "rs_1"),
        put(STREAM, 8, "item.id", "rs_1"),
        put(STREAM, 2, "item.id", ""),
    ],
    "responses.one_item": [drop(STREAM, 7)],
    "responses.item": [drop(STREAM, 8, "item.role"), put(STREAM, 8, "item", None)],
    "responses.item_empty": [put(STREAM, 8, "item.content", [TEXT_PART]), put(STREAM, 16, "item.arguments", "{}")],
    "responses.item_status": [
        put(STREAM, 8, "item.status", "completed"),
        put(STREAM, 15, "item.status", "in_progress"),
    ],
    "responses.call": [
        put(STREAM, 16, "item.call_id", ""),
        put(STREAM, 10, "type", "response.function_call_arguments.delta"),
    ],
    "responses.one_part": [insert(STREAM, 10, STREAM[9])],
    "responses.part": [
        put(STREAM, 9, "part.text", "x"),
        put(STREAM, 9, "part.type", "words"),
        put(STREAM, 9, "part.annotations", None),
    ],
    "responses.part_index": [
        put(STREAM, 9, "content_index", 1),
        put(STREAM, 10, "content_index", 1),
        put(STREAM, 14, "content_index", 1),
    ],
    "responses.no_part": [drop(STREAM, 9), put(STREAM, 4, "type", "response.reasoning_text.delta") and drop(STREAM, 3)],
    "responses.after_done": [insert(STREAM, 14, STREAM[10]), insert(STREAM, 19, STREAM[17])],
    "responses.logprobs": [put(STREAM, 10, "logprobs", None)],
    "responses.delta": [put(STREAM, 10, "delta", None), put(STREAM, 17, "delta", {})],
    "responses.done_value": [
        put(STREAM, 13, "text", "Hell"),
        put(STREAM, 14, "part.text", "Hell"),
        put(STREAM, 18, "arguments", "{}"),
        drop(STREAM, 10),
    ],
    "responses.annotation": [put(STREAM, 12, "annotation_index", 1), put(STREAM, 14, "part.annotations", [])],
    "responses.no_done": [drop(STREAM, 13), drop(STREAM, 18)],
    "responses.open_part": [drop(STREAM, 14)],
    "responses.item_same": [put(STREAM, 19, "item.call_id", "c_2"), put(STREAM, 19, "item.name", "g")],
    "responses.item_value": [
        put(STREAM, 15, "item.content", []),
        put(STREAM, 19, "item.arguments", "{}"),
        put(STREAM, 7, "item.summary", []),
    ],
    "responses.call_json": [put(put(put(STREAM, 17, "delta", "{"), 18, "arguments", "{"), 19, "item.arguments", "{")],
    "responses.no_end": [STREAM[:-1]],
}


@pytest.mark.parametrize("events", [STREAM, OTHERS])
def test_good_streams_are_taken(events: Events) -> None:
    """Reasoning, text with a citation, a call; a custom call, a refusal, an answer that was cut."""
    book = check(sse(events, named=True))
    assert not book.breaches and book.end == "whole"


def test_a_failure_is_an_end() -> None:
    """In the middle of an item: as a failed response, as an error, or as both."""
    failed = {"type": "response.failed", "response": FAILED, "sequence_number": 11}
    error = {"type": "error", "code": "server_error", "message": "It broke.", "param": None, "sequence_number": 11}
    for last in ([failed], [error], [error, {**failed, "sequence_number": 12}]):
        book = check(sse([*STREAM[:11], *last], named=True))
        assert not book.breaches and book.end == "error", str(book)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_stream_is_found(rule: str) -> None:
    """Each rule has streams that break it."""
    for events in BROKEN[rule]:
        assert rule in check(sse(events, named=True)).rules, events


def test_every_rule_is_tested() -> None:
    """No rule without a stream that breaks it."""
    assert "responses.event_name" in check(sse(STREAM)).rules
    assert rules_of("responses") == set(BROKEN) - {"frame.json"} | {"responses.event_name"}
