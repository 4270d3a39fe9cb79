"""A caller's request, into the hub: every feature, and every mistake by its path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.chat import (
    ChatRequest,
    Citation,
    File,
    Foreign,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.faults import Fault
from encke.dialects import carrier
from encke.dialects.table import CLIENTS

MESSAGES = CLIENTS["messages"]
OWN = "anthropic_messages"
BODY: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
BASE64 = {"type": "base64", "media_type": "image/png", "data": "AAAA"}


def hub(**more: Any) -> ChatRequest:
    found = MESSAGES.to_hub(MESSAGES.read(json.dumps({**BODY, **more}).encode(), "", {}))
    assert isinstance(found, ChatRequest)
    return found


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def said(*blocks: Any, role: str = "user") -> tuple[Message, ...]:
    return hub(messages=[{"role": role, "content": list(blocks)}]).messages


@pytest.mark.parametrize(
    "more, field, value",
    [
        ({}, "max_tokens", 5),
        ({}, "messages", (Message("user", (Text("Hi"),)),)),
        ({"temperature": 0.5}, "temperature", 0.5),
        ({"temperature": 1}, "temperature", 1.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"top_k": 5}, "top_k", 5),
        ({"stop_sequences": ["a", "b"]}, "stop", ("a", "b")),
        ({"stream": True}, "stream", True),
        ({"metadata": {"user_id": "u"}}, "user", "u"),
        ({"metadata": {"user_id": None}}, "user", ""),
        ({"metadata": {"more": 1}}, "extra", {f"{OWN}.metadata.more": b"1"}),
        ({"service_tier": "standard_only"}, "extra", {"service_tier": b'"default"'}),
        ({"service_tier": "auto"}, "extra", {"service_tier": b'"auto"'}),
        ({"container": "c", "mcp_servers": None}, "extra", {f"{OWN}.container": b'"c"'}),
        ({"tomorrow": {"a": 1}}, "extra", {f"{OWN}.tomorrow": b'{"a": 1}'}),
        ({"tool_choice": {"type": "auto"}}, "tool_choice", ToolChoice("auto")),
        ({"tool_choice": {"type": "any"}}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": {"type": "none"}}, "tool_choice", ToolChoice("none")),
        ({"tool_choice": {"type": "tool", "name": "f"}}, "tool_choice", ToolChoice("function", ("f",))),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "parallel_tools", False),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}}, "parallel_tools", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "reasoning", Reasoning(budget=2048, enabled=True)),
        ({"thinking": {"type": "disabled"}}, "reasoning", Reasoning(enabled=False)),
        ({"thinking": {"type": "adaptive"}}, "reasoning", Reasoning(enabled=True)),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
            "reasoning",
            Reasoning(effort="low", summary="auto"),
        ),
        ({"output_config": {"effort": "max"}}, "reasoning", Reasoning(effort="max")),
        ({"output_config": {"task_budget": 7}}, "extra", {f"{OWN}.output_config.task_budget": b"7"}),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            "extra",
            {f"{OWN}.output_config.effort": b'"low"'},
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "format",
            Format("json_schema", schema=b'{"type": "object"}'),
        ),
        (
            {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
            "format",
            Format("json_schema", schema=b'{"type": "object"}'),
        ),
    ],
)
def test_fields(more: dict[str, Any], field: str, value: Any) -> None:
    """Each has its place."""
    assert getattr(hub(**more), field) == value


def test_tools() -> None:
    """The caller's own, with what the hub has no place for by name; and those that the provider runs."""
    mine = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True, "defer_loading": True}
    marked = {"type": "custom", "name": "g", "input_schema": {}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    theirs = {"type": "web_search_20250305", "name": "web_search"}
    found = hub(tools=[mine, marked, theirs])
    assert found.tools == (
        Tool("f", "d", b'{"type": "object"}', strict=True),
        Tool("g", parameters=b"{}", cache="1h"),
        Foreign(OWN, "web_search_20250305", raw(theirs)),
    )
    assert found.extra == {f"{OWN}.tools[0].defer_loading": b"true"}


def test_the_system_is_the_first_message() -> None:
    """As a text or as blocks, with cache marks; in the middle it is one of its own; empty it is none."""
    assert hub(system="Be kind.").messages[0] == Message("system", (Text("Be kind."),))
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]
    assert hub(system=blocks).messages[0] == Message("system", (Text("a"), Text("b", cache="5m")))
    assert hub(system="").messages == hub(system=[]).messages == hub().messages
    middle = [*BODY["messages"], {"role": "system", "content": "Now in French."}]
    assert hub(messages=middle).messages[1] == Message("system", (Text("Now in French."),))
    change = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}
    odd = hub(messages=[*BODY["messages"], {"role": "system", "content": [change]}]).messages[1]
    assert odd == Message("user", (Foreign(OWN, "tool_addition", raw(change)),))


