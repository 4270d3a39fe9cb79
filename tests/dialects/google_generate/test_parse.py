"""Requests as a native pass reads them: the path, both spellings, what must be there; and whole answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.dialects.google_generate.parse import ARRAY, parse_reply, parse_request
from encke.dialects.request import Request

ASK = b'{"contents":[{"parts":[{"text":"hi"}]}]}'


def read(target: str, data: bytes = ASK, route: str = "generate") -> Request:
    """A request at a path."""
    return parse_request(route, data, target)


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
        ("models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
        ("openai%2Fgpt-4o:generateContent", "openai/gpt-4o"),
        ("openai/gpt-4o:generateContent?key=x", "openai/gpt-4o"),
        ("qwen2:0.5b:generateContent", "qwen2:0.5b"),
        ("tunedModels/mine:generateContent", "tunedModels/mine"),
    ],
)
def test_the_model_stands_in_the_path(target: str, model: str) -> None:
    """With what may stand before and after it; the method is behind the last colon."""
    assert read(target).model == model
    assert not read(target).stream


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("?alt=sse", ""),
        ("?key=k&alt=sse", ""),
        ("?%24alt=sse", ""),
        ("", ARRAY),
        ("?alt=json", ARRAY),
        ("?%24alt=json%3Benum-encoding%3Dint", ARRAY),
    ],
)
def test_a_stream_is_an_array_unless_events_are_asked_for(query: str, form: str) -> None:
    """`alt=sse` asks for events."""
    request = read("m:streamGenerateContent" + query)
    assert request.stream and request.form == form and request.include_usage


@pytest.mark.parametrize(
    ("route", "data"),
    [
        ("generate", b'{"contents":{"parts":[]}}'),
        ("google_count", b'{"generateContentRequest":{}}'),
        ("google_count", b'{"generate_content_request":{}}'),
        ("embed_content", b'{"content":{}}'),
        ("batch_embed", b'{"requests":[]}'),
    ],
)
def test_what_each_route_takes(route: str, data: bytes) -> None:
    """Either spelling, and a single object in place of a list."""
    assert read("m:x", data, route).model == "m"


@pytest.mark.parametrize(
    ("target", "data", "code", "param"),
    [
        ("m:generateContent", b"[]", "invalid_json", None),
        ("m:generateContent", b"{}", "missing_required_parameter", "contents"),
        ("m:generateContent", b'{"contents":null}', "missing_required_parameter", "contents"),
        ("m:generateContent", b'{"contents":"hi"}', "invalid_type", "contents"),
        (":generateContent", ASK, "missing_required_parameter", "model"),
        ("%ff:generateContent", ASK, "invalid_value", "model"),
        ("x" * 300 + ":generateContent", ASK, "invalid_value", "model"),
    ],
)
def test_what_is_refused(target: str, data: bytes, code: str, param: str | None) -> None:
    """With the code and the place."""
    with pytest.raises(Fault) as caught:
        read(target, data)
    assert (caught.value.code, caught.value.param) == (code, param)


def answer(**fields: Any) -> bytes:
    """A whole answer."""
    return json.dumps(fields).encode()


def test_whole_answers() -> None:
    """Usage, and the first candidate's end as a word, though it came as a number; or why the prompt was refused."""
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    read = parse_reply("generate", answer(candidates=[{"finishReason": "STOP"}], usageMetadata=usage))
    assert read.finish_reason == "STOP" and read.usage is not None and read.usage.total_output == 2
    assert parse_reply("generate", answer(candidates=[{"finishReason": 2}])).finish_reason == "MAX_TOKENS"
    blocked = parse_reply("generate", answer(promptFeedback={"blockReason": "SAFETY"}))
    assert blocked.finish_reason == "SAFETY" and blocked.usage is None
    assert parse_reply("google_count", b"{}").usage is None
    assert parse_reply("embed_content", answer(embedding={"values": [1]})).finish_reason == ""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "upstream_bad_response"),
        (b"[]", "upstream_bad_response"),
        (b"{}", "upstream_bad_response"),
        (b'{"candidates":"\xff"}', "upstream_bad_response"),
        (b'{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}', "overloaded"),
        (b'{"error":{"status":"RESOURCE_EXHAUSTED"}}', "upstream_rate_limited"),
        (b'{"error":"x"}', "upstream_error"),
    ],
)
def test_bad_answers(data: bytes, code: str) -> None:
    """What is no answer, and an error inside of one."""
    with pytest.raises(Fault) as caught:
        parse_reply("generate", data)
    assert caught.value.code == code


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(VALUES, VALUES, VALUES)
def test_wrong_types_are_no_crash(candidates: Any, usage: Any, feedback: Any) -> None:
    """Only Faults come out."""
    try:
        parse_reply("generate", answer(candidates=candidates, usageMetadata=usage, promptFeedback=feedback))
    except Fault as fault:
        assert fault.code == "upstream_bad_response"
