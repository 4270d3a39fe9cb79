"""What a worker answers to browsers and to the curious: OPTIONS, preflights, origins; through the real gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from encke.worker.routes import METHODS
from tests.support.gateway import Gateway

ORIGIN = "https://app.example"
CHAT = "/v1/chat/completions"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that one page of the web may use."""
    settings = {"server": {"workers": 1, "cors_origins": [ORIGIN]}, "local": {"enabled": False}}
    with Gateway(tmp_path_factory.mktemp("cors"), settings) as running:
        yield running


def test_options_has_one_clear_length(gateway: Gateway) -> None:
    """OPTIONS says what is allowed, without a key; its answer is empty and says so, and the connection goes on."""
    with gateway.client() as client:
        answer = client.call("OPTIONS", CHAT)
        assert (answer.status, answer.header("content-length"), answer.body) == (200, "0", b"")
        assert answer.header("allow") == "POST, OPTIONS"
        assert client.call("OPTIONS", "/v1/models").header("allow") == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://evil.example", None), ("null", None)])
def test_preflight(gateway: Gateway, origin: str, allowed: str | None) -> None:
    """Only a configured origin is let in, never with credentials; others get no access header at all."""
    with gateway.client() as client:
        answer = client.call("OPTIONS", CHAT, headers={"Origin": origin, **ASKS})
    assert answer.header("access-control-allow-origin") == allowed
    assert answer.header("access-control-allow-methods") == ("POST, OPTIONS" if allowed else None)
    assert answer.header("access-control-allow-headers") == (
        ASKS["Access-Control-Request-Headers"] if allowed else None
    )
    assert answer.header("access-control-allow-credentials") is None
    assert answer.header("vary") == "origin"


def test_errors_reach_the_page(gateway: Gateway) -> None:
    """A page can read an error too: its status, its text and its request id."""
    with gateway.client() as client:
        answer = client.call("POST", CHAT, {}, headers={"Origin": ORIGIN})
    assert (answer.status, answer.json()["error"]["code"]) == (401, "missing_api_key")
    assert answer.header("access-control-allow-origin") == ORIGIN
    assert "x-request-id" in (answer.header("access-control-expose-headers") or "")


def test_a_refusal_after_an_answer_has_a_head_of_its_own(gateway: Gateway) -> None:
    """What cannot be read after a call that was answered is answered like the first: status, headers, envelope."""
    with gateway.client() as client:
        assert client.call("GET", "/healthz").status == 200
        client.send(b"garbage\r\n\r\n")
        answer = client.read()
        assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_request")
        assert answer.header("x-should-retry") == "false" and client.wait_ended()


def test_connect_waits_for_the_answers_before_it(gateway: Gateway) -> None:
    """A CONNECT that came in one piece with a good request takes nothing from that one."""
    with gateway.client() as client:
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nCONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [client.read("GET").status, client.read().status] == [200, 405]
        assert client.wait_ended()


@pytest.mark.parametrize(
    ("version", "host", "connection"),
    [("1.0", "", "upgrade"), ("1.1", "Host: x\r\n", "upgrade, close"), ("1.1", "Host: x\r\n", "close, upgrade")],
)
def test_a_wish_for_another_protocol_changes_nothing_else(
    gateway: Gateway, version: str, host: str, connection: str
) -> None:
    """Who asks to upgrade is answered as by its version, and its connection is closed if it asked for that too."""
    with gateway.client() as client:
        client.send(f"GET /healthz HTTP/{version}\r\n{host}Connection: {connection}\r\nUpgrade: h2c\r\n\r\n".encode())
        answer = client.read("GET")
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert client.wait_ended()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/nothing", "under /v1, such as /v1/chat/completions, and those with the model in the path under /v1beta"),
        ("/v1beta", "/v1beta/models/MODEL:generateContent"),
        ("/v1/v1beta/models/m:generateContent", "take it off the base URL"),
        ("/v1/responses/resp_1", "Answers are not kept here"),
        ("/v1/responses/input_tokens", "Answers are not kept here"),
    ],
)
def test_a_path_that_is_none(gateway: Gateway, path: str, says: str) -> None:
    """404, which says where the routes of each dialect are, and what there is in place of what was asked for."""
    with gateway.client() as client:
        answer = client.call("POST", path, {}, key=gateway.key)
    assert (answer.status, answer.header("x-encke-error-code")) == (404, "not_found")
    assert says in answer.json()["error"]["message"]


def test_a_method_that_is_none(gateway: Gateway) -> None:
    """404 with those that there are, in the dialect that was meant."""
    with gateway.client() as client:
        answer = client.call("POST", "/v1beta/models/m:frobnicate", {}, key=gateway.key)
    assert (answer.status, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    message = answer.json()["error"]["message"]
    assert "`frobnicate`" in message and all(name in message for name in METHODS)


def test_no_key_in_each_dialect(gateway: Gateway) -> None:
    """The envelope and the header are the caller's own; the code is in a header for those that have no place for it."""
    with gateway.client() as client:
        anthropic = client.call("POST", "/v1/messages", {})
        google = client.call("POST", "/v1beta/models/m:generateContent", {})
    assert anthropic.json()["error"]["type"] == "authentication_error" and "x-api-key" in anthropic.body.decode()
    assert google.json()["error"]["status"] == "UNAUTHENTICATED" and "x-goog-api-key" in google.body.decode()
    assert {one.header("x-encke-error-code") for one in (anthropic, google)} == {"missing_api_key"}
