"""Recorded requests of every dialect, as they go to Anthropic: held against the types of its own SDK."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming

from encke.core.chat import ChatRequest
from encke.core.faults import Fault
from encke.core.traits import PLAIN, Capabilities, Traits
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.testing.replay import Exchange, read
from tests.conftest import Count, Size
from tests.support.recordings import folder

pytestmark = pytest.mark.recordings
SIDE = PROVIDERS["messages"]
OLDER = Traits(capabilities=Capabilities(thinking="budget", json_schema=False, max_output=4096))
SOURCES = {
    "chat": ("openai.openai-chat", "mistral.mistral-chat", "openrouter.openai-chat"),
    "responses": ("openai.openai-responses", "xai.openai-responses"),
    "generate": ("google.google-generateContent",),
    "messages": ("anthropic.anthropic-messages", "ollama.anthropic-messages"),
}


def hub(route: str, exchange: Exchange) -> ChatRequest | None:
    """The request of a recorded exchange; None where there is none, or one that is only for its own provider."""
    if exchange.request_body is None or exchange.status != 200:
        return None
    target = str(exchange.record["request"].get("path")).split("/models/")[-1] if route == "generate" else ""
    try:
        found = CLIENTS[route].to_hub(CLIENTS[route].read(json.dumps(exchange.request_body).encode(), target, {}))
    except Fault as fault:
        assert fault.kind.owner == "caller"
        return None
    return found if isinstance(found, ChatRequest) else None


@pytest.mark.parametrize("route", SOURCES)
def test_what_goes_out_is_of_the_right_types(route: str, size: Size, count: Count) -> None:
    """For newer models and for older ones."""
    shapes: dict[bool, Any] = {
        False: pydantic.TypeAdapter(MessageCreateParamsNonStreaming),
        True: pydantic.TypeAdapter(MessageCreateParamsStreaming),
    }
    looked = 0
    for file in SOURCES[route]:
        for number, exchange in enumerate(read(folder() / "data" / f"{file}.jsonl.gz")):
            if number % size(7, soak=1):
                continue
            request = hub(route, exchange)
            if request is None:
                continue
            looked += 1
            for traits in (PLAIN, OLDER):
                body = json.loads(SIDE.render(request, "claude", traits).body)
                shapes["stream" in body].validate_python(body)
                assert body["max_tokens"] > 0 and 0 <= body.get("temperature", 1) <= 1
                budget = body.get("thinking", {}).get("budget_tokens", 0)
                assert budget < body["max_tokens"] and (budget == 0 or budget >= 1024)
                check_turns(body["messages"])
    assert looked > 20
    count(f"anthropic_messages: {looked} recorded requests of {route} have the types of its SDK")


def check_turns(turns: list[dict[str, Any]]) -> None:
    """Results stand first in the turn that follows their calls."""
    for turn in turns:
        kinds = [block["type"] == "tool_result" for block in turn["content"]]
        assert kinds == sorted(kinds, reverse=True)
        assert turn["content"] and (turn["role"] == "user" or not any(kinds))
