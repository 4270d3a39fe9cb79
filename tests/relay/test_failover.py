"""Before content a call may go to another target, after it never; every try stands in the ledger once."""

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

# What one target does, and whether the next may be tried.
MOVES_ON = ("429", "429_seconds", "500", "502", "503", "504", "529", "401", "402", "403", "408")
MOVES_ON_BAD_ANSWER = ("html_200", "garbage_200", "empty_200", "half_json", "garbage_http")
MOVES_ON_STREAM = ("empty_stream", "error_first_in_stream")
STOPS = ("400", "404", "413", "422", "redirect_302", "header_over_64k", "reset_before_head", "fin_in_head")
STOPS_STREAM = ("sse_no_terminal", "error_in_stream", "reset_mid_stream", "fin_mid_stream", "stall_mid_stream")
UNCERTAIN = ("reset_before_head", "fin_in_head", "stall_before_head")
ALL = (*MOVES_ON, *MOVES_ON_BAD_ANSWER, *MOVES_ON_STREAM, *STOPS, *STOPS_STREAM, *UNCERTAIN)
_NONCES = count()


def fault(name: str) -> str:
    return f"fault-{name.replace('_', '-')}"


def settings(url: str, **routing: Any) -> dict[str, Any]:
    """A model for every behaviour, whose one target has it and whose fallback is sound."""
    timeouts = {"first_byte": 1.0, "idle": 1.0, "total": 3.0}
    lab = provider(url, dialect="openai_chat", timeouts=timeouts)
    spare = provider(url, dialect="openai_chat")
    dead = provider("http://127.0.0.1:9", dialect="openai_chat")
    models: dict[str, Any] = {
        f"over-{name}": {"targets": [{"provider": "lab", "model": fault(name)}], "fallback": ["spare/good"]}
        for name in ALL
    }
    models["over-dead"] = {"targets": [{"provider": "dead", "model": "x"}], "fallback": ["spare/good"]}
    bad = [f"lab/{fault(name)}" for name in ("503", "502", "500")]
    models["chain"] = {"targets": [{"provider": "lab", "model": fault("429")}], "fallback": [*bad, "spare/good"]}
    both = [{"provider": "lab", "model": fault("503")}, {"provider": "spare", "model": "good"}]
    models["pair"] = {"targets": both}
    return {
        "providers": {"lab": lab, "spare": spare, "dead": dead},
        "models": models,
        "routing": {"breaker": "off", **routing},
    }


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """With the usual routing."""
    return start(settings(upstream.url))


@pytest.fixture(scope="module")
def bold(upstream: FakeUpstream, start: Start) -> Gateway:
    """One that tries again also when upstream may have done the work."""
    return start(settings(upstream.url, retry_uncertain=True))


def ask(gateway: Gateway, model: str, stream: bool, **options: Any) -> tuple[str, Response, list[Line]]:
    nonce = f"f{next(_NONCES)}"
    text = f"token:{nonce}" + (f" behave: {json.dumps(options)}" if options else "")
    response = gateway.chat(chat(text, model, **({"stream": True} if stream else {})), timeout=20)
    return nonce, response, lines(gateway, response.header("x-request-id") or "")


def check_moved_on(gateway: Gateway, upstream: FakeUpstream, model: str, stream: bool, **options: Any) -> list[Line]:
    """The caller sees one sound answer, of the spare target alone."""
    nonce, response, entries = ask(gateway, model, stream, **options)
    assert response.status == 200, response.body
    assert (response.header("x-encke-attempts"), response.header("x-encke-provider")) == ("2", "spare")
    if stream:
        events = [json.loads(event) for event in response.events() if event != "[DONE]"]
        assert {event["model"] for event in events} == {"good"}
        assert response.body.endswith(b"data: [DONE]\n\n") and response.body.count(b'"role"') == 1
    else:
        assert response.json()["model"] == "good"
    assert [(entry.provider, entry.final) for entry in entries][1:] == [("spare", 1)]
    assert entries[0].final == 0 and entries[0].status in ("refused", "failed", "uncertain")
    assert entries[1].status == "complete"
    assert sum(one.nonce == nonce for one in upstream.statement.calls()) == (1 if model == "over-dead" else 2)
    return entries


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", (*MOVES_ON, *MOVES_ON_BAD_ANSWER, "dead"))
def test_failures_before_content_move_on(gateway: Gateway, upstream: FakeUpstream, name: str, stream: bool) -> None:
    """Refusals that are not the caller's fault, answers that make no sense, nobody there."""
    first = check_moved_on(gateway, upstream, f"over-{name}", stream)[0]
    assert first.output == 0 and bool(first.input) == bool(first.estimated)
    assert not (first.input and name in MOVES_ON)
    assert (first.status == "refused") == (name in MOVES_ON)


