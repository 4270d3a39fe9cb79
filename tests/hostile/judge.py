"""Play a case against a running gateway, and hold what comes back against what it says must come."""

from __future__ import annotations

import contextlib
import re
import time

from encke.core.faults import FAULTS
from encke.testing import wire
from encke.testing.behaviours import by_request
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.statement import Received, Statement
from tests.hostile.corpus import Answer, Case
from tests.support.client import Client, Response
from tests.support.gateway import lab

PROBE = b"GET /healthz HTTP/1.1\r\nhost: probe\r\n\r\n"

# What an answer may carry; anything else would be the upstream's, or somebody's who got a line of their own in.
RESPONSE_FIELDS = {
    *("content-type", "content-length", "transfer-encoding", "connection", "cache-control", "x-accel-buffering"),
    *("allow", "vary", "retry-after", "retry-after-ms", "x-should-retry", "openai-processing-ms"),
    *("x-request-id", "x-cometapi-request-id", "x-client-request-id"),
    *("x-encke-model", "x-encke-provider", "x-encke-attempts", "x-encke-error-code"),
}
ECHOED = ("x-client-request-id", "x-encke-model")
UPSTREAM_KEY = lab("")["providers"]["lab"]["api_key"]
# What the gateway sends to an upstream, and nothing more.
REQUEST_FIELDS = {"host", "content-type", "content-length", "accept", "accept-encoding", "authorization", "user-agent"}

# What an upstream must not be able to say through the gateway.
EVIL = [
    ("set-cookie", "session=evil; Path=/"),
    ("x-request-id", "evil"),
    ("x-should-retry", "evil"),
    ("x-encke-model", "evil"),
    ("server", "evil"),
    ("access-control-allow-origin", "*"),
    ("strict-transport-security", "max-age=1"),
    ("www-authenticate", "Basic"),
    ("keep-alive", "timeout=1"),
    ("x-ratelimit-limit-requests", "1"),
    ("openai-organization", "evil"),
    ("location", "http://evil.example/"),
    ("x-accel-redirect", "/evil"),
    ("trailer", "x-evil"),
]
_BODIES = {
    "/v1/completions": {"object": "text_completion", "choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]},
    "/v1/embeddings": {"object": "list", "data": [{"index": 0, "embedding": [0.5]}]},
    "/v1/moderations": {"id": "m", "results": [{"flagged": False}]},
}
_CHAT = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]}


def upstream(request: Request) -> Script:
    """The upstream's side: good answers on every route, with headers that must not come through."""
    if request.method == "GET" or (request.stream and request.path.endswith("/chat/completions")):
        return by_request(request)
    if request.stream and request.path.endswith("completions"):
        events = wire.sse({"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]})
        return Script([Send(wire.http_response(200, [wire.EVENT_STREAM, *EVIL], events))], "evil headers")
    body = _BODIES.get(request.path, _CHAT)
    return Script([Send(wire.json_response(200, body, EVIL))], "evil headers")


def play(case: Case, port: int) -> list[Response]:
    """Send a case's steps and check every answer and the fate of the connection. Raises AssertionError."""
    with Client(port, timeout=60) as client:
        with contextlib.suppress(ConnectionError):  # refused in the middle of it: the answer tells
            for step in case.steps:
                if isinstance(step, float):
                    time.sleep(step)
                elif step == "FIN":
                    client.half_close()
                elif step == "RST":
                    client.reset()
                    return []
                elif isinstance(step, bytes):
                    client.send(step)
        answers = []
        for want in case.want:
            answers.append(client.read(case.method))
            check(answers[-1], want, case.method)
        if case.closed:
            client.wait_ended()
            if answers:
                assert answers[-1].header("connection") == "close" or case.area == "time"
        else:
            assert answers[-1].header("connection") in (None, "keep-alive")
            client.send(PROBE)
            probe = client.read("GET")
            assert (probe.status, probe.body) == (200, b'{"status":"ok"}'), probe
        assert not client.buffer, f"one answer too many: {bytes(client.buffer[:300])!r}"
        return answers


def check(response: Response, want: Answer, method: str) -> None:
    """One answer: status, code and param, and everything that every answer must have."""
    said = response.body[:400]
    assert response.status == want.status, f"{response.status} for {want.status}: {said!r}"
    assert response.complete and response.version == "HTTP/1.1"
    names = [name.lower() for name, _ in response.headers]
    assert set(names) <= RESPONSE_FIELDS, set(names) - RESPONSE_FIELDS
    assert len(names) == len(set(names)), names
    # What the caller itself said of its request and of its model comes back to it.
    assert all("evil" not in value for name, value in response.headers if name not in ECHOED)
    if response.status < 400:
        return
    assert response.header("content-type") == "application/json"
    assert response.header("x-should-retry") == "false"
    assert (response.header("allow") is not None) == (response.status == 405)
    said_code = response.header("x-encke-error-code")
    assert said_code == want.code or (method == "HEAD" and said_code), said_code
    if method != "HEAD":
        check_envelope(response, want)


def check_envelope(response: Response, want: Answer | None = None) -> None:
    """The error envelope, as every SDK expects it."""
    body = response.json()
    error = body["error"]
    assert set(body) == {"error", "request_id"} and set(error) == {"message", "type", "param", "code"}, body
    assert body["request_id"] == response.header("x-request-id") and re.fullmatch(r"[0-9a-f-]{36}", body["request_id"])
    kind = FAULTS[error["code"]]
    assert (error["type"], response.status) == (kind.type, kind.status), body
    assert isinstance(error["message"], str) and 10 < len(error["message"]) < 1000, body
    assert "Traceback" not in error["message"] and "Error(" not in error["message"]
    if want is not None:
        assert (error["code"], error["param"]) == (want.code, want.param), body


def check_calls(case: Case, statement: Statement) -> None:
    """That the upstream was called as often as it should be, with nothing of the client's but the body."""
    calls = [call for call in statement.calls() if case.nonce == call.nonce]
    assert not [call for call in statement.calls() if call.nonce == case.hidden], "a hidden request was sent on"
    if f"token:{case.nonce}".encode() in case.data:
        assert len(calls) == case.calls, f"{len(calls)} calls, not {case.calls}"


def check_upstream_request(call: Received) -> None:
    """One request as the upstream got it."""
    names = [name.lower() for name, _ in call.headers]
    assert set(names) <= REQUEST_FIELDS, set(names) - REQUEST_FIELDS
    assert len(names) == len(set(names)), names
    assert call.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert call.target in ("/v1/chat/completions", "/v1/models", *_BODIES), call.target
    assert not any("evil" in value for _, value in call.headers)
