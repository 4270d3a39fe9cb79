"""Classes of service are charged by what the answer names, else by what was asked for, streamed and whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from encke.testing import wire
from encke.testing.request import Request
from encke.testing.script import Fin, Script, Send
from encke.testing.upstream import FakeUpstream
from tests.support.client import chat
from tests.support.gateway import Gateway, lab

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}
# gpt-5: 1.25 and 10 dollars for a million tokens; half of it for flex, twice as much for priority.
STANDARD = 1000 * 1250 + 100 * 10_000


def answer(request: Request) -> Script:
    """The class that the last message asks to be named, "none" for none; streams of "cut" break off before usage."""
    body = json.loads(request.body)
    named = request.last_user
    tier = {} if named in ("none", "cut") else {"service_tier": named}
    if not body.get("stream"):
        choice = {"message": {"content": "Hello"}, "finish_reason": "stop"}
        return Script([Send(wire.json_response(200, {"choices": [choice], "usage": USAGE, **tier}))], "whole")
    text = {"choices": [{"index": 0, "delta": {"content": "abc"}, "finish_reason": None}], **tier}
    head = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED])
    if named == "cut":
        return Script([Send(head + wire.chunk(wire.sse(text, done=False))), Fin()], "cut")
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **tier}
    events = wire.sse(text, finish, {"choices": [], "usage": USAGE, **tier})
    return Script([Send(head + wire.chunk(events) + wire.LAST_CHUNK)], "stream")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One provider that costs what OpenAI does."""
    with FakeUpstream(answer) as upstream:
        settings = lab(upstream.url, price_list="openai") | {"local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path_factory.mktemp("service"), settings) as running:
            yield running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("asked", "named", "twice", "version"),
    [
        (None, "none", 2, ""),
        (None, "default", 2, ""),
        ("flex", "flex", 1, "/flex"),
        ("flex", "none", 1, "/flex"),
        ("priority", "priority", 4, "/priority"),
        ("priority", "default", 2, ""),  # as many as one may have at once are served so, the rest in the usual way
        ("auto", "priority", 4, "/priority"),  # as the project there is set
        (None, "moonlight", 2, ""),
    ],
)
def test_what_the_answer_names_is_charged(
    gateway: Gateway, asked: str | None, named: str, twice: int, version: str, stream: bool
) -> None:
    """In half prices: the cost in the record, and the version that tells which."""
    wish: dict[str, Any] = {} if asked is None else {"service_tier": asked}
    cost, told = recorded(gateway, chat(named, "lab/gpt-5", stream=stream, **wish))
    assert cost == STANDARD * twice // 2
    assert told.partition("0.2")[2].partition("/")[2] == version.removeprefix("/")


def test_what_broke_off_is_charged_as_asked(gateway: Gateway) -> None:
    """A stream that ended before it named anything."""
    standard, _ = recorded(gateway, chat("cut", "lab/gpt-5", stream=True, service_tier="auto"))
    flex, version = recorded(gateway, chat("cut", "lab/gpt-5", stream=True, service_tier="flex"))
    assert version.endswith("/flex") and standard == 2 * flex > 0


@pytest.mark.parametrize(
    ("route", "field", "is_asked"),
    [
        ("chat/completions", "service_tier", True),
        ("chat/completions", "serviceTier", False),
        ("chat/completions", "speed", False),
        ("messages", "service_tier", True),  # translated, and it has been sent on
        ("messages", "serviceTier", False),
        ("messages", "speed", False),
        ("responses", "serviceTier", False),
    ],
)
def test_only_a_class_that_was_sent_is_charged(gateway: Gateway, route: str, field: str, is_asked: bool) -> None:
    """Where the answer names none: another dialect's name for it, and what a translated call leaves out, is not."""
    bodies = {
        "chat/completions": chat("none", "lab/gpt-5"),
        "messages": {"model": "lab/gpt-5", "max_tokens": 99, "messages": [{"role": "user", "content": "none"}]},
        "responses": {"model": "lab/gpt-5", "input": "none"},
    }
    cost, version = recorded(gateway, bodies[route] | {field: "flex"}, f"/v1/{route}")
    assert (cost, version.endswith("/flex")) == (STANDARD // 2 if is_asked else STANDARD, is_asked)


def recorded(gateway: Gateway, body: dict[str, Any], path: str = "/v1/chat/completions") -> tuple[int, str]:
    """A call's cost in the record, and the version of its price."""
    with gateway.client() as client:
        response = client.call("POST", path, body, key=gateway.key)
    call = (response.header("x-request-id"),)

    def row() -> Any:
        db = sqlite3.connect(f"file:{gateway.data / 'encke.db'}?mode=ro", uri=True)
        found = db.execute("SELECT cost, price_version FROM entries WHERE call = ? AND final", call).fetchone()
        db.close()
        return found

    gateway.wait_for(row, 10, "no entry")
    cost, version = row()
    return int(cost), str(version)
