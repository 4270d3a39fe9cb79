"""Every named behaviour of an upstream, through the real gateway: the caller's status, the connection, the ledger."""

from __future__ import annotations

import gzip
import json
from itertools import count as numbers
from typing import Any

import pytest

from encke.testing.behaviours import BEHAVIOURS
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from encke.testing.wire import http_response
from tests.conftest import Count
from tests.relay.conftest import Start, provider
from tests.relay.ledger import Line, lines
from tests.relay.matrix import EITHER, MATRIX, STALLS, Want
from tests.support.client import Client, Response, chat
from tests.support.gateway import Gateway

CHAT = "/v1/chat/completions"
CANARY = "/canary"
NO_RETRY = {400, 404, 413, 422}
ATTEMPTS = 3  # at a target that is tried again: `routing.retries` is 2
FINISHED = b'"finish_reason":"'
_NONCES = numbers()


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """One provider with the usual patience, and one with little of it."""
    lab = provider(upstream.url, dialect="openai_chat")
    hasty = {**lab, "timeouts": {"first_byte": 0.5, "idle": 0.5, "total": 1.5}}
    nowhere = {**lab, "base_url": "http://no-such-host.invalid/v1"}
    no_tls = {**lab, "base_url": f"{upstream.url.replace('http:', 'https:')}/v1", "timeouts": {"connect": 1.0}}
    tables = {"lab": lab, "hasty": hasty, "nowhere": nowhere, "no-tls": no_tls}
    fallbacks = {"routing": {"breaker": "off", "backoff": 0.01}}
    models = {f"over-{name}": {"targets": [target_of(name)], "fallback": ["lab/spare"]} for name in MATRIX}
    return start({"providers": tables, "models": models, **fallbacks})


def target_of(name: str) -> dict[str, str]:
    """The target that has the behaviour."""
    return {"provider": "hasty" if name in STALLS else "lab", "model": f"fault-{name.replace('_', '-')}"}


def ask(client: Client, gateway: Gateway, name: str, stream: bool, over: bool = False) -> tuple[str, Response]:
    """Call a behaviour, or with `over` a model that has it and a sound fallback.

    Returns the nonce that finds it in the upstream's statement, and the response.
    """
    nonce = f"n{next(_NONCES)}"
    options: dict[str, Any] = {"megabytes": 40 if "cap" in name else 2, "seconds": 30, "location": CANARY}
    if name == "slow_chunks":
        options["interval"] = 0.001
    target = target_of(name)
    model = f"over-{name}" if over else f"{target['provider']}/{target['model']}"
    body = chat(f"token:{nonce} behave: {json.dumps(options)}", model, **({"stream": True} if stream else {}))
    return nonce, client.call("POST", CHAT, body, key=gateway.key)


def calls_of(upstream: FakeUpstream, nonce: str) -> int:
    """How often upstream was asked."""
    return sum(one.nonce == nonce for one in upstream.statement.calls())


def test_the_matrix_is_complete(count: Count) -> None:
    """Every behaviour stands in it."""
    assert set(MATRIX) | EITHER == set(BEHAVIOURS)
    cells = f"{len(MATRIX)} behaviours, with and without streams, with and without another target"
    count(f"failure matrix: {cells}: {4 * len(MATRIX)} cells")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", MATRIX)
def test_what_comes_of_it(gateway: Gateway, upstream: FakeUpstream, name: str, stream: bool) -> None:
    """Status, code, retry advice, ids, the connection's fate, no end that upstream did not send, and the entries."""
    want = MATRIX[name][stream]
    with gateway.client(timeout=60) as client:
        nonce, response = ask(client, gateway, name, stream)
        assert response.status == want.status, response.body[:500]
        check_head(response, want)
        if want.broken:
            check_broken(client, response, want)
        else:
            assert response.complete
            check_whole(response, want, nonce, stream, name)
            assert client.call("GET", "/healthz").status == 200, "the connection can be used again"
    check_ledger(gateway, upstream, response, want, nonce)


def check_head(response: Response, want: Want) -> None:
    """What stands in every head."""
    assert response.header("x-request-id")
    assert response.header("x-cometapi-request-id") == response.header("x-request-id")
    assert response.header("location") is None
    if want.status == 200:
        assert response.header("x-should-retry") is None
        return
    after = response.header("retry-after")
    if want.retry_after is None:
        assert after is None
    else:
        low, high = want.retry_after
        assert after is not None and low <= int(after) <= high
        assert int(response.header("retry-after-ms") or 0) <= int(after) * 1000
    retry = want.status not in NO_RETRY and want.code != "upstream_auth" and int(after or 0) <= 60
    assert response.header("x-should-retry") == ("true" if retry else "false")


