"""Upstream's errors keep what helps a caller and lose what is not theirs to see."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import msgspec
import pytest

from encke.core.faults import FAULTS, Fault
from encke.dialects.faults import (
    MAX_TEXT,
    fault_in_stream,
    parse_fault,
    parse_retry_after,
    redact,
    retry_advice,
)
from encke.dialects.openai_chat.faults import render_fault, render_stream_fault


def body(message: str = "Some reason.", **more: Any) -> bytes:
    return json.dumps({"error": {"message": message, "type": "t", "param": "p", "code": "c", **more}}).encode()


@pytest.mark.parametrize("status", [400, 404, 413, 422, 418, 451])
def test_the_callers_own_faults_keep_status_and_message(status: int) -> None:
    """And type, param and code, since clients look at them."""
    fault = parse_fault(status, body())
    assert (fault.status, fault.verdict) == (status, "stop")
    error = json.loads(render_fault(fault, "id"))["error"]
    assert error == {"message": "Some reason.", "type": "t", "param": "p", "code": "c"}


@pytest.mark.parametrize(
    "status, ours, code",
    [
        (401, 502, "upstream_auth"),
        (402, 502, "upstream_auth"),
        (403, 502, "upstream_auth"),
        (408, 504, "upstream_timeout"),
        (429, 429, "upstream_rate_limited"),
        (500, 502, "upstream_error"),
        (501, 502, "upstream_error"),
        (502, 502, "upstream_error"),
        (503, 503, "overloaded"),
        (504, 504, "upstream_timeout"),
        (529, 503, "overloaded"),
        (599, 502, "upstream_error"),
    ],
)
def test_other_statuses(status: int, ours: int, code: str) -> None:
    """Each becomes ours, and another target may be tried; the same one only if a moment may have changed something."""
    fault = parse_fault(status, body())
    lasting = code in ("upstream_auth", "upstream_timeout")
    assert (fault.status, fault.code, fault.verdict) == (ours, code, "next" if lasting else "again")
    assert ("Some reason." in fault.message) == (code != "upstream_auth")


@pytest.mark.parametrize(
    "data",
    [
        b'[{"error":{"code":400,"message":"API key not valid. Pass a valid one.","status":"INVALID_ARGUMENT"}}]',
        b'{"code":"invalid-argument","error":"Incorrect API key provided. You can obtain one."}',
        b'{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}',
        b'{"error":{"message":"x","code":"invalid_api_key"}}',
        b'{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low."}}',
    ],
)
def test_a_400_that_is_about_our_key(data: bytes) -> None:
    """It is not the caller's fault, and another credential may do; what a caller wrote cannot make one of it."""
    fault = parse_fault(400, data)
    assert (fault.code, fault.status, fault.verdict) == ("upstream_auth", 502, "next")
    quoted = b'{"error":{"message":"`x` must not be `API key not valid`","type":"invalid_request_error"}}'
    assert parse_fault(400, quoted).status == 400
    assert parse_fault(422, data).status == 422


def test_redirects_are_never_followed_nor_shown() -> None:
    """Where it pointed to is nobody's business."""
    fault = parse_fault(302, b"http://internal/")
    assert (fault.status, fault.code, fault.verdict) == (502, "upstream_redirect", "stop")
    assert "internal" not in fault.message


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 8192 tokens."},
        {"message": "no", "code": "context_length_exceeded"},
        {"message": "too many tokens: size limit exceeded by 7 tokens. The limit for this model is 8 tokens."},
        {"message": "no", "type": "exceed_context_size_error", "code": 400},
        {"message": "prompt too long; exceeded max context length by 7 tokens"},
        {"message": "The total length of all messages is too long.", "type": "too_many_prompt_tokens"},
        {"message": "prompt is too long: 208310 tokens > 200000 maximum"},
    ],
)
def test_a_prompt_that_is_too_long(error: dict[str, Any]) -> None:
    """However a provider says it, clients find OpenAI's code."""
    fault = parse_fault(400, json.dumps({"error": error}).encode())
    assert (fault.status, fault.code) == (400, "context_length_exceeded")
    assert fault.message == error["message"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"error":{"message":"why"}}',
        b'{"error":"why"}',
        b'{"message":"why"}',
        b'[{"error":{"message":"why"}}]',
        b'{"detail":"why"}',
        b'{"error":{"detail":"why"}}',
        b'{"detail":[{"msg":"why"}]}',
        b'{"errors":[{"message":"why","code":5023}],"success":false,"result":{}}',
        b'{"errors":["why"]}',
        b'{"object":"error","message":{"detail":[{"msg":"why"}]},"code":null}',
        b'{"error_code":"X","message":"why"}',
    ],
)
def test_every_way_to_wrap_a_message(data: bytes) -> None:
    """Objects, strings, lists, FastAPI's detail, a list of errors; what is no text is shown as JSON."""
    message = parse_fault(422, data).message
    assert "why" in message and "'" not in message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{",
        b"<html>",
        b"[]",
        b"[1]",
        b'{"error":null}',
        b'{"error":[]}',
        b"\xff",
        b"[" * 10**6,
        b'{"error":{"message":7}}',
    ],
)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_bodies_that_say_nothing(status: int, data: bytes) -> None:
    """There is a message all the same."""
    assert parse_fault(status, data).message


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcDEF123456. ",
        "key gsk_abcdefghijkl123 is bad",
        "Authorization: Bearer abc.def-ghi123456",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "see https://internal.example:8443/v1?key=abcdef1234567890",
        "token=abcdef1234567890",
        "wss://10.0.0.1/x",
    ],
)
def test_secrets_and_addresses_are_redacted(text: str) -> None:
    """Wherever upstream put them."""
    shown = redact(text)
    assert "[redacted]" in shown or "[address]" in shown
    for secret in ("abcDEF", "abcdefgh", "ghi123456", "AIza", "internal", "10.0.0.1", "1234567890"):
        assert secret not in shown


