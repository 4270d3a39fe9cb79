"""The tap on a stream that passes: what each event means, and how a stream ends that fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_responses.tap import PICTURE, ResponsesTap
from encke.dialects.port import CONTENT, END, ERROR, PASS
from tests.dialects.openai_responses.recorded import streams

USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 16,
}


def event(kind: str, number: int = 1, **more: Any) -> bytes:
    return json.dumps({"type": kind, "sequence_number": number, **more}).encode()


def created(number: int = 0) -> bytes:
    return event("response.created", number, response={"id": "resp_1", "model": "m", "created_at": 7, "output": []})


def item(**fields: Any) -> bytes:
    return event("response.output_item.done", output_index=0, item=fields)


@pytest.mark.parametrize(
    "kind",
    [
        "response.output_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.refusal.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    ],
)
def test_pieces_are_content_and_are_counted(kind: str) -> None:
    """Text, thoughts, arguments and refusals are content; white space alone is none before there is some."""
    tap = ResponsesTap()
    assert tap.feed(created()) == PASS
    assert tap.feed(event(kind, delta=" \n")) == PASS
    assert tap.feed(event(kind, delta="Hi")) == CONTENT
    assert tap.feed(event(kind, delta=" ")) == CONTENT
    assert tap.content_bytes == len(" \\n") + len("Hi") + len(" ")


@pytest.mark.parametrize(
    ("fields", "flag", "size"),
    [
        ({"type": "function_call", "name": "f", "call_id": "c", "arguments": '{"a":1}'}, CONTENT, len(r"{\"a\":1}")),
        ({"type": "custom_tool_call", "name": "f", "call_id": "c", "input": "abc"}, CONTENT, 3),
        ({"type": "message", "content": [{"type": "output_text", "text": "abcd"}]}, CONTENT, 4),
        ({"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}, CONTENT, 2),
        ({"type": "message", "content": []}, PASS, 0),
        ({"type": "reasoning", "summary": [], "encrypted_content": "x" * 99}, PASS, 0),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, CONTENT, 2),
        ({"type": "web_search_call", "status": "completed"}, CONTENT, 0),
        ({"type": ["odd"], "content": 3}, CONTENT, 0),
    ],
)
def test_an_item_without_pieces_counts_when_it_is_whole(fields: dict[str, Any], flag: int, size: int) -> None:
    """Who writes an item in one go, and what a provider has done itself, is content too."""
    tap = ResponsesTap()
    assert tap.feed(item(**fields)) == flag
    assert tap.content_bytes == size


def test_an_item_is_not_counted_twice() -> None:
    """What came in pieces is not counted again with the whole; the next item that comes whole is."""
    tap = ResponsesTap()
    tap.feed(event("response.output_text.delta", delta="abc"))
    assert tap.feed(item(type="message", content=[{"type": "output_text", "text": "abc"}])) == CONTENT
    assert tap.content_bytes == 3
    tap.feed(item(type="function_call", arguments="{}"))
    assert tap.content_bytes == 5


def test_a_picture_is_content() -> None:
    """A picture that is not finished has something of the answer."""
    tap = ResponsesTap()
    assert tap.feed(event("response.image_generation_call.partial_image", partial_image_b64="AA")) == CONTENT
    assert tap.content_bytes == PICTURE


@pytest.mark.parametrize(
    ("kind", "response", "finish"),
    [
        ("response.completed", {"status": "completed"}, "completed"),
        ("response.completed", {}, "completed"),
        ("response.incomplete", {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
         "max_output_tokens"),
        ("response.incomplete", {"status": "incomplete", "incomplete_details": None}, "incomplete"),
    ],
)  # fmt: skip
def test_the_end(kind: str, response: dict[str, Any], finish: str) -> None:
    """The event that ends a stream has the usage and the reason."""
    tap = ResponsesTap()
    tap.feed(event("response.output_text.delta", delta="abc"))
    assert tap.feed(event(kind, response={**response, "usage": USAGE})) == END
    assert tap.usage == Usage(input=4, cache_read=4, cache_write_5m=1, output=5, reasoning=2)
    assert tap.usage_at == 3
    assert tap.finish_reason == finish


@pytest.mark.parametrize(
    ("data", "code", "verdict"),
    [
        (event("error", error={"code": "insufficient_quota", "message": "spent"}), "upstream_rate_limited", "again"),
        (event("error", code="server_error", message="oh", param=None), "upstream_error", "again"),
        (event("error", code="invalid_image_url", message="no"), "upstream_invalid_request", "stop"),
        (event("response.failed", response={"status": "failed", "error": {"code": "rate_limit_exceeded",
         "message": "slow"}, "usage": None}), "upstream_rate_limited", "again"),
        (event("response.failed", response={"status": "failed", "error": None}), "upstream_error", "again"),
        (event("response.failed", response=3), "upstream_error", "again"),
        (event("response.failed", response={"error": {"code": "context_length_exceeded", "message": "long"}}),
         "context_length_exceeded", "stop"),
        (b'{"error":{"message":"bare","code":500}}', "upstream_error", "again"),
    ],
)  # fmt: skip
def test_failures(data: bytes, code: str, verdict: str) -> None:
    """A failed Response and an error, in any of its forms, is a Fault of the table."""
    tap = ResponsesTap()
    assert tap.feed(data) == ERROR
    assert tap.fault is not None
    assert (tap.fault.code, tap.fault.verdict) == (code, verdict)


def test_a_stream_that_began_ends_as_a_failed_response() -> None:
    """Clients that follow a Response see it fail, with the next number; before it has begun nothing depends on it."""
    tap = ResponsesTap()
    fault = Fault("upstream_reset", "The provider broke the connection.")
    assert tap.break_off(fault, "req_1") is None
    tap.feed(created(3))
    tap.feed(event("response.output_text.delta", 4, delta="x"))
    told = tap.break_off(fault, "req_1")
    assert told is not None
    head, data = told.rstrip(b"\n").split(b"\n")
    assert head == b"event: response.failed"
    value = json.loads(data.removeprefix(b"data: "))
    assert value["sequence_number"] == 5
    assert value["response"]["id"] == "resp_1"
    assert value["response"]["status"] == "failed"
    assert value["response"]["error"]["code"] == "upstream_reset"
    assert "req_1" in value["response"]["error"]["message"]


@pytest.mark.parametrize(
    ("rest", "whole"),
    [
        (b'event: response.completed\ndata: {"type":"response.completed"}', True),
        (b'data: {"type":"x"}\n', True),
        (b'event: x\ndata: {"type":"resp', False),
        (b"event: x\n", False),
        (b"", False),
        (b"data: [DONE]", False),
    ],
)
def test_an_event_without_its_blank_line(rest: bytes, whole: bool) -> None:
    """The last event may lack its blank line; half of one is none."""
    assert ResponsesTap().is_whole(rest) is whole


KINDS = st.sampled_from(
    ["response.created", "response.output_text.delta", "response.output_item.done", "response.completed", "error", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"type": KINDS | JSON},
        optional=dict.fromkeys(("sequence_number", "delta", "response", "item", "error", "code", "message"), JSON),
    )
    | JSON
)
def test_wrong_types_do_no_harm(value: Any) -> None:
    """Whatever the types in an event, it passes, or is an end or a failure."""
    tap = ResponsesTap()
    assert tap.feed(json.dumps(value).encode()) in (PASS, CONTENT, END, ERROR)
    tap.break_off(Fault("internal_error", "x"), "req_1")


@given(st.binary())
def test_what_is_no_json_passes(data: bytes) -> None:
    """Bytes that make no sense are the client's to see."""
    assert ResponsesTap().feed(b"~" + data) == PASS


def test_recorded_streams() -> None:
    """Of each recorded stream the end, the usage and the size of its text are seen as an independent reading has it."""
    seen = 0
    for one in streams():
        tap = ResponsesTap()
        flags = 0
        events = one.events()
        for value in events:
            if flags & (END | ERROR):
                break
            flags = tap.feed(json.dumps(value, ensure_ascii=False).encode())
        last = next((value for value in events if value["type"] in ("response.completed", "response.incomplete")), None)
        if last is None:
            assert not flags & END, one.id
            continue
        assert flags & END, one.id
        seen += 1
        usage = last["response"].get("usage")
        if usage:
            assert tap.usage is not None, one.id
            assert tap.usage.total_input == usage["input_tokens"], one.id
            whole = usage.get("total_tokens", 0) - usage["input_tokens"]
            assert tap.usage.total_output in (usage["output_tokens"], whole), one.id
        text = "".join(value["delta"] for value in events if value["type"] == "response.output_text.delta")
        assert tap.content_bytes >= len(text), one.id
    assert seen > 400