def check_error(value: dict[str, Any], response: Response, want: Want) -> None:
    """The envelope: the code, the request id, and nothing that is upstream's secret."""
    assert set(value["error"]) == {"message", "type", "param", "code"}
    assert (value["error"]["code"] or "") == want.code
    assert value["error"]["message"]
    assert value["request_id"] == response.header("x-request-id")
    for secret in ("sk-upstream", "127.0.0.1", "Captive", "elsewhere", "Traceback"):
        assert secret not in json.dumps(value)


def check_broken(client: Client, response: Response, want: Want) -> None:
    """Content, then the error as the last event; no end mark, no finish, and no orderly end of the body."""
    *before, last = response.events()
    assert any("token:" in event for event in before)
    check_error(json.loads(last), response, want)
    assert b"[DONE]" not in response.body and FINISHED not in response.body
    assert not response.complete
    client.wait_ended()


def check_whole(response: Response, want: Want, nonce: str, stream: bool, name: str) -> None:
    """An error's envelope, a whole answer, or a stream that ends once."""
    if want.status != 200:
        assert response.header("content-type") == "application/json"
        check_error(response.json(), response, want)
    elif not stream:
        assert f"token:{nonce}" in response.json()["choices"][0]["message"]["content"]
    else:
        events = response.events()
        assert events[-1] == "[DONE]" and events.count("[DONE]") == 1
        assert name == "done_only" or sum('"finish_reason":"' in event for event in events) == 1
        assert b"\r" not in response.body and not response.body.startswith(b"\xef\xbb\xbf")
        assert b'"usage"' not in response.body or name == "usage_backwards"


def check_ledger(gateway: Gateway, upstream: FakeUpstream, response: Response, want: Want, nonce: str) -> None:
    """As many entries as upstream calls, the last of them final and with the right status."""
    entries = lines(gateway, response.header("x-request-id") or "")
    assert [entry.attempt for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) == (ATTEMPTS if want.then == "again" else 1) + crossings(entries)
    assert [entry.final for entry in entries] == [*[0] * (len(entries) - 1), 1]
    assert len(entries) == int(response.header("x-encke-attempts") or 0)
    assert len(entries) - crossings(entries) <= calls_of(upstream, nonce) <= len(entries)
    if want.code == "upstream_too_large":
        dropped = {one.connection for one in upstream.statement.calls() if one.nonce == nonce}
        upstream.statement.wait_for(lambda s: dropped <= {one.connection for one in s.disconnected() if one.by_peer})
    last = entries[-1]
    assert last.status == want.entry
    if want.code and want.entry != "refused":
        assert last.reason == want.code
    if want.entry in ("complete", "truncated"):
        assert bool(last.estimated) == want.estimated
        assert last.input > 0
    if want.entry == "refused":
        assert (last.input, last.output) == (0, 0)
    if want.entry == "failed":
        # A provider that answers 200 with garbage has read the request; one that was not reached has not.
        assert last.output == 0
        assert bool(last.input) == bool(last.estimated)


def crossings(entries: list[Line]) -> int:
    """A request may cross the end of a connection that was kept: then it was sent, and perhaps never read."""
    return sum(entry.reason == "upstream_reset" for entry in entries[:-1])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", MATRIX)
def test_what_comes_of_it_with_another_target(
    gateway: Gateway, upstream: FakeUpstream, name: str, stream: bool
) -> None:
    """What another may do better, another does, and the caller sees nothing of it; all else ends as without one."""
    want = MATRIX[name][stream]
    with gateway.client(timeout=60) as client:
        nonce, response = ask(client, gateway, name, stream, over=True)
    entries = lines(gateway, response.header("x-request-id") or "")
    tried = len(entries) - crossings(entries)
    assert tried <= calls_of(upstream, nonce) <= len(entries) == int(response.header("x-encke-attempts") or 0)
    if want.then == "stop":
        assert (tried, response.status, entries[-1].model) == (1, want.status, target_of(name)["model"])
        return
    assert (tried, response.status, response.complete) == (2, 200, True), response.body[:300]
    assert [(entry.model, entry.final) for entry in entries[-2:]] == [(target_of(name)["model"], 0), ("spare", 1)]
    assert (entries[-2].status, entries[-1].status) == (want.entry, "complete")
    assert entries[-2].output == 0
    if stream:
        events = [json.loads(event) for event in response.events() if event != "[DONE]"]
        assert {event["model"] for event in events} == {"spare"} and response.body.count(b'"role"') == 1
        assert response.body.endswith(b"data: [DONE]\n\n")
    else:
        assert response.json()["model"] == "spare"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", sorted(EITHER))
