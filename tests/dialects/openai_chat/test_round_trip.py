"""A hub request, written on this wire and read again, is the same, or its differences are named."""

from __future__ import annotations

import re

import msgspec
from hypothesis import HealthCheck, given, settings

from encke.core.chat import ChatRequest, File, Message, Part, Text, Thinking, ToolCall, ToolResult
from encke.core.traits import PLAIN, Traits
from encke.dialects.openai_chat.client import OpenAIClient
from encke.dialects.openai_chat.provider import ChatProvider
from encke.dialects.openai_chat.render_request import render_chat
from tests.conftest import Size
from tests.dialects.openai_chat.hubs import requests

CLIENT = OpenAIClient("chat")
OPEN = Traits(extensions=("top_k", "cache_control", "reasoning_content", "file_url", "tool_images"))


def read_again(request: ChatRequest, traits: Traits) -> tuple[ChatRequest, tuple[str, ...]]:
    """Through the wire."""
    made = ChatProvider().render(request, request.model, traits)
    read = CLIENT.to_hub(CLIENT.read(made.body, "", {}))
    assert isinstance(read, ChatRequest)
    return read, made.dropped


def without(request: ChatRequest, dropped: tuple[str, ...], traits: Traits) -> ChatRequest:
    """The request as it is said to have gone out."""
    for name in dropped:
        if name in request.extra:
            extra = {key: raw for key, raw in request.extra.items() if key != name}
            request = msgspec.structs.replace(request, extra=extra)
        elif name in ChatRequest.__struct_fields__:
            request = msgspec.structs.replace(request, **{name: None})
        elif found := re.fullmatch(r"tools\[(\d+)\]\.cache", name):
            at = int(found[1])
            changed = msgspec.structs.replace(request.tools[at], cache=None)
            tools = (*request.tools[:at], changed, *request.tools[at + 1 :])
            request = msgspec.structs.replace(request, tools=tools)
    gone = {int(found[1]) for name in dropped if (found := re.fullmatch(r"tools\[(\d+)\]", name))}
    tools = tuple(tool for at, tool in enumerate(request.tools) if at not in gone)
    messages = tuple(_less(message, at, set(dropped), traits) for at, message in enumerate(request.messages))
    return msgspec.structs.replace(request, tools=tools, messages=messages)


def _less(message: Message, at: int, dropped: set[str], traits: Traits) -> Message:
    parts: list[Part] = []
    thoughts = [part for part in message.parts if isinstance(part, Thinking)]
    kept = "".join(part.text for part in thoughts if not part.signature)
    if kept and "reasoning_content" in traits.extensions:  # one text
        parts.append(Thinking(kept))
    assert "thinking" in dropped or all(not part.signature for part in thoughts)
    for k, part in enumerate(message.parts):
        path = f"messages[{at}].content[{k}]"
        if path in dropped or isinstance(part, Thinking):
            continue
        parts.append(_changed(part, path, dropped))
    return msgspec.structs.replace(message, parts=tuple(parts))


def _changed(part: Part, path: str, dropped: set[str]) -> Part:
    if isinstance(part, File) and f"{path}.type" in dropped:
        cache = None if f"{path}.cache" in dropped else part.cache
        return Text(f"{part.name}\n\n{part.text}" if part.name else part.text, cache)
    if isinstance(part, ToolCall) and part.signature and "thinking" in dropped:
        part = msgspec.structs.replace(part, signature="", origin="")
    if isinstance(part, ToolResult):
        inner = tuple(_changed(one, f"{path}.content[{j}]", dropped) for j, one in enumerate(part.parts))
        part = msgspec.structs.replace(part, parts=inner)
    for field, empty in (("cache", None), ("citations", ()), ("citable", False), ("context", ""), ("error", False)):
        if f"{path}.{field}" in dropped:
            part = msgspec.structs.replace(part, **{field: empty})
    return part


def check(request: ChatRequest, traits: Traits) -> None:
    """Equal but for what was named."""
    read, dropped = read_again(request, traits)
    assert len(dropped) == len(set(dropped))
    assert read == without(request, dropped, traits)


def test_requests_come_back(size: Size) -> None:
    """For a provider that knows no extensions, and for one that knows many."""

    @settings(max_examples=size(80, soak=5000), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(requests())
    def examples(request: ChatRequest) -> None:
        check(request, PLAIN)

    examples()


def test_requests_come_back_from_who_knows_more(size: Size) -> None:
    """Prompt-cache marks, addresses of files and top_k are kept where there is a word for them."""

    @settings(max_examples=size(80, soak=5000), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(requests())
    def examples(request: ChatRequest) -> None:
        check(request, OPEN)
        lost = render_chat(request, "m", OPEN).dropped
        assert "top_k" not in lost and not any(name.endswith(".cache") for name in lost)

    examples()
