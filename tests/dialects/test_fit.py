"""Requests made to fit a model: nothing is left that it cannot do, nothing is gone that it can, and all is named."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    ChatRequest,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.traits import ANYTHING, Capabilities
from encke.dialects.effort import LEVELS
from encke.dialects.fit import fit
from tests.dialects.hubs import capabilities, requests

HELLO = (Message("user", (Text("Hello"),)),)
NAME = re.compile(
    r"[a-z_]+|tools\[\d+\]\.(strict|cache)|messages\[\d+\](\.role|\.content\[\d+\](\.content\[\d+\])?(\.cache)?)?"
)


def fitted(caps: Capabilities, **fields: Any) -> tuple[ChatRequest, tuple[str, ...]]:
    """A request with these fields, made to fit."""
    return fit(ChatRequest(model="m", **{"messages": HELLO, **fields}), caps)


@given(requests())
def test_who_can_do_all_is_asked_all(request: ChatRequest) -> None:
    """The very request."""
    assert fit(request, ANYTHING) == (request, ()) and fit(request, ANYTHING)[0] is request


@given(requests(), capabilities())
def test_what_is_left_fits(request: ChatRequest, caps: Capabilities) -> None:
    """Making it fit again changes nothing and names nothing, but for what one may wish of anybody; names are the hub's,
    each once."""
    once, names = fit(request, caps)
    again, more = fit(once, caps)
    if "format" not in names:  # words that stand for it may begin a conversation that had none
        assert again == once and more == ()
    assert len(set(names)) == len(names) and all(NAME.fullmatch(name) for name in names), names
    parts = [part for message in once.messages for part in message.parts]
    parts += [part for one in parts if isinstance(one, ToolResult) for part in one.parts]
    assert caps.images or not any(isinstance(part, Image) for part in parts)
    assert caps.files or not any(isinstance(part, File) for part in parts)
    assert caps.audio or not any(isinstance(part, Audio) for part in parts)
    assert caps.tools or (once.tools, once.tool_choice, once.parallel_tools) == ((), None, None)
    assert caps.system or not any(message.role in ("system", "developer") for message in once.messages)
    assert caps.developer or not any(message.role == "developer" for message in once.messages)
    assert caps.sampling or (once.temperature, once.top_p, once.top_k) == (None, None, None)
    assert caps.json_schema or caps.schema_by_tool or once.format is None or once.format.kind == "json_object"
    assert caps.json_object or once.format is None or once.format.kind == "json_schema"
    assert not caps.max_output or (once.max_tokens or 0) <= caps.max_output
    assert caps.thinking or once.reasoning is None


@given(requests(), capabilities())
def test_nothing_goes_without_a_name(request: ChatRequest, caps: Capabilities) -> None:
    """What is not named is as it was, or was nothing: so with a policy of `reject` nothing is lost."""
    once, names = fit(request, caps)
    if names:
        return
    for name in ("tools", "stop", "seed", "top_k", "extra"):
        before, after = getattr(request, name), getattr(once, name)
        if name == "tools":
            before, after = tuple(map(unsaid, before)), tuple(map(unsaid, after))
        assert after == before, name
    assert once.format == request.format
    assert once.temperature in (request.temperature, None) and request.temperature in (once.temperature, 1.0)
    assert [shape(one) for one in once.messages] == [shape(one) for one in request.messages]


def unsaid(tool: Any) -> Any:
    """A tool, of which it is not told that it is not strict."""
    return msgspec.structs.replace(tool, strict=tool.strict or None) if isinstance(tool, Tool) else tool


def shape(message: Message) -> tuple[str, tuple[str, ...]]:
    """A message's role and what it holds, where texts in documents and in messages are the same."""
    return ("system" if message.role == "developer" else message.role), tuple(kind(part) for part in message.parts)


def kind(part: Part) -> str:
    """What a part is."""
    return "Text" if isinstance(part, File) and part.text else type(part).__name__


