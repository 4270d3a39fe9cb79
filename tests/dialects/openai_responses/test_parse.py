"""What of a request and of an answer is read where both sides speak this dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_chat.wire import shown_finish
from encke.dialects.openai_responses.parse import parse_reply, parse_request
from tests.dialects.openai_responses.recorded import exchanges, replies


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **fields}).encode()


def test_a_request() -> None:
    """The model and whether it is to be a stream; `input` is a text or a list."""
    request = parse_request(body(stream=True, input=[{"role": "user", "content": "Hi"}]))
    assert (request.model, request.stream, request.include_usage) == ("m", True, False)
    assert parse_request(body()).stream is False
    assert parse_request(body(stream=None)).stream is False


@pytest.mark.parametrize("kept", ["prompt", "previous_response_id", "conversation"])
def test_an_input_may_be_kept_elsewhere(kept: str) -> None:
    """Without an input there has to be something that stands for it."""
    assert parse_request(json.dumps({"model": "m", kept: "x"}).encode()).model == "m"


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b'{"input":"x"}', "missing_required_parameter", "model"),
        (b'{"model":"m"}', "missing_required_parameter", "input"),
        (b'{"model":"m","input":null}', "missing_required_parameter", "input"),
        (b'{"model":"m","input":3}', "invalid_type", "input"),
        (b'{"model":"m","input":{}}', "invalid_type", "input"),
        (b'{"model":"m","input":"x","stream":"yes"}', "invalid_type", "stream"),
    ],
)
def test_what_is_refused(data: bytes, code: str, param: str | None) -> None:
    """What cannot be sent anywhere is refused before anything is held for it."""
    with pytest.raises(Fault) as caught:
        parse_request(data)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize("word", ["completed", "incomplete", "max_output_tokens", "content_filter", "queued"])
def test_why_it_ended_is_recorded(word: str) -> None:
    """The words of this wire stand in the record as they are."""
    assert shown_finish(word) == word


def test_an_answer() -> None:
    """Usage in buckets, and why it ended."""
    told = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
    usage = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
    reply = parse_reply(json.dumps({**told, "usage": usage}).encode())
    assert (reply.usage, reply.finish_reason) == (Usage(input=5, output=3), "content_filter")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff", "upstream_bad_response"),
        (b"[]", "upstream_bad_response"),
        (b"{}", "upstream_bad_response"),
        (b'{"output":{}}', "upstream_bad_response"),
        (b'{"status":"failed","output":[],"error":{"code":"server_error","message":"x"}}', "upstream_error"),
        (b'{"status":"failed","output":[],"error":null}', "upstream_error"),
        (b'{"error":{"code":"rate_limit_exceeded","message":"x"}}', "upstream_rate_limited"),
    ],
)
def test_an_answer_that_is_none(data: bytes, code: str) -> None:
    """A failed Response with status 200 is a failure, and so is what is no Response."""
    with pytest.raises(Fault) as caught:
        parse_reply(data)
    assert caught.value.code == code


def test_recorded_requests() -> None:
    """Every request that was sent can be read."""
    read = [parse_request(json.dumps(one.body).encode()) for one in exchanges() if one.body and "model" in one.body]
    assert len(read) > 1200


def test_recorded_answers() -> None:
    """Every whole answer is read, with the usage that stands in it."""
    for one in replies():
        value = json.loads(one.reply)
        if value.get("error"):
            continue
        reply = parse_reply(one.reply.encode())
        usage = value.get("usage")
        if usage:
            assert reply.usage is not None
            assert reply.usage.total_input == usage["input_tokens"], one.id
            assert reply.usage.cache_read == (usage.get("input_tokens_details") or {}).get("cached_tokens", 0), one.id
        assert reply.finish_reason == (value.get("incomplete_details") or {}).get("reason", value.get("status", ""))
    assert len(replies()) > 900
