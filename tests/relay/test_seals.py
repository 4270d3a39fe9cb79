"""Thoughts that another account has sealed, through the real gateway: refused once, they are left out, and told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from encke.testing.wire import json_response
from tests.relay.conftest import Start, provider
from tests.support.client import Response
from tests.support.gateway import Gateway

REFUSALS = {
    "/v1/messages": {"type": "error", "error": {
        "type": "invalid_request_error", "message": "messages.1.content.0: Invalid `signature` in `thinking` block"}},
    "/v1/responses": {"error": {
        "message": "The encrypted content gAAA could not be verified.", "type": "invalid_request_error",
        "param": None, "code": "invalid_encrypted_content"}},
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/messages": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 3, "output_tokens": 1},
    },
    "/v1/responses": {
        "id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": [],
        "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
    },
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"}, {"type": "text", "text": "yes"}]},
            {"role": "user", "content": "on"},
        ],
    },
    "/v1/responses": {
        "store": False,
        "input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "EqQB"},
                  {"role": "user", "content": "on"}],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """Both makers' models, in front of the one upstream."""
    tables = {
        "/v1/messages"[4:]: provider(upstream.url, dialect="anthropic_messages"),
        "/v1/responses"[4:]: provider(upstream.url, dialect="openai_responses"),
    }
    return start({"providers": tables, "routing": {"breaker": "off", "retries": 1}})


def ask(gateway: Gateway, upstream: FakeUpstream, path: str, *, answered: bool, **headers: str) -> Response:
    """A call whose first attempt is refused for what is sealed in it."""
    upstream.queue(Script([Send(json_response(400, REFUSALS[path]))]))
    if answered:
        upstream.queue(Script([Send(json_response(200, ANSWERS[path]))]))
    with gateway.client() as client:
        return client.call("POST", path, {"model": f"{path[4:]}/m", **BODIES[path]}, key=gateway.key, headers=headers)


@pytest.mark.parametrize("path", list(BODIES))
def test_once_more_without(gateway: Gateway, upstream: FakeUpstream, path: str) -> None:
    """The same target is asked once more, without the thought, and the answer says so."""
    before = len(upstream.statement.calls())
    answer = ask(gateway, upstream, path, answered=True)
    assert answer.status == 200, answer.body
    assert answer.json()["id"] == ANSWERS[path]["id"]
    assert (answer.header("x-encke-dropped") or "").startswith(("thinking", "input[0]", "messages[1]", "reasoning"))
    assert answer.header("x-encke-attempts") == "2"
    first, second = upstream.statement.calls()[before:]
    assert b"EqQB" in first.body and b"EqQB" not in second.body
    left = json.loads(second.body)
    assert (left.get("messages") or left["input"])[-1]["content"] == "on"


@pytest.mark.parametrize("path", list(BODIES))
def test_who_wants_nothing_left_out_is_told(gateway: Gateway, upstream: FakeUpstream, path: str) -> None:
    """The provider's own 400, at once."""
    before = len(upstream.statement.calls())
    answer = ask(gateway, upstream, path, answered=False, **{"x-encke-unsupported": "reject"})
    assert answer.status == 400 and answer.json()["error"]["message"] == REFUSALS[path]["error"]["message"]  # type: ignore[index]
    assert len(upstream.statement.calls()) == before + 1


def test_no_more_attempts_than_there_may_be(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Where they have been used up by failures, the caller gets the provider's 400."""
    path = "/v1/messages"
    before = len(upstream.statement.calls())
    upstream.queue(Script([Send(json_response(503, {"error": {"message": "busy"}}))]))
    answer = ask(gateway, upstream, path, answered=False)
    assert answer.status == 400 and answer.json()["error"]["message"] == REFUSALS[path]["error"]["message"]  # type: ignore[index]
    assert answer.header("x-encke-attempts") == "2"
    assert len(upstream.statement.calls()) == before + 2
