"""Google's error envelope, written for every row of the table, and read."""

from __future__ import annotations

import json

import pytest

from encke.core.faults import FAULTS, Fault
from encke.dialects.google_generate.faults import fault_of_event, read_fault, render_fault, render_stream_fault

WORDS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
DELAY = (
    b'{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":'
    b'"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37.5s"}]}}'
)


@pytest.mark.parametrize("code", FAULTS)
def test_every_fault_has_googles_envelope(code: str) -> None:
    """Code, message and a status of google.rpc.Code, the gateway's own code as reason, and the request's id."""
    error = json.loads(render_fault(Fault(code, "Why."), "req-1"))["error"]
    assert error["code"] == FAULTS[code].status and error["message"] == "Why."
    assert error["status"] == WORDS.get(error["code"], error["status"]) or code == "unpriced_model"
    reasons = [detail.get("reason") for detail in error["details"]]
    assert code.upper() in reasons and error["details"][1]["requestId"] == "req-1"


def test_details() -> None:
    """The field that is wrong, and how long to wait."""
    fault = Fault("invalid_type", "Wrong.", param="contents[0].role", retry_after=2.0)
    details = json.loads(render_fault(fault, "r"))["error"]["details"]
    assert details[2]["fieldViolations"][0]["field"] == "contents[0].role"
    assert details[3]["retryDelay"] == "2s"


def test_a_failure_in_a_stream() -> None:
    """An event whose first field is the error, as the SDKs want it."""
    assert render_stream_fault(Fault("overloaded", "x"), "r").startswith(b'data: {"error":{"code":503')


def test_googles_own_word_goes_back() -> None:
    """What Google called it, where its refusal goes to the caller."""
    body = b'{"error":{"code":400,"message":"Location.","status":"FAILED_PRECONDITION"}}'
    fault = read_fault(400, body, None)
    assert fault.code == "upstream_invalid_request" and fault.status == 400
    assert json.loads(render_fault(fault, "r"))["error"]["status"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize(
    ("status", "body", "code", "verdict"),
    [
        (
            400,
            b'{"error":{"code":400,"message":"x","details":[{"reason":"API_KEY_INVALID"}]}}',
            "upstream_auth",
            "next",
        ),
        (400, b'{"error":{"message":"API key not valid. Please pass a valid API key."}}', "upstream_auth", "next"),
        (403, b'{"error":{"status":"PERMISSION_DENIED"}}', "upstream_auth", "next"),
        (
            404,
            b'{"error":{"message":"models/x is not found","status":"NOT_FOUND"}}',
            "upstream_invalid_request",
            "stop",
        ),
        (429, b'[{"error":{"message":"Quota.","status":"RESOURCE_EXHAUSTED"}}]', "upstream_rate_limited", "again"),
        (500, b'{"error":{"status":"INTERNAL"}}', "upstream_error", "again"),
        (503, b'{"error":{"message":"The model is overloaded."}}', "overloaded", "again"),
        (504, b'{"error":{"status":"DEADLINE_EXCEEDED"}}', "upstream_timeout", "next"),
        (404, b"<!DOCTYPE html>", "upstream_invalid_request", "stop"),
        (
            400,
            b'{"error":{"message":"The input token count (12) exceeds the maximum number of tokens allowed (10)."}}',
            "context_length_exceeded",
            "stop",
        ),
        (
            400,
            b'{"error":{"message":"The input token count 12 exceeds the maximum number of tokens allowed 10."}}',
            "context_length_exceeded",
            "stop",
        ),
    ],
)
def test_errors_read(status: int, body: bytes, code: str, verdict: str) -> None:
    """Whose fault it is, and what may help."""
    fault = read_fault(status, body, None)
    assert (fault.code, fault.verdict) == (code, verdict)


def test_how_long_to_wait() -> None:
    """Google says it in the body; a header goes before."""
    assert read_fault(429, DELAY, None).retry_after == 37.5
    assert read_fault(429, DELAY, 3.0).retry_after == 3.0


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"code":429,"status":"RESOURCE_EXHAUSTED"}', "upstream_rate_limited"),
        (b'{"status":"INVALID_ARGUMENT","message":"x"}', "upstream_invalid_request"),
        (b'"odd"', "upstream_error"),
        (b"7", "upstream_error"),
    ],
)
def test_errors_inside_an_answer(raw: bytes, code: str) -> None:
    """By code, or by status, or by neither."""
    assert fault_of_event(raw).code == code
