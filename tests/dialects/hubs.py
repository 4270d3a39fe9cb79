"""Requests in no dialect's words, made up for properties: canonical, as `encke.core.chat` says."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    ChatRequest,
    File,
    Foreign,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.traits import Capabilities
from encke.dialects.effort import LEVELS

words = st.text("ab é\n", min_size=1, max_size=6)
names = st.sampled_from(("f", "g", "get_weather"))
ids = st.sampled_from(("call_1", "call_2", "call_3"))
marks = st.sampled_from((None, "5m", "1h"))
texts = st.builds(Text, words, marks)
images = st.builds(Image, url=st.just("https://h.example/a.png"), cache=marks) | st.builds(
    Image, data=st.just("aGk="), media_type=st.just("image/png"), cache=marks
)
files = st.builds(File, data=st.just("aGk="), media_type=st.just("application/pdf"), cache=marks) | st.builds(
    File, text=words, cache=marks
)
sounds = st.builds(Audio, st.just("aGk="), st.just("wav"))
foreign = st.builds(Foreign, st.just("anthropic_messages"), st.just("server_tool_use"), st.just(b"{}"))
calls = st.builds(ToolCall, ids, names, st.just("{}"), cache=marks)
results = st.builds(
    ToolResult, ids, st.lists(texts | images | files, max_size=2).map(tuple), names, error=st.booleans(), cache=marks
)
said = (
    texts
    | calls
    | st.builds(Thinking, words, st.just("sig"), st.just("anthropic_messages"))
    | st.builds(Refusal, words)
)

_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "system": texts,
    "developer": texts,
    "user": texts | images | files | sounds | foreign,
    "assistant": said | foreign,
    "tool": results,
}


def _message(role: str) -> st.SearchStrategy[Message]:
    return st.builds(Message, st.just(role), st.lists(_PARTS[role], min_size=role == "tool", max_size=3).map(tuple))


def _joined(messages: list[Message]) -> tuple[Message, ...]:
    """Neighbouring tool messages are one."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role == "tool":
            found[-1] = Message("tool", found[-1].parts + message.parts)
        else:
            found.append(message)
    return tuple(found)


messages = st.lists(st.sampled_from(sorted(_PARTS)).flatmap(_message), max_size=6).map(_joined)
tools = st.builds(Tool, names, words, st.just(b'{"type":"object"}'), st.sampled_from((None, True, False)), cache=marks)
formats = st.builds(Format, st.just("json_object")) | st.builds(
    Format, st.just("json_schema"), st.just(b'{"type":"object"}'), st.just("n"), strict=st.sampled_from((None, True))
)
choices = st.builds(ToolChoice, st.sampled_from(("auto", "none", "required"))) | st.builds(
    ToolChoice, st.just("function"), st.tuples(names)
)
thoughts = (
    st.builds(Reasoning, st.sampled_from(LEVELS))
    | st.builds(Reasoning, budget=st.sampled_from((-1, 0, 1, 5000, 100_000)))
    | st.builds(Reasoning, enabled=st.booleans())
)
numbers = st.sampled_from((None, 0.0, 0.5, 1.0))


def requests() -> st.SearchStrategy[ChatRequest]:
    """Any of them."""
    return st.builds(
        ChatRequest,
        model=st.just("m"),
        messages=messages,
        tools=st.lists(tools | foreign, max_size=2).map(tuple),
        tool_choice=st.none() | choices,
        parallel_tools=st.sampled_from((None, True, False)),
        format=st.none() | formats,
        reasoning=st.none() | thoughts,
        max_tokens=st.sampled_from((None, 10, 100_000)),
        temperature=numbers,
        top_p=numbers,
        top_k=st.sampled_from((None, 40)),
        stop=st.sampled_from(((), ("END",))),
        n=st.sampled_from((None, 1, 2)),
        seed=st.sampled_from((None, 0, 7)),
        presence_penalty=numbers,
        frequency_penalty=numbers,
        logprobs=st.sampled_from((None, True, False)),
        top_logprobs=st.sampled_from((None, 0, 3)),
        extra=st.sampled_from(({}, {"logit_bias": b'{"5":1}'}, {"metadata": b"{}"})),
    )


def capabilities() -> st.SearchStrategy[Capabilities]:
    """Any of them."""
    flags = {name: st.booleans() for name, default in _DEFAULTS.items() if isinstance(default, bool)}
    return st.builds(
        Capabilities,
        **flags,
        thinking=st.sampled_from(("effort", "budget", "adaptive", "level", "flag", "")),
        efforts=st.lists(st.sampled_from(LEVELS), unique=True).map(tuple),
        max_output=st.sampled_from((0, 5, 1000)),
    )


_DEFAULTS: dict[str, Any] = {name: getattr(Capabilities(), name) for name in Capabilities.__struct_fields__}
