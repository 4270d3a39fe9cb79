"""Places of what was left out, in the caller's own body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatRequest, Text
from encke.core.traits import Capabilities
from encke.dialects.fit import fit
from encke.dialects.places import Places, is_placed
from encke.dialects.results import moved_up
from encke.dialects.table import CLIENTS

BLIND = Capabilities(images=False, files=False, audio=False, strict_tools=False, cache_marks=False, prefill=False)
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
ADDRESS = {"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}
INPUT = {"type": "input_image", "image_url": "https://a.test/x.png"}
INLINE = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
MARK = {"cache_control": {"type": "ephemeral"}}
FUNCTION = {"name": "f", "parameters": {"type": "object"}}

MESSAGES: dict[str, Any] = {
    "max_tokens": 5,
    "system": [{"type": "text", "text": ""}, {"type": "text", "text": "be good", **MARK}],
    "tools": [{"name": "f", "input_schema": {}, "strict": True}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "a"}, PICTURE]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}, **MARK}]},
        {"role": "user", "content": [
            {"type": "text", "text": "first"},
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}, PICTURE]},
            PICTURE]},
        {"role": "assistant", "content": "so"},
    ],
}  # fmt: skip
CHAT: dict[str, Any] = {
    "tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}],
    "messages": [
        {"role": "system", "content": "be good"},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "a", **MARK}, ADDRESS]},
        {"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "t", "content": [ADDRESS]},
    ],
}
RESPONSES: dict[str, Any] = {
    "instructions": "be good",
    "tools": [{"type": "web_search"}, {"type": "function", "strict": True, **FUNCTION}],
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, INPUT]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"},
        {"role": "user", "content": "while it runs"},
        {"type": "function_call_output", "call_id": "t", "output": [{"type": "input_text", "text": "x"}, INPUT]},
    ],
}
GENERATE: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "be good"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "a"}, INLINE]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [
            {"text": "first"}, {"functionResponse": {"name": "f", "response": {"output": "x"}, "parts": [INLINE]}},
            INLINE]},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("route", "body", "places"),
    [
        ("messages", MESSAGES, {
            "system[1].cache_control", "messages[0].content[1]", "messages[1].content[0].cache_control",
            "messages[2].content[1].content[1]", "messages[2].content[2]", "messages[3]", "tools[0].strict"}),
        ("chat", CHAT, {
            "messages[1].content[1].cache_control", "messages[1].content[2]", "messages[3].content[0]",
            "tools[0].strict"}),
        ("responses", RESPONSES, {"input[0].content[1]", "input[4].output[1]", "tools[1].strict"}),
        ("generate", GENERATE, {
            "contents[0].parts[1]", "contents[2].parts[1].functionResponse.parts[0]", "contents[2].parts[2]"}),
    ],
)  # fmt: skip
def test_places(route: str, body: dict[str, Any], places: set[str]) -> None:
    """By the caller's own indexes and names, whatever the hub has made of messages, results and system prompts."""
    side = CLIENTS[route]
    request = side.read(json.dumps({"model": "m", **body}).encode(), "m:generateContent", {})
    asked = side.to_hub(request)
    assert isinstance(asked, ChatRequest)
    moved = moved_up(asked.messages)
    hub = asked if moved is asked.messages else ChatRequest(model="m", messages=moved, tools=asked.tools)
    _, names = fit(hub, BLIND)
    found = side.places(request, asked)
    assert found is not None and request.places is None
    assert {found.told(name, hub, side.cache_field) for name in names} == places
    assert all(is_placed(name) for name in names)
    request.places = Places()  # noted when it is first read
    noted = side.to_hub(request)
    assert isinstance(noted, ChatRequest)
    moved = moved_up(noted.messages)
    hub = noted if moved is noted.messages else ChatRequest(model="m", messages=moved, tools=noted.tools)
    request.body = {}  # nor read again
    found = side.places(request, noted)
    assert found is not None and {found.told(name, hub, side.cache_field) for name in names} == places


@pytest.mark.parametrize(
    ("route", "body", "path"),
    [
        ("messages", {"max_tokens": 1, "system": "s", "messages": []}, "system"),
        ("messages", {"max_tokens": 1, "messages": [{"role": "user", "content": "a"}]}, "messages[0].content"),
        ("chat", {"messages": [{"role": "user", "content": "a"}]}, "messages[0].content"),
        ("responses", {"input": "a"}, "input"),
        ("responses", {"instructions": "a", "input": []}, "instructions"),
        ("generate", {"contents": [{"parts": [{"text": "a"}]}]}, "contents[0].parts[0]"),
    ],
)
def test_texts_that_are_strings(route: str, body: dict[str, Any], path: str) -> None:
    """Have no index behind them."""
    side = CLIENTS[route]
    request = side.read(json.dumps({"model": "m", **body}).encode(), "m:generateContent", {})
    asked = side.to_hub(request)
    assert isinstance(asked, ChatRequest)
    found = side.places(request, asked)
    assert found is not None and found.told("messages[0].content[0]", asked, "") == path


def test_what_the_caller_has_not_sent() -> None:
    """Keeps its name: other fields, what is beyond the end, what somebody else has put there."""
    side = CLIENTS["chat"]
    request = side.read(b'{"model":"m","messages":[{"role":"user","content":"a"}]}', "", {})
    asked = side.to_hub(request)
    assert isinstance(asked, ChatRequest)
    found = side.places(request, asked)
    other = ChatRequest(model="m", messages=(type(asked.messages[0])("system", (Text("ours"),)),))
    assert found is not None
    for name in ("seed", "messages[7].content[1]", "messages[0].content[0].cache", "tools[3].strict", "messages[0]"):
        assert found.told(name, other, "cache_control") == name.replace(".cache", ".cache_control")
