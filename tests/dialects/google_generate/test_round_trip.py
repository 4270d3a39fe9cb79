"""What is asked of Google and read again is what was asked, but for what is named."""

from __future__ import annotations

from hypothesis import given
from msgspec.structs import replace

from encke.core.chat import ChatRequest, File, Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from encke.core.traits import Capabilities, Traits
from encke.dialects.google_generate.client import GoogleClient
from encke.dialects.google_generate.provider import GoogleChat
from tests.dialects.hubs import requests

CLIENT = GoogleClient("generate")
NEW = Traits(Capabilities(thinking="level", efforts=("minimal", "low", "medium", "high")))


def again(request: ChatRequest) -> tuple[ChatRequest, tuple[str, ...]]:
    """Asked, and read."""
    rendered = GoogleChat().render(request, "m", NEW)
    found = CLIENT.to_hub(CLIENT.read(rendered.body, "m:generateContent", {}))
    assert isinstance(found, ChatRequest)
    return found, rendered.dropped


def expected(request: ChatRequest, dropped: tuple[str, ...]) -> tuple[Message, ...]:
    """The messages as they come back: system messages as one, at the start; a refusal as what the model said."""
    system: list[Part] = []
    others: list[Message] = []
    for at, message in enumerate(request.messages):
        parts: list[Part] = []
        for j, part in enumerate(message.parts):
            where = f"messages[{at}].content[{j}]"
            if where not in dropped and not isinstance(part, Thinking):
                parts.append(_part(part, where, dropped))
        if message.role in ("system", "developer"):
            system += parts
        elif message.role == "tool" and others and others[-1].role == "tool":  # a system message stood between
            others.append(Message("tool", (*others.pop().parts, *parts)))
        else:
            others.append(Message(message.role, tuple(parts)))
    return (*([Message("system", tuple(system))] if system else []), *others)


def _part(part: Part, where: str, dropped: tuple[str, ...]) -> Part:
    if isinstance(part, Text | Image | File | ToolCall | ToolResult) and part.cache is not None:
        assert f"{where}.cache" in dropped
        part = replace(part, cache=None)
    if isinstance(part, Refusal):
        return Text(part.text)
    if isinstance(part, Image) and part.url:
        return replace(part, media_type="image/png")  # told by its end
    if isinstance(part, File) and part.text:
        return Text(part.text)  # a document that is nothing but text
    return part


@given(requests())
def test_requests_come_back(request: ChatRequest) -> None:
    """Texts, media, calls and settings."""
    found, dropped = again(request)
    messages = expected(request, dropped)
    assert [message.role for message in found.messages] == [message.role for message in messages]
    for one, other in zip(found.messages, messages, strict=True):
        if one.role == "tool":
            for result, asked in zip(one.parts, other.parts, strict=True):
                assert isinstance(result, ToolResult) and isinstance(asked, ToolResult)
                assert result.error == asked.error and result.name
                said = "".join(part.text for part in asked.parts if isinstance(part, Text))
                assert "".join(part.text for part in result.parts if isinstance(part, Text)) == said
                assert sum(not isinstance(part, Text) for part in result.parts) == sum(
                    not isinstance(part, Text) for part in asked.parts
                )
        else:
            assert one == other
    for name in ("max_tokens", "temperature", "top_p", "top_k", "stop", "n", "seed", "presence_penalty", "logprobs"):
        assert getattr(found, name) == getattr(request, name) or name in dropped
    if request.format is not None:
        assert found.format == replace(request.format, name="", strict=None)
    assert len(found.tools) == len(request.tools) - sum(name in dropped for name in map("tools[{}]".format, range(9)))
    for name in request.extra:
        assert name in dropped or name in found.extra


@given(requests())
def test_nothing_is_lost_unnamed(request: ChatRequest) -> None:
    """What could not be said has a name, and each name stands for something."""
    found, dropped = again(request)
    assert len(set(dropped)) == len(dropped)
    if request.parallel_tools is False:
        assert "parallel_tools" in dropped
    if any(isinstance(part, Thinking) for message in request.messages for part in message.parts):
        assert "thinking" in dropped
    if request.tool_choice != found.tool_choice:
        assert "tool_choice" in dropped
    for at, tool in enumerate(request.tools):
        assert getattr(tool, "strict", None) is not True or f"tools[{at}].strict" in dropped
