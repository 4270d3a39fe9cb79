"""Before content a call may go to another target, after it never; every try stands in the ledger once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest

from encke.testing.behaviours import Options, named
from encke.testing.request import Request
from encke.testing.script import Script
from encke.testing.upstream import FakeUpstream
from tests.relay.conftest import Start, provider
from tests.relay.ledger import Line, lines, of_model
from tests.support.client import Response, chat
from tests.support.gateway import Gateway

# What one target does.
STOPS_STREAM = ("sse_no_terminal", "error_in_stream", "reset_mid_stream", "fin_mid_stream", "stall_mid_stream")
UNCERTAIN = ("reset_before_head", "fin_in_head", "stall_before_head")
ALL = ("503", *STOPS_STREAM, *UNCERTAIN)
BACKOFF = 0.05
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
        "routing": {"breaker": "off", "backoff": BACKOFF, **routing},
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
    response = gateway.chat(chat(text, model, **({"stream": True} if stream else {})), timeout=60)
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
def test_nobody_there(gateway: Gateway, upstream: FakeUpstream, stream: bool) -> None:
    """A provider that cannot be reached is passed over. (What each failure of a provider leads to: `test_faults`.)"""
    check_moved_on(gateway, upstream, "over-dead", stream)


def test_what_was_held_of_the_first_stream_is_not_shown(gateway: Gateway, upstream: FakeUpstream) -> None:
    """An event that only says the role is no content: it is thrown away with its stream."""
    check_moved_on(gateway, upstream, "over-error_in_stream", True, after=0)


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


# Alone: the same target once more, after a pause.


class Flaky:
    """An upstream that fails a number of times, for each nonce anew, then answers."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.at: dict[str, list[float]] = {}

    def behave(self, request: Request) -> Script:
        nonce = request.nonce or ""
        self.asked[nonce] += 1
        self.at.setdefault(nonce, []).append(time.monotonic())
        name, _, times = (request.model or "").partition(".")
        if self.asked[nonce] > int(times or 0):
            return named(request, Options())
        return named(request, Options(name=name, seconds=2))


@pytest.fixture
def flaky(upstream: FakeUpstream) -> Iterator[Flaky]:
    """The upstream, for one test."""
    made, before = Flaky(), upstream.behave
    upstream.behave = made.behave
    yield made
    upstream.behave = before


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["500.1", "503.2", "429.1", "error_200.1", "error_first_in_stream.2"])
def test_one_target_gets_another_chance(
    gateway: Gateway, flaky: Flaky, upstream: FakeUpstream, name: str, stream: bool
) -> None:
    """A provider that fails for a moment is not the caller's concern: one sound answer comes, and every try is told."""
    if name.startswith("error_first") and not stream:
        name = "502.2"
    nonce, response, entries = ask(gateway, f"spare/{name}", stream)
    tries = 1 + int(name[-1])
    assert response.status == 200 and response.complete and response.header("x-encke-attempts") == str(tries)
    assert [entry.final for entry in entries] == [*[0] * (tries - 1), 1]
    assert entries[-1].status == "complete" and all(entry.output == 0 for entry in entries[:-1])
    assert flaky.asked[nonce] == tries == sum(one.nonce == nonce for one in upstream.statement.calls())
    pauses = [after - before for before, after in pairwise(flaky.at[nonce])]
    assert all(pause >= BACKOFF / 2 for pause in pauses)


@pytest.mark.parametrize("name", ["429_seconds.1", "429_ms.1", "503_seconds.1"])
def test_a_short_wait_that_was_asked_for_is_kept(gateway: Gateway, flaky: Flaky, name: str) -> None:
    """Two seconds are waited for, and not less."""
    nonce, response, entries = ask(gateway, f"spare/{name}", False)
    assert response.status == 200 and len(entries) == 2
    first, second = flaky.at[nonce]
    assert second - first >= 2.0


def test_who_leaves_in_the_pause_is_not_asked_for_again(gateway: Gateway, flaky: Flaky) -> None:
    """The client's end ends the pause; the last entry says so, and upstream was asked once."""
    nonce = f"f{next(_NONCES)}"
    with gateway.client() as client:
        client.request("POST", "/v1/chat/completions", chat(f"token:{nonce}", "spare/429_seconds.9"), key=gateway.key)
        while not flaky.asked[nonce]:
            time.sleep(0.01)
        time.sleep(0.2)
        client.reset()
    statuses = last_statuses(gateway, "429_seconds.9", 2)
    assert statuses == [("refused", 0), ("client_closed", 1)]
    time.sleep(2.5)
    assert flaky.asked[nonce] == 1


def last_statuses(gateway: Gateway, model: str, count: int) -> list[tuple[str, int]]:
    """Status and final of the entries of an upstream model, once there are `count`."""
    deadline = time.monotonic() + 10
    while len(found := of_model(gateway, model)) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return [(line.status, line.final) for line in found]