@pytest.mark.parametrize(
    "block, part",
    [
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}, Text("x", cache="5m")),
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("x", cache="1h")),
        ({"type": "image", "source": BASE64}, Image(data="AAAA", media_type="image/png")),
        ({"type": "image", "source": {"type": "url", "url": "https://x/y"}}, Image(url="https://x/y")),
        (
            {"type": "image", "source": {"type": "url", "url": "data:image/gif;base64,BBBB"}},
            Image(data="BBBB", media_type="image/gif"),
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "f1"}}, Image(file_id="f1", origin=OWN)),
        (
            {"type": "document", "source": {**BASE64, "media_type": "application/pdf"}, "title": "T", "context": "C"},
            File(data="AAAA", media_type="application/pdf", name="T", context="C"),
        ),
        (
            {
                "type": "document", "citations": {"enabled": True}, "cache_control": {"type": "ephemeral"},
                "source": {"type": "text", "media_type": "text/plain", "data": "words"},
            },
            File(text="words", media_type="text/plain", citable=True, cache="5m"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://x/y"}}, File(url="https://x/y")),
        ({"type": "document", "source": {"type": "file", "file_id": "f1"}}, File(file_id="f1", origin=OWN)),
        (
            {"type": "document", "source": {"type": "content", "content": "words"}},
            File(text="words", media_type="text/plain"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "words"}]}},
            File(text="words", media_type="text/plain"),
        ),
        (
            {"type": "search_result", "source": "https://x", "title": "T", "content": [{"text": "a"}, {"text": "b"}]},
            File(text="a\nb", media_type="text/plain", name="T", context="https://x"),
        ),
        ({"type": "container_upload", "file_id": "f"}, None),
        ({"type": "container_upload", "file_id": 7}, None),
    ],
)  # fmt: skip
def test_what_the_user_says(block: dict[str, Any], part: Part | None) -> None:
    """Every kind of block; one that nobody knows stays as it is."""
    expected = part if part is not None else Foreign(OWN, block["type"], raw(block))
    assert said(block) == (Message("user", (expected,)),)


def test_what_the_model_said() -> None:
    """Text with citations, thoughts, calls, and what the provider's own tools did."""
    cited = {
        "type": "char_location",
        "cited_text": "q",
        "document_index": 0,
        "document_title": "T",
        "start_char_index": 0,
    }
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "see", "citations": [cited]},
        {"type": "text", "text": ""},
        searched,
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
    ]
    (message,) = said(*blocks, role="assistant")
    assert message.parts == (
        Thinking("hm", "sig", OWN),
        Thinking("", "opaque", OWN, redacted=True),
        Text("see", citations=(Citation(title="T", quote="q", raw=raw(cited), origin=OWN),)),
        Foreign(OWN, "server_tool_use", raw(searched)),
        ToolCall("t1", "f", '{"a": 1}'),
    )


def test_what_tools_gave_is_of_a_role_of_its_own() -> None:
    """Results first, what the user says beside them after; neighbouring results are one message."""
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    image = {"type": "image", "source": BASE64}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}, image]}
    wrong = {"type": "tool_result", "tool_use_id": "t2", "content": "no", "is_error": True}
    empty = {"type": "tool_result", "tool_use_id": "t3", "cache_control": {"type": "ephemeral"}}
    found = hub(
        messages=[
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result, wrong]},
            {"role": "user", "content": [empty, {"type": "text", "text": "Go on."}]},
        ]
    )
    assert found.messages[1:] == (
        Message(
            "tool",
            (
                ToolResult("t1", (Text("x"), Image(data="AAAA", media_type="image/png")), name="f"),
                ToolResult("t2", (Text("no"),), error=True),
                ToolResult("t3", (), cache="5m"),
            ),
        ),
        Message("user", (Text("Go on."),)),
    )