@pytest.mark.parametrize(
    ("caps", "fields", "left", "names"),
    [
        ({"sampling": False}, {"temperature": 0.5, "top_p": 1.0, "top_k": 3}, {}, ("temperature", "top_k")),
        ({"sampling": False}, {"temperature": 1.0}, {}, ()),
        ({"sampling_thinking": False}, {"temperature": 0.5}, {"temperature": 0.5}, ()),
        ({"sampling_thinking": False}, {"temperature": 0.5, "reasoning": Reasoning("low")},
         {"reasoning": Reasoning("low")}, ("temperature",)),
        ({"sampling_thinking": False}, {"temperature": 0.5, "reasoning": Reasoning("none")},
         {"temperature": 0.5, "reasoning": Reasoning("none")}, ()),
        ({"json_schema": False, "schema_by_tool": True}, {"format": Format("json_schema", b"{}")},
         {"format": Format("json_schema", b"{}")}, ()),
        ({"penalties": False}, {"presence_penalty": 0.0, "frequency_penalty": 0.1}, {}, ("frequency_penalty",)),
        ({"penalties": False}, {"extra": {"logit_bias": b"{}", "store": b"true"}}, {"extra": {"store": b"true"}},
         ("logit_bias",)),
        ({"stop": False, "n": False}, {"stop": ("a",), "n": 1}, {}, ("stop",)),
        ({"n": False}, {"n": 3}, {}, ("n",)),
        ({"seed": False}, {"seed": 0}, {}, ("seed",)),
        ({"logprobs": False}, {"logprobs": True, "top_logprobs": 2}, {}, ("logprobs", "top_logprobs")),
        ({"logprobs": False}, {"logprobs": False}, {}, ()),
        ({"max_output": 8192}, {"max_tokens": 64_000}, {"max_tokens": 8192}, ()),
        ({"tools": False}, {"tools": (Tool("f"),), "tool_choice": ToolChoice("auto"), "parallel_tools": True}, {},
         ("tools",)),
        ({"tools": False}, {"tool_choice": ToolChoice("none")}, {}, ()),
        ({"forced_tools": False}, {"tools": (Tool("f"),), "tool_choice": ToolChoice("function", ("f",))},
         {"tools": (Tool("f"),), "tool_choice": ToolChoice("auto")}, ("tool_choice",)),
        ({"strict_tools": False}, {"tools": (Tool("f", strict=True), Tool("g", strict=False))},
         {"tools": (Tool("f"), Tool("g"))}, ("tools[0].strict",)),
        ({"cache_marks": False}, {"tools": (Tool("f", cache="5m"),)}, {"tools": (Tool("f"),)}, ("tools[0].cache",)),
        ({"parallel_tools": False}, {"parallel_tools": False}, {}, ()),
    ],
)  # fmt: skip
def test_fields(caps: dict[str, Any], fields: dict[str, Any], left: dict[str, Any], names: tuple[str, ...]) -> None:
    """What is taken out, and what of it is named."""
    assert fitted(Capabilities(**caps), **fields) == (ChatRequest(model="m", messages=HELLO, **left), names)


@pytest.mark.parametrize(
    ("thinking", "efforts", "asked", "left", "names"),
    [
        ("", (), Reasoning("high"), None, ("reasoning",)),
        ("", (), Reasoning("none"), None, ()),
        ("", (), Reasoning(budget=0), None, ()),
        ("", (), Reasoning(enabled=False), None, ()),
        ("effort", LEVELS, Reasoning("xhigh"), Reasoning("xhigh"), ()),
        ("effort", ("low", "high"), Reasoning("medium"), Reasoning("low", enabled=True), ("reasoning",)),
        ("effort", ("low", "medium", "high"), Reasoning("none"), Reasoning("low", enabled=True), ("reasoning",)),
        ("effort", ("low", "medium", "high"), Reasoning(budget=10_000), Reasoning(budget=10_000), ()),
        ("level", ("low", "high"), Reasoning(budget=100_000), Reasoning("high", enabled=True), ("reasoning",)),
        ("level", ("low", "high"), Reasoning(enabled=True), Reasoning("low", enabled=True), ()),
        ("level", ("low", "medium"), Reasoning(enabled=True), Reasoning(enabled=True), ()),
        ("budget", ("low", "medium"), Reasoning("max"), Reasoning("medium", enabled=True), ("reasoning",)),
        ("budget", ("low", "medium"), Reasoning(budget=99_999), Reasoning(budget=99_999), ()),
        ("flag", ("low",), Reasoning("max"), Reasoning("max"), ()),
        ("budget", ("low", "medium"), Reasoning(budget=0), Reasoning("low", enabled=True), ("reasoning",)),
        ("budget", (), Reasoning(budget=0), Reasoning(budget=0), ()),
        ("adaptive", ("low",), Reasoning("odd"), Reasoning("odd"), ()),
    ],
)
def test_thinking(
    thinking: str, efforts: tuple[str, ...], asked: Reasoning, left: Reasoning | None, names: tuple[str, ...]
) -> None:
    """The nearest word that is known; no thinking is never a loss where there is none."""
    caps = Capabilities(thinking=thinking, efforts=efforts)
    found, told = fitted(caps, reasoning=asked)
    assert (found.reasoning, told) == (left, names)


