"""How long the gateway waits for an upstream, and what it tells a caller who waits with it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.relay.conftest import Start, provider
from tests.relay.ledger import Line, lines
from tests.support.client import Response, chat
from tests.support.gateway import Gateway

COMMENT = b": keep-alive\n\n"
_NONCES = count()


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """Small limits, and keep-alives after a third of a second."""
    limits = {
        "patient": {},
        "hasty": {"timeouts": {"first_byte": 1.5, "idle": 60, "total": 60}},
        "brief": {"timeouts": {"first_byte": 60, "idle": 60, "total": 1.5}},
        "steady": {"timeouts": {"first_byte": 60, "idle": 1.5, "total": 60}},
    }
    tables = {name: provider(upstream.url, dialect="openai_chat", **more) for name, more in limits.items()}
    over = {"targets": [{"provider": "patient", "model": "fault-503"}], "fallback": ["patient/good"]}
    return start(
        {
            "providers": tables,
            "models": {"over": over},
            "stream": {"early_keepalive": 0.3, "keepalive": 0.3},
            "routing": {"breaker": "off", "backoff": 0.05},
        }
    )


def ask(gateway: Gateway, model: str, stream: bool, **options: Any) -> tuple[Response, list[Line]]:
    text = f"token:p{next(_NONCES)} behave: {json.dumps(options)}"
    response = gateway.chat(chat(text, model, **({"stream": True} if stream else {})), timeout=60)
    return response, lines(gateway, response.header("x-request-id") or "")


def error_of(response: Response) -> dict[str, Any]:
    """The last event's error; the stream must not have ended in order."""
    value: dict[str, Any] = json.loads(response.events()[-1])
    assert not response.complete and b"[DONE]" not in response.body
    assert value["request_id"] == response.header("x-request-id")
    found: dict[str, Any] = value["error"]
    return found


def check_early_head(response: Response) -> None:
    """200, the request id, and nothing that is not known yet; comments first."""
    assert response.status == 200
    assert (response.header("content-type") or "").startswith("text/event-stream")
    assert response.header("x-request-id")
    for name in ("x-encke-provider", "x-encke-attempts", "x-should-retry", "openai-processing-ms"):
        assert response.header(name) is None
    assert response.body.startswith(COMMENT)


def test_late_content_comes_through(gateway: Gateway) -> None:
    """Comments until it comes, then the stream as ever, and no comment in it."""
    response, entries = ask(gateway, "patient/m", True, first_delay=1.5)
    check_early_head(response)
    comments = response.body.count(COMMENT)
    assert comments >= 2
    stream = response.body[comments * len(COMMENT) :]
    assert stream.startswith(b'data: {"id"') and stream.endswith(b"data: [DONE]\n\n")
    assert response.complete
    assert [entry.status for entry in entries] == ["complete"]


def test_slow_content_needs_no_comments(gateway: Gateway) -> None:
    """Once content flows, the pauses between its events are upstream's."""
    response, entries = ask(gateway, "patient/m", True, name="slow_chunks", interval=0.7, chunks=3)
    assert response.complete and COMMENT not in response.body
    assert response.header("x-encke-attempts") == "1"
    assert [entry.status for entry in entries] == ["complete"]


@pytest.mark.parametrize("name, code, entry", [("503", "overloaded", "refused"), ("400", "invalid_value", "refused")])
def test_a_late_error_is_an_event(gateway: Gateway, name: str, code: str, entry: str) -> None:
    """The status has gone; the code has not."""
    response, entries = ask(gateway, "patient/m", True, name=name, first_delay=1.0)
    check_early_head(response)
    assert error_of(response)["code"] == code
    assert (entries[-1].status, entries[-1].final) == (entry, 1) and len(entries) == (3 if name == "503" else 1)


def test_another_target_is_tried_after_comments(gateway: Gateway) -> None:
    """Comments are no content: the call may still move on."""
    response, entries = ask(gateway, "over", True, first_delay=0.8)
    check_early_head(response)
    assert response.body.endswith(b"data: [DONE]\n\n") and b'"model":"good"' in response.body
    assert [one.status for one in entries] == ["refused", "complete"]


def test_answers_that_are_no_streams_get_no_comments(gateway: Gateway) -> None:
    """Their status stays open until they are whole."""
    response, _ = ask(gateway, "patient/m", False, name="503", first_delay=1.0)
    assert response.status == 503


def test_the_first_byte_has_a_limit(gateway: Gateway) -> None:
    """Of a stream; after early comments it is told as an event."""
    response, entries = ask(gateway, "hasty/m", True, name="stall_before_head")
    check_early_head(response)
    assert error_of(response)["code"] == "upstream_timeout"
    assert [(one.status, one.reason) for one in entries] == [("uncertain", "upstream_timeout")]
    response, _ = ask(gateway, "hasty/m", False, first_delay=3.0)
    assert response.status == 200, "the first byte of an answer that is no stream has no limit of its own"


def test_the_whole_has_a_limit(gateway: Gateway) -> None:
    """A stream that goes on for too long is cut, however lively; an answer that does not come is 504."""
    response, entries = ask(gateway, "brief/m", True, name="slow_chunks", interval=0.1, chunks=600)
    assert response.status == 200 and error_of(response)["code"] == "upstream_timeout"
    assert [(one.status, one.reason) for one in entries] == [("truncated", "upstream_timeout")]
    assert entries[0].output > 0 and entries[0].estimated
    response, entries = ask(gateway, "brief/m", False, first_delay=30.0)
    assert (response.status, response.json()["error"]["code"]) == (504, "upstream_timeout")
    assert [one.status for one in entries] == ["uncertain"]


def test_silence_has_a_limit(gateway: Gateway) -> None:
    """Silence in the middle is told from slowness."""
    response, entries = ask(gateway, "steady/m", True, name="stall_mid_stream")
    assert response.status == 200 and error_of(response)["code"] == "upstream_idle"
    assert [(one.status, one.reason) for one in entries] == [("truncated", "upstream_idle")]
    response, _ = ask(gateway, "steady/m", True, name="slow_chunks", interval=0.5, chunks=6)
    assert response.complete and response.body.endswith(b"data: [DONE]\n\n")


def test_upstream_is_left_when_patience_ends(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Its connection is closed, so that it stops working."""
    ask(gateway, "steady/m", True, name="stall_mid_stream")
    upstream.statement.wait_for(lambda s: len(s.outcomes()) == len(s.calls()))
    assert upstream.statement.outcomes()[-1].ended == "peer_left"