def test_carriers_come_back_as_what_they_carry() -> None:
    """Signatures of other dialects: of thoughts, of calls and of texts."""
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    (message,) = said(
        {"type": "thinking", "thinking": "hm", "signature": carrier.wrap("openai_responses", "enc", "rs_1")},
        {"type": "redacted_thinking", "data": carrier.wrap("openai_responses", "enc2", "rs_2")},
        {"type": "text", "text": "so"},
        {"type": "redacted_thinking", "data": carrier.wrap("google_generate", "of text", "text:")},
        {"type": "redacted_thinking", "data": carrier.wrap("google_generate", "of call", "call:t1")},
        call,
        role="assistant",
    )
    assert message.parts == (
        Thinking("hm", "enc", "openai_responses", id="rs_1"),
        Thinking("", "enc2", "openai_responses", redacted=True, id="rs_2"),
        Text("so", signature="of text", origin="google_generate"),
        ToolCall("t1", "f", "{}", signature="of call", origin="google_generate"),
    )


def test_what_has_no_place_is_told() -> None:
    """Fields of blocks that the hub has none for stand among the extra ones, so that they are named as lost."""
    image = {"type": "image", "source": BASE64, "transformations": {}}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code_execution_20250825"}}
    found = hub(messages=[{"role": "user", "content": [image]}, {"role": "assistant", "content": [call]}])
    assert list(found.extra) == [
        f"{OWN}.messages[0].content[0].transformations",
        f"{OWN}.messages[1].content[0].caller",
    ]


@pytest.mark.parametrize(
    "more, code, param",
    [
        ({"messages": [7]}, "invalid_type", "messages[0]"),
        ({"messages": [{"content": "x"}]}, "missing_required_parameter", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "invalid_type", "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{}]}]},
            "missing_required_parameter",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]},
            "invalid_type",
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]},
            "invalid_value",
            "messages[0].content[0].source",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}]},
            "invalid_value",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]},
            "invalid_value",
            "messages[0].content[0].type",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": 1}]}
                ]
            },
            "invalid_value",
            "messages[0].content[0].input",
        ),
        ({"system": 7}, "invalid_type", "system"),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"tools": [{"name": "f"}]}, "missing_required_parameter", "tools[0].input_schema"),
        ({"tools": [{"name": "f", "input_schema": []}]}, "invalid_value", "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "missing_required_parameter", "tools[0].name"),
        ({"tool_choice": {"type": "some"}}, "invalid_value", "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "missing_required_parameter", "tool_choice.name"),
        ({"thinking": {"type": "enabled"}}, "missing_required_parameter", "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "invalid_value", "thinking.budget_tokens"),
        ({"thinking": {"type": "much"}}, "invalid_value", "thinking.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "invalid_value", "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "invalid_value", "output_config.format.schema"),
        ({"output_config": 7}, "invalid_type", "output_config"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"stop_sequences": "x"}, "invalid_type", "stop_sequences"),
        ({"metadata": 7}, "invalid_type", "metadata"),
    ],
)
def test_mistakes(more: dict[str, Any], code: str, param: str) -> None:
    """Are told with their path."""
    with pytest.raises(Fault) as found:
        hub(**more)
    assert (found.value.code, found.value.param) == (code, param)


def test_depth_has_a_bound() -> None:
    """What is nested too deeply is refused, whatever stands there."""
    deep: Any = {}
    for _ in range(70):
        deep = {"a": deep}
    with pytest.raises(Fault, match="nested"):
        hub(tomorrow=deep)


NAMES = ["type", "text", "source", "content", "input", "id", "name", "tool_use_id", "thinking", "data", "cache_control"]
KINDS = ["text", "image", "document", "tool_use", "tool_result", "thinking", "search_result", "base64", "x"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)
FIELDS = [
    "system", "tools", "tool_choice", "thinking", "output_config", "metadata", "stop_sequences", "top_k", "temperature",
]  # fmt: skip
ROLES = st.sampled_from(["user", "assistant", "system"])


@given(st.lists(ANY, max_size=3), st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=3), ROLES)
@settings(deadline=None)
def test_wrong_types_are_faults(blocks: list[Any], more: dict[str, Any], role: str) -> None:
    """Whatever stands wherever: a Fault of the caller's, or a request."""
    try:
        hub(messages=[{"role": role, "content": blocks}], **more)
    except Fault as fault:
        assert fault.kind.owner == "caller" and fault.status == 400