def test_the_form_in_words() -> None:
    """A schema that a model cannot be held to is put behind what it is told first, and any object is asked for."""
    schema = Format("json_schema", b'{"type":"object"}', strict=True)
    messages = (Message("developer", (Text("Be brief"),)), *HELLO)
    found, names = fitted(Capabilities(json_schema=False), messages=messages, format=schema)
    assert (found.format, names) == (Format("json_object"), ("format",))
    assert [message.role for message in found.messages] == ["developer", "system", "user"]
    (told,) = found.messages[1].parts
    assert isinstance(told, Text) and told.text.endswith('JSON schema:\n{"type":"object"}')
    found, names = fitted(Capabilities(json_schema=False, json_object=False, system=False), format=schema)
    assert (found.format, names) == (None, ("format",)) and len(found.messages) == 1
    assert [isinstance(part, Text) for part in found.messages[0].parts] == [True, True]
    found, names = fitted(Capabilities(json_object=False), format=Format("json_object"))
    assert found.format is None and names == ("format",) and "JSON object" in str(found.messages[0])


def test_messages() -> None:
    """Parts that cannot be read go, with the message if nothing is left of it; roles that are not known are others."""
    picture, page = Image(url="https://h.example/a.png"), File(data="aGk=", media_type="application/pdf")
    note, sound = File(text="note", cache="1h"), Audio("aGk=", "wav")
    messages = (
        Message("system", (Text("S"),)),
        Message("user", (Text("U"), picture, page, note, sound), name="eve"),
        Message("assistant", (ToolCall("c", "f", "{}"),)),
        Message("tool", (ToolResult("c", (Text("R"), picture)),)),
        Message("user", (picture,)),
    )
    deaf = Capabilities(images=False, files=False, audio=False, system=False)
    found, names = fitted(deaf, messages=messages)
    assert found.messages == (
        Message("user", (Text("S"),)),
        Message("user", (Text("U"), Text("note", "1h")), name="eve"),
        messages[2],
        Message("tool", (ToolResult("c", (Text("R"),)),)),
    )
    assert names == (
        "messages[0].role", "messages[1].content[1]", "messages[1].content[2]", "messages[1].content[4]",
        "messages[3].content[0].content[1]", "messages[4].content[0]",
    )  # fmt: skip
    found, names = fitted(Capabilities(image_urls=False), messages=messages)
    assert names == ("messages[1].content[1]", "messages[3].content[0].content[1]", "messages[4].content[0]")
    data = (Message("user", (Image(data="aGk=", media_type="image/png"),)),)
    assert fitted(Capabilities(image_urls=False), messages=data)[1] == ()


def test_marks_of_caches() -> None:
    """Wherever they stand."""
    marked = (
        Message("user", (Text("U", "5m"), Image(data="aGk=", media_type="image/png", cache="1h"))),
        Message("assistant", (ToolCall("c", "f", "{}", cache="5m"),)),
        Message("tool", (ToolResult("c", (Text("R", "5m"),), cache="5m"),)),
    )
    found, names = fitted(Capabilities(cache_marks=False), messages=marked)
    assert names == (
        "messages[0].content[0].cache", "messages[0].content[1].cache", "messages[1].content[0].cache",
        "messages[2].content[0].content[0].cache", "messages[2].content[0].cache",
    )  # fmt: skip
    assert "cache" not in str(msgspec.to_builtins(found))


def test_an_answer_that_was_begun() -> None:
    """Goes where it cannot be gone on with; a pause of tools that the provider runs does not."""
    begun = (*HELLO, Message("assistant", (Text("{"),)))
    assert fitted(Capabilities(prefill=False), messages=begun) == (
        ChatRequest(model="m", messages=HELLO),
        ("messages[1]",),
    )
    called = (*HELLO, Message("assistant", (Text("a"), ToolCall("c", "f", "{}"))))
    assert fitted(Capabilities(prefill=False), messages=called)[1] == ()


@given(st.integers(1, 40))
def test_developer_is_system_without_a_loss(count: int) -> None:
    """Where there is no such role; however many there are."""
    messages = tuple(Message("developer", (Text(str(at)),)) for at in range(count))
    found, names = fitted(Capabilities(developer=False), messages=messages)
    assert names == () and {message.role for message in found.messages} == {"system"}


def test_who_cannot_stop_thinking_is_not_asked_for_sampling() -> None:
    """A model that takes no sampling while it thinks, and knows no word for not thinking."""
    capabilities = Capabilities(sampling_thinking=False, efforts=("minimal",))
    request = ChatRequest(model="m", messages=(), reasoning=Reasoning("none"), top_k=40)
    fitted, dropped = fit(request, capabilities)
    assert fitted.top_k is None and set(dropped) == {"reasoning", "top_k"}
    assert fit(fitted, capabilities) == (fitted, ())