@pytest.mark.parametrize("name", MOVES_ON_STREAM)
def test_streams_that_fail_before_content_move_on(gateway: Gateway, upstream: FakeUpstream, name: str) -> None:
    """Also when their head had come."""
    check_moved_on(gateway, upstream, f"over-{name}", True)


def test_what_was_held_of_the_first_stream_is_not_shown(gateway: Gateway, upstream: FakeUpstream) -> None:
    """An event that only says the role is no content: it is thrown away with its stream."""
    check_moved_on(gateway, upstream, "over-error_in_stream", True, after=0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", STOPS)
def test_what_another_target_cannot_help(gateway: Gateway, upstream: FakeUpstream, name: str, stream: bool) -> None:
    """The caller's own faults, and what may have been done already: one attempt."""
    upstream.drop()  # no kept connection that the request could cross
    nonce, response, entries = ask(gateway, f"over-{name}", stream)
    assert response.status >= 400 and response.header("x-encke-attempts") == "1"
    assert len(entries) == 1 == sum(one.nonce == nonce for one in upstream.statement.calls())


@pytest.mark.parametrize("name", STOPS_STREAM)
def test_never_after_content(gateway: Gateway, bold: Gateway, upstream: FakeUpstream, name: str) -> None:
    """Whatever happens then is told as an event, however bold the routing."""
    for which in (gateway, bold):
        nonce, response, entries = ask(which, f"over-{name}", True)
        assert response.status == 200 and not response.complete
        assert "error" in json.loads(response.events()[-1]) and b"good" not in response.body
        assert [entry.status for entry in entries] == ["truncated"]
        assert sum(one.nonce == nonce for one in upstream.statement.calls()) == 1


@pytest.mark.parametrize("name", UNCERTAIN)
def test_uncertain_outcomes_are_tried_again_only_on_request(bold: Gateway, upstream: FakeUpstream, name: str) -> None:
    """With `routing.retry_uncertain`; the first try is recorded with its input, since it may be paid for."""
    upstream.drop()
    first = check_moved_on(bold, upstream, f"over-{name}", True)[0]
    assert first.status == "uncertain" and first.input > 0 and first.estimated


def test_no_more_attempts_than_allowed(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Two retries are three attempts; the last failure is told, and every attempt stands in the ledger."""
    nonce, response, entries = ask(gateway, "chain", True)
    assert (response.status, response.header("x-encke-attempts")) == (502, "3")
    assert [entry.http_status for entry in entries] == [429, 503, 502]
    assert [entry.final for entry in entries] == [0, 0, 1]
    assert sum(one.nonce == nonce for one in upstream.statement.calls()) == 3


def test_retries_can_be_turned_off(upstream: FakeUpstream, start: Start) -> None:
    """With `routing.retries = 0` the first failure is the answer."""
    gateway = start(settings(upstream.url, retries=0))
    _, response, entries = ask(gateway, "over-503", False)
    assert (response.status, len(entries)) == (503, 1)


def test_equal_targets_stand_in_for_each_other(gateway: Gateway) -> None:
    """Of two targets one is down: every call succeeds, some at the second attempt."""
    attempts = set()
    for _ in range(24):
        _, response, entries = ask(gateway, "pair", False)
        assert response.status == 200
        attempts.add(len(entries))
    assert attempts == {1, 2}
