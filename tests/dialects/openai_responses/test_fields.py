"""A whole request into the hub: every field, and what is refused or left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import ChatRequest, Foreign, Format, Message, Reasoning, Text, Tool, ToolCall, ToolChoice
from encke.core.faults import Fault
from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.openai_responses.wire import NAME
from tests.dialects.openai_responses.recorded import exchanges

SIDE = ResponsesClient()


def hub(**fields: Any) -> ChatRequest:
    data = json.dumps({"model": "m", "input": "Hi", **fields}, separators=(",", ":")).encode()
    found = SIDE.to_hub(SIDE.read(data, "", {}))
    assert isinstance(found, ChatRequest)
    return found


def test_the_least() -> None:
    """A model and a text; null is as good as nothing."""
    least = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
    assert hub() == least
    names = ("instructions", "tools", "tool_choice", "temperature", "text", "reasoning", "metadata", "include", "user",
             "top_logprobs", "max_output_tokens", "previous_response_id", "conversation", "prompt")  # fmt: skip
    assert hub(**dict.fromkeys(names)) == least


def test_everything() -> None:
    """Each field has its place."""
    found = hub(
        instructions="Be.",
        max_output_tokens=99,
        temperature=0.5,
        top_p=0.9,
        top_logprobs=3,
        include=["message.output_text.logprobs", "reasoning.encrypted_content", "web_search_call.action.sources"],
        parallel_tool_calls=False,
        reasoning={"effort": "high", "summary": "auto", "mode": "pro", "context": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True}, "verbosity": "low"},
        user="u",
        stream=True,
        store=True,
        service_tier="flex",
        metadata={"a": "b"},
        prompt_cache_key="k",
        safety_identifier="s",
        client_metadata={"x": 1},
    )
    assert found == ChatRequest(
        model="m",
        messages=(Message("system", (Text("Be."),)), Message("user", (Text("Hi"),))),
        max_tokens=99,
        temperature=0.5,
        top_p=0.9,
        logprobs=True,
        top_logprobs=3,
        parallel_tools=False,
        reasoning=Reasoning("high", summary="auto"),
        format=Format("json_schema", b'{"a":1}', "n", strict=True),
        user="u",
        stream=True,
        extra={
            "include": b'["web_search_call.action.sources"]',
            "store": b"true",
            "service_tier": b'"flex"',
            "metadata": b'{"a":"b"}',
            "prompt_cache_key": b'"k"',
            "safety_identifier": b'"s"',
            "verbosity": b'"low"',
            f"{NAME}.client_metadata": b'{"x":1}',
            f"{NAME}.reasoning.mode": b'"pro"',
        },
    )


def test_what_happens_anyway_is_no_wish() -> None:
    """What asks for nothing but the usual is not held against a target that has no word for it."""
    found = hub(
        store=False, truncation="disabled", service_tier="auto", metadata={}, include=["reasoning.encrypted_content"],
        background=False, stream_options={"include_obfuscation": False}, text={"format": {"type": "text"}},
        reasoning={},
    )  # fmt: skip
    assert found == hub()


def test_tools() -> None:
    """Functions, custom tools, and those that the provider runs."""
    grammar = {"type": "grammar", "syntax": "lark", "definition": "x"}
    tools = hub(
        tools=[
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            {"type": "function", "name": "g", "parameters": None},
            {"type": "custom", "name": "c", "format": grammar},
            {"type": "custom", "name": "t", "format": {"type": "text"}},
            {"type": "web_search"},
        ]
    ).tools
    nested = b'{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}'
    assert tools == (
        Tool("f", "d", b'{"type":"object"}', True),
        Tool("g"),
        Tool("c", custom=True, grammar=nested),
        Tool("t", custom=True, grammar=b'{"type":"text"}'),
        Foreign(NAME, "web_search", b'{"type":"web_search"}'),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("function", ("f",))),
        ({"type": "custom", "name": "c"}, ToolChoice("function", ("c",))),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
         ToolChoice("auto", ("f",))),
    ],
)  # fmt: skip
def test_tool_choice(given: Any, expected: ToolChoice) -> None:
    """By word, by name, and by names."""
    assert hub(tool_choice=given).tool_choice == expected


@pytest.mark.parametrize("format", [{"type": "json_object"}, {"type": "json_schema", "schema": {}}])
def test_format(format: dict[str, Any]) -> None:
    """JSON of any kind, or by a schema."""
    found = hub(text={"format": format}).format
    assert found is not None
    assert found.kind == format["type"]


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"previous_response_id": "resp_1"}, "unsupported_parameter", "previous_response_id"),
        ({"conversation": {"id": "c"}}, "unsupported_parameter", "conversation"),
        ({"prompt": {"id": "p"}}, "unsupported_parameter", "prompt"),
        ({"background": True}, "unsupported_parameter", "background"),
        ({"tool_choice": {"type": "web_search"}}, "unsupported_parameter", "tool_choice"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}},
            "unsupported_parameter",
            "tool_choice",
        ),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "missing_required_parameter", "tool_choice.tools"),
        ({"tool_choice": "maybe"}, "invalid_value", "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "tool_choice.name"),
        ({"input": []}, "invalid_value", "input"),
        ({"instructions": 3}, "invalid_type", "instructions"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"max_output_tokens": -1}, "invalid_value", "max_output_tokens"),
        ({"max_output_tokens": "9"}, "invalid_type", "max_output_tokens"),
        ({"top_logprobs": -1}, "invalid_value", "top_logprobs"),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": "x"}]}, "invalid_value", "tools[0].parameters"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"text": {"format": 3}}, "invalid_type", "text.format"),
        ({"reasoning": "high"}, "invalid_type", "reasoning"),
        ({"include": ["x", 3]}, "invalid_type", "include[1]"),
        ({"parallel_tool_calls": "no"}, "invalid_type", "parallel_tool_calls"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], code: str, param: str) -> None:
    """What is wrong, or needs a provider of this wire, is named with its path."""
    with pytest.raises(Fault) as caught:
        hub(**fields)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.status == 400


def test_too_deep() -> None:
    """What is translated may be nested so deep and no deeper."""
    with pytest.raises(Fault, match="64 levels"):
        hub(metadata={"a": json.loads("[" * 70 + "]" * 70)})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "role", "content", "text", "name", "id", "tools", "format", "x"]), inner, max_size=3
    ),
    max_leaves=10,
)  # fmt: skip
ITEMS = st.dictionaries(
    st.sampled_from(["role", "content", "call_id", "name", "arguments", "output", "summary", "encrypted_content"]),
    JSON | st.sampled_from(["user", "assistant"]),
    max_size=5,
).flatmap(
    lambda fields: st.sampled_from(["message", "reasoning", "function_call", "function_call_output", "x"]).map(
        lambda kind: {"type": kind, **fields}
    )
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["instructions", "tools", "tool_choice", "text", "reasoning", "include", "temperature", "metadata", "store",
             "max_output_tokens", "top_logprobs", "parallel_tool_calls", "user", "prompt", "x"]
        ),
        JSON,
        max_size=4,
    ),
    st.lists(ITEMS | JSON, min_size=1, max_size=4),
)  # fmt: skip
def test_wrong_types_are_refused_and_nothing_else_happens(fields: dict[str, Any], items: list[Any]) -> None:
    """Whatever is sent is read, or refused with a name."""
    try:
        hub(**{**fields, "input": items})
    except Fault as fault:
        assert fault.status == 400
        assert fault.message


def test_recorded_requests() -> None:
    """Every request that a provider has taken is read, but for what only its provider can know of."""
    read = refused = 0
    for one in exchanges():
        if not one.body or "model" not in one.body or one.status != 200:
            continue
        request = SIDE.read(json.dumps(one.body).encode(), "", {})
        try:
            found = SIDE.to_hub(request)
        except Fault as fault:
            assert fault.code == "unsupported_parameter", (one.id, fault)
            refused += 1
            continue
        assert isinstance(found, ChatRequest)
        read += 1
        told = one.body.get("input")
        if isinstance(told, list):
            calls = [item["call_id"] for item in told if item.get("type") == "function_call"]
            parts = [part for message in found.messages for part in message.parts]
            assert [part.id for part in parts if isinstance(part, ToolCall)] == calls, one.id
    assert read > 1100
    assert refused < 120