def test_more_than_one_answer(gateway: Gateway, name: str, stream: bool) -> None:
    """What follows an answer is never relayed, and the next call on any connection gets its own answer."""
    with gateway.client() as client:
        nonce, response = ask(client, gateway, name, stream)
        assert response.complete and response.status in (200, 502)
        assert b"smuggled" not in response.body and b"nobody asked" not in response.body
        if response.status == 200:
            assert nonce.encode() in response.body
        for _ in range(3):
            nonce, response = ask(client, gateway, "polite", False)
            assert f"token:{nonce}" in response.json()["choices"][0]["message"]["content"]


def test_an_early_refusal_of_a_large_body(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Upstream answers 400 before it has read: the caller gets it, and soon; the rest of the body is not sent."""
    before = {one.connection for one in upstream.statement.disconnected()}
    with gateway.client(timeout=60) as client:
        body = chat("x" * (24 << 20), "lab/fault-early-400-before-body")
        response = client.call("POST", CHAT, body, key=gateway.key)
    assert (response.status, response.json()["error"]["code"]) == (400, "invalid_value")
    early = upstream.statement.calls()[-1].connection
    assert early not in before
    upstream.statement.wait_for(lambda s: any(one.connection == early for one in s.disconnected()))
    taken = next(one.received for one in upstream.statement.disconnected() if one.connection == early)
    assert taken < 20 << 20, "it is the kernel's buffers that were sent, not the body"


def test_nobody_listens(gateway: Gateway, upstream: FakeUpstream) -> None:
    """A provider that refuses connections is asked again, then it is 502 upstream_unreachable; nothing is counted."""
    upstream.drop()
    upstream.refuse()
    try:
        with gateway.client() as client:
            _, response = ask(client, gateway, "polite", True)
    finally:
        upstream.accept()
    assert (response.status, response.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert response.header("x-should-retry") == "true"
    entries = lines(gateway, response.header("x-request-id") or "")
    assert [(entry.status, entry.input, entry.http_status) for entry in entries] == [("failed", 0, 0)] * ATTEMPTS


@pytest.mark.parametrize("who", ["nowhere", "no-tls"])
def test_no_way_to_the_provider(gateway: Gateway, who: str) -> None:
    """A name that does not resolve and a port that speaks no TLS: the same 502, and nothing of the address in it."""
    response = gateway.chat(chat("Hi", f"{who}/m"), timeout=60)
    assert (response.status, response.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert b"invalid" not in response.body.replace(b"invalid_", b"") and b"127.0.0.1" not in response.body
    (entry,) = lines(gateway, response.header("x-request-id") or "")
    assert (entry.status, entry.input) == ("failed", 0)


def test_the_gateway_is_none_the_worse(upstream: FakeUpstream, gateway: Gateway) -> None:
    """After all of the above it has not crashed anywhere, and asked for nothing but in well-formed requests."""
    assert gateway.process.poll() is None
    assert '"event":"crash"' not in gateway.log and "Traceback" not in gateway.log
    assert upstream.statement.rejected() == []
    assert all(call.target == CHAT for call in upstream.statement.calls()), "a redirect was followed"


def test_a_compressed_refusal_keeps_its_status(gateway: Gateway, upstream: FakeUpstream) -> None:
    """A caller's 400 stays one, though upstream compressed it unasked and its words cannot be read."""
    headers = [("content-type", "application/json"), ("content-encoding", "gzip")]
    upstream.queue(Script([Send(http_response(400, headers, gzip.compress(b'{"error": {"message": "no"}}')))]))
    with gateway.client() as client:
        response = client.call("POST", CHAT, chat("hello", "lab/any"), key=gateway.key)
    assert response.status == 400
    assert "400" in response.json()["error"]["message"]
