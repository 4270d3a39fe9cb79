"""How much to think: as each kind of model is told, and what gives way to what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatRequest, Message, Reasoning, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult
from encke.core.traits import Capabilities, Traits
from encke.dialects.table import PROVIDERS

SIDE = PROVIDERS["messages"]
OWN = "anthropic_messages"
HI = Message("user", (Text("Hi"),))
LOST = ("reasoning",)
ALWAYS = {"thinking": "adaptive", "efforts": ("low", "medium", "high")}  # a model that always thinks


def sent(reasoning: Reasoning | None, able: dict[str, Any], *messages: Message, **more: Any) -> dict[str, Any]:
    """What concerns thinking in the body, and `lost`."""
    request = ChatRequest(model="m", messages=messages or (HI,), reasoning=reasoning, **more)
    rendered = SIDE.render(request, "claude", Traits(capabilities=Capabilities(**able)))
    body = json.loads(rendered.body)
    found = {name: body[name] for name in ("thinking", "output_config", "max_tokens", "tool_choice") if name in body}
    return {**found, "lost": rendered.dropped}


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    "wish, max_tokens, most, thinking, limit",
    [
        (Reasoning(budget=2048, enabled=True), 4096, 0, budget(2048), 4096),
        (Reasoning(budget=100), 4096, 0, budget(1024), 4096),
        (Reasoning(effort="low"), None, 0, budget(1024), 8192),
        (Reasoning(effort="high"), None, 0, budget(24576), 24576 + 4096),
        (Reasoning(effort="high"), None, 64000, budget(24576), 64000),
        (Reasoning(effort="max"), None, 64000, budget(48000), 64000),
        (Reasoning(effort="high"), 8000, 0, budget(6000), 8000),
        (Reasoning(enabled=True), 10000, 0, budget(8192), 10000),
        (Reasoning(budget=-1), 10000, 0, budget(8192), 10000),
        (Reasoning(budget=5000), 1200, 0, budget(1024), 1200),
        (Reasoning(enabled=False), 5, 0, {"type": "disabled"}, 5),
        (Reasoning(effort="none"), 5, 0, {"type": "disabled"}, 5),
        (Reasoning(budget=0), 5, 0, {"type": "disabled"}, 5),
    ],
)
def test_a_budget(wish: Reasoning, max_tokens: int | None, most: int, thinking: Any, limit: int) -> None:
    """1024 at least, and less than the bound on the answer, which is raised where the caller has set none."""
    found = sent(wish, {"thinking": "budget", "max_output": most}, max_tokens=max_tokens)
    assert found == {"thinking": thinking, "max_tokens": limit, "lost": ()}


def test_no_room_to_think() -> None:
    """Is no thinking, and said."""
    assert sent(Reasoning(effort="high"), {"thinking": "budget"}, max_tokens=1000) == {"max_tokens": 1000, "lost": LOST}
    assert sent(Reasoning(effort="high"), {"thinking": ""}, max_tokens=9999) == {"max_tokens": 9999, "lost": LOST}


@pytest.mark.parametrize(
    "wish, able, thinking, effort, lost",
    [
        (Reasoning(effort="high"), {"thinking": "adaptive"}, {"type": "adaptive"}, "high", ()),
        (Reasoning(effort="minimal"), {"thinking": "adaptive"}, {"type": "adaptive"}, "low", ()),
        (Reasoning(effort="xhigh"), ALWAYS, {"type": "adaptive"}, "high", ()),
        (Reasoning(effort="odd"), ALWAYS, {"type": "adaptive"}, None, LOST),
        (Reasoning(budget=8192), {"thinking": "adaptive"}, {"type": "adaptive"}, "medium", ()),
        (Reasoning(enabled=True), {"thinking": "adaptive"}, {"type": "adaptive"}, None, ()),
        (
            Reasoning(enabled=True, summary="auto"),
            {"thinking": "adaptive"},
            {"type": "adaptive", "display": "summarized"},
            None,
            (),
        ),
        (Reasoning(enabled=False), {"thinking": "adaptive"}, {"type": "disabled"}, None, ()),
        (Reasoning(enabled=False), ALWAYS, None, None, LOST),
        # Where nobody knows the model: as the caller puts it.
        (Reasoning(effort="low"), {}, {"type": "adaptive"}, "low", ()),
        (Reasoning(budget=2000), {}, budget(2000), None, ()),
    ],
)
def test_words(wish: Reasoning, able: Any, thinking: Any, effort: str | None, lost: Any) -> None:
    """Newer models take a word, and think as much as they like."""
    found = sent(wish, able, max_tokens=9999)
    assert (found.get("thinking"), found.get("output_config", {}).get("effort"), found["lost"]) == (
        thinking,
        effort,
        lost,
    )


def test_what_does_not_go_with_thinking() -> None:
    """Temperatures but 1, top_k, and a low top_p are lost; tools that must be called go before thinking."""
    more: dict[str, Any] = {"temperature": 0.5, "top_k": 3, "top_p": 0.5}
    found = sent(Reasoning(budget=2000), {"thinking": "budget"}, max_tokens=9999, **more)
    assert found["lost"] == ("temperature", "top_p", "top_k")
    found = sent(Reasoning(budget=2000), {"thinking": "budget"}, max_tokens=9999, temperature=1.0, top_p=1.0)
    assert found["lost"] == ()
    forced: dict[str, Any] = {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")}
    found = sent(Reasoning(budget=2000), {"thinking": "budget"}, max_tokens=9999, **forced)
    assert found == {"tool_choice": {"type": "any"}, "max_tokens": 9999, "lost": LOST}
    found = sent(Reasoning(effort="low"), {"thinking": "adaptive"}, max_tokens=9999, **forced)
    assert found["thinking"] == {"type": "disabled"} and found["lost"] == LOST
    found = sent(Reasoning(effort="low"), ALWAYS, max_tokens=9999, **forced)
    assert found["tool_choice"] == {"type": "auto"} and found["lost"] == ("tool_choice",)


CALL, RESULT = ToolCall("t", "f", "{}"), Message("tool", (ToolResult("t", ()),))


@pytest.mark.parametrize(
    "messages, on",
    [
        ((HI, Message("assistant", (CALL,)), RESULT), False),
        ((HI, Message("assistant", (Thinking("hm", "s", "openai_responses"), CALL)), RESULT), False),
        ((HI, Message("assistant", (Thinking("hm", "s", OWN), CALL)), RESULT), True),
        ((HI, Message("assistant", (CALL,)), RESULT, HI), True),
        ((HI, Message("assistant", (Text("x"),)), HI), True),
        ((HI, Message("assistant", (CALL,)), RESULT, Message("assistant", (Text("x"),))), True),
    ],
)
def test_a_turn_that_began_without_a_thought(messages: tuple[Message, ...], on: bool) -> None:
    """Cannot go on with one, as long as its tools are being answered."""
    found = sent(Reasoning(budget=2000), {"thinking": "budget"}, *messages, max_tokens=9999)
    assert ("thinking" in found, "reasoning" in found["lost"]) == (on, not on)
    assert "thinking" in sent(Reasoning(effort="low"), {"thinking": "adaptive"}, *messages)