def test_redacting_bounds_and_cleans() -> None:
    """4 KiB at most, whole characters, no control characters; ordinary text stays."""
    text = "Invalid value: 'ask-me' — naïve\nline\ttab 漢字"
    assert redact(text) == text
    assert redact("a\r\x00\x1b[31mb\u2028c") == "a   [31mb c"
    for letter in ("x", "é", "漢", "🙂"):
        long = redact(letter * 10_000)
        assert len(long.encode()) <= MAX_TEXT + 3
        assert long.strip(letter) in ("", "…")


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 1.0),
        ("-5", 1.0),
        ("0.2", 1.0),
        ("99999999999999999999", 600.0),
        ("1e999", 600.0),
        ("inf", 600.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("soon, -5", None),
        ("Wed, 99 Foo 2099 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds, clamped to 1 to 600; nonsense is none."""
    assert parse_retry_after(value, 0.0) == seconds


def test_retry_after_as_a_date() -> None:
    """Against the clock that is given."""
    assert parse_retry_after(formatdate(1_000_030, usegmt=True), 1_000_000.0) == 30.0
    assert parse_retry_after(formatdate(900_000, usegmt=True), 1_000_000.0) == 1.0
    assert parse_retry_after("Sun, 06 Nov 2094 08:49:37 GMT", 1_000_000.0) == 600.0


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({}, None),
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after-ms": b"7000", b"retry-after": b"9"}, 7.0),
        ({b"retry-after-ms": b"1", b"retry-after": b"9"}, 1.0),
        ({b"retry-after-ms": b"soon", b"retry-after": b"9"}, 9.0),
        ({b"retry-after-ms": b"nan"}, None),
    ],
)
def test_retry_advice(headers: dict[bytes, bytes], seconds: float | None) -> None:
    """The finer header first, the common one where it is absent or nonsense."""
    assert retry_advice(headers, 0.0) == seconds


@pytest.mark.parametrize("code", FAULTS)
def test_the_envelope(code: str) -> None:
    """Message, type, param and code, and the request id beside them; as an event it is one."""
    fault = Fault(code, "Why, and “what to do”.", param="x")
    shown = json.loads(render_fault(fault, "the-id"))
    assert shown == {
        "error": {"message": fault.message, "type": FAULTS[code].type, "param": "x", "code": code},
        "request_id": "the-id",
    }
    event = render_stream_fault(fault, "the-id")
    assert event.startswith(b"data: {") and event.endswith(b"}\n\n") and event.count(b"\n") == 2


def test_498_is_two_things() -> None:
    """Groq says so that it has no capacity, Cohere that it does not take the key; neither is the caller's fault."""
    groq = parse_fault(498, b'{"error": {"message": "Flex tier capacity exceeded.", "type": "server_error"}}')
    assert (groq.code, groq.status, groq.verdict) == ("overloaded", 503, "again")
    cohere = parse_fault(498, b'{"message": "The token is blocked or invalid."}')
    assert (cohere.code, cohere.status, cohere.verdict) == ("upstream_auth", 502, "next")


@pytest.mark.parametrize("code", ["\u00b2", "4\u00b20", "1" * 5000, "\u0664\u0660\u0660"])
def test_a_code_of_odd_digits_in_a_stream(code: str) -> None:
    """Not everything that Python calls a digit is one to int(), and not every number is short."""
    raw = msgspec.Raw(json.dumps({"message": "x", "code": code}).encode())
    assert fault_in_stream(raw).code in ("upstream_error", "upstream_invalid_request")
