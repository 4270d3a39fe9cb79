"""Aliases whose targets speak different dialects: the caller's own where there is one, and the truth about failures."""

from __future__ import annotations

from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.relay.conftest import Start, provider
from tests.support.client import Client, Response
from tests.support.gateway import Gateway


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """Two providers of OpenAI's wires, one that is down, and one of Anthropic's."""
    url = upstream.url
    chat = {"provider": "lab", "model": "fake"}
    messages = {"provider": "anthropic", "model": "fake"}
    return start(
        {
            "providers": {
                "lab": provider(url, dialect="openai_chat", ops=["chat", "responses"]),
                "down": provider(f"{url}/behave/503", dialect="openai_responses"),
                "anthropic": provider(url, base_url=f"{url}/v1"),
            },
            "models": {
                "either": {"targets": [messages], "fallback": ["lab/fake"]},
                "down-first": {"targets": [{"provider": "down", "model": "fake"}], "fallback": ["anthropic/fake"]},
                "translated": {"targets": [messages]},
                "plain": {"targets": [chat]},
            },
        }
    )


def responses(gateway: Gateway, model: str, **more: Any) -> Response:
    with Client(gateway.port) as client:
        return client.call(
            "POST",
            "/v1/responses",
            {"model": model, "input": "Hi", **more},
            key=gateway.key,
        )


def test_what_only_the_callers_own_dialect_can_be_asked_goes_to_the_target_that_has_it(gateway: Gateway) -> None:
    """The first target cannot be asked for it; the second can, and answers."""
    assert responses(gateway, "translated", previous_response_id="resp_1").status == 400
    answer = responses(gateway, "either", previous_response_id="resp_1")
    assert answer.status == 200 and answer.header("x-encke-provider") == "lab"


def test_a_fallback_that_cannot_be_asked_does_not_hide_the_failure(gateway: Gateway) -> None:
    """The first target is overloaded, the second cannot be asked at all: the caller may try again, as it is told."""
    answer = responses(gateway, "down-first", previous_response_id="resp_1")
    assert answer.status == 503 and answer.header("x-should-retry") == "true"
    assert responses(gateway, "down-first").status == 200
