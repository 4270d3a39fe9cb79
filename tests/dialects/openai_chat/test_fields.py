"""Chat requests of callers into the hub: every field, and what is said of a wrong one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encke.core.chat import ChatRequest, Foreign, Format, Reasoning, Tool, ToolChoice
from encke.core.faults import Fault
from encke.dialects.openai_chat.client import OpenAIClient
from tests.conftest import Size

CLIENT = OpenAIClient("chat")
USER = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object"}


def read(**fields: Any) -> ChatRequest:
    """A request with these fields."""
    body = {"model": "m", "messages": [USER], **fields}
    found = CLIENT.to_hub(CLIENT.read(json.dumps(body).encode(), "", {}))
    assert isinstance(found, ChatRequest)
    return found


def refused(**fields: Any) -> Fault:
    """Why such a request is refused."""
    with pytest.raises(Fault) as raised:
        read(**fields)
    return raised.value


def test_plain_fields_and_null_for_none() -> None:
    """Numbers, flags and texts keep their value; null is as if it were not there."""
    told = {
        "temperature": 0.5, "top_p": 1, "top_k": 4, "presence_penalty": -1, "frequency_penalty": 1.5, "seed": -3,
        "n": 2, "top_logprobs": 3, "user": "u", "stream": True,
    }  # fmt: skip
    found = read(**told, logprobs=True, parallel_tool_calls=False, stop="END")
    for name, value in told.items():
        assert getattr(found, name) == value
    assert found.logprobs is True and found.parallel_tools is False and found.stop == ("END",)
    names = [*told, "logprobs", "parallel_tool_calls", "stop", "tools", "tool_choice", "response_format", "metadata",
             "reasoning_effort", "reasoning", "thinking", "max_tokens", "functions", "function_call"]  # fmt: skip
    assert read(**dict.fromkeys(names)) == read()
    assert read(stop=["a", "b"]).stop == ("a", "b")
    assert read(logprobs=2) == read(logprobs=True, top_logprobs=2), "as Together has it"


def test_the_bound_of_an_answer() -> None:
    """Both names, the larger of two; the gateway's own goes before."""
    assert read(max_tokens=5).max_tokens == 5 and read(max_completion_tokens=6, max_tokens=5).max_tokens == 6
    assert read(max_tokens=0).max_tokens is None
    request = CLIENT.read(json.dumps({"model": "m", "messages": [USER], "max_tokens": 5}).encode(), "", {})
    request.output_limit = 3
    found = CLIENT.to_hub(request)
    assert isinstance(found, ChatRequest) and found.max_tokens == 3


def test_other_fields_are_kept_as_they_came() -> None:
    """OpenAI's by their names, others with the dialect's before it."""
    extra = read(metadata={"a": "b"}, service_tier="flex", min_p=0.1, stream_options={"include_usage": True}).extra
    assert extra == {"metadata": b'{"a": "b"}', "service_tier": b'"flex"', "openai_chat.min_p": b"0.1"}
    assert CLIENT.shown_name("openai_chat.min_p") == "min_p" and CLIENT.shown_name("format") == "response_format"


def test_every_field_that_openai_documents_has_a_place() -> None:
    """None of the request of OpenAI's OpenAPI document is taken for somebody else's."""
    names = [
        "metadata",
        "top_logprobs",
        "temperature",
        "top_p",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "messages",
        "model",
        "service_tier",
        "modalities",
        "verbosity",
        "reasoning_effort",
        "max_completion_tokens",
        "frequency_penalty",
        "presence_penalty",
        "web_search_options",
        "response_format",
        "audio",
        "store",
        "moderation",
        "stream",
        "stop",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "prediction",
        "seed",
        "stream_options",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "function_call",
        "functions",
    ]
    good: dict[str, Any] = {
        "messages": [USER], "model": "m", "stop": "a", "tools": [], "functions": [], "tool_choice": "auto",
        "function_call": "auto", "response_format": {"type": "text"}, "stream": False, "logprobs": True,
        "parallel_tool_calls": True, "user": "u", "reasoning_effort": "low", "stream_options": {},
    }  # fmt: skip
    for name in names:
        assert not any("." in key for key in read(**{name: good.get(name, 1)}).extra), name


def test_tools() -> None:
    """Functions, custom tools, tools of others, and the older functions, which are called one at a time."""
    found = read(
        tools=[
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
             "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
            {"type": "web_search"},
        ]
    )  # fmt: skip
    assert found.tools == (
        Tool("f", "d", b'{"type": "object"}', True, cache="1h"),
        Tool("c", custom=True, grammar=b'{"type": "text"}'),
        Foreign("openai_chat", "web_search", b'{"type": "web_search"}'),
    )
    found = read(functions=[{"name": "f", "parameters": SCHEMA}], function_call={"name": "f"})
    assert found.tools == (Tool("f", parameters=b'{"type": "object"}'),)
    assert found.tool_choice == ToolChoice("function", ("f",)) and found.parallel_tools is False


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ("any", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("function", ("f",))),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice("function", ("c",))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}]}},
            ToolChoice("required", ("f", "c")),
        ),
    ],
)  # fmt: skip
def test_which_tool_is_to_be_called(choice: Any, wanted: ToolChoice) -> None:
    """All forms of `tool_choice`."""
    assert read(tool_choice=choice).tool_choice == wanted


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"reasoning_effort": "high"}, Reasoning("high")),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget=2000)),
        ({"reasoning": {"effort": "low", "enabled": True, "exclude": True}}, Reasoning("low", enabled=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Reasoning(budget=9, enabled=True)),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "low"}, Reasoning("low", enabled=False)),
        ({"enable_thinking": True, "thinking_budget": 9}, Reasoning(budget=9, enabled=True)),
        ({"reasoning": {"exclude": True}}, None),
    ],
)
def test_how_much_to_think(fields: dict[str, Any], wanted: Reasoning | None) -> None:
    """OpenAI's word, OpenRouter's object, and what others have."""
    assert read(**fields).reasoning == wanted


def test_the_form_of_the_answer() -> None:
    """Text is no form; a schema's name that says nothing is none."""
    assert read(response_format={"type": "text"}).format is None
    assert read(response_format={"type": "json_object"}).format == Format("json_object")
    schema = {"name": "n", "schema": SCHEMA, "strict": True, "description": "d"}
    found = read(response_format={"type": "json_schema", "json_schema": schema}).format
    assert found == Format("json_schema", b'{"type": "object"}', "n", "d", True)
    found = read(response_format={"type": "json_schema", "json_schema": {"name": "response"}}).format
    assert found == Format("json_schema")
    found = read(response_format={"type": "json_object", "schema": SCHEMA}).format
    assert found == Format("json_schema", b'{"type": "object"}'), "as llama.cpp has it"


@pytest.mark.parametrize(
    ("fields", "code", "param", "says"),
    [
        ({"temperature": "hot"}, "invalid_type", "temperature", "must be a number or null, not a string"),
        ({"n": 0}, "invalid_value", "n", "must be 1 or more, not 0"),
        ({"n": True}, "invalid_type", "n", "must be an integer or null, not a boolean"),
        ({"max_tokens": -1}, "invalid_value", "max_tokens", "0 or more"),
        ({"seed": 1.5}, "invalid_type", "seed", "integer"),
        ({"stop": [1]}, "invalid_type", "stop[0]", "must be a string, not an integer"),
        ({"stop": {}}, "invalid_type", "stop", "must be an array"),
        ({"user": 5}, "invalid_type", "user", "must be a string"),
        ({"tools": {}}, "invalid_type", "tools", "must be an array, not an object"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].function", "Missing"),
        ({"tools": [{"type": "function", "function": {}}]}, "missing_required_parameter", "tools[0].function.name", ""),
        (
            {"tools": [{"type": "function", "function": {"name": ""}}]},
            "invalid_value", "tools[0].function.name", "must not be empty",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "invalid_value", "tools[0].function.parameters", "JSON schema",
        ),
        ({"tool_choice": "some"}, "invalid_value", "tool_choice", "`some`"),
        ({"tool_choice": {"type": "x"}}, "invalid_value", "tool_choice.type", "must be"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "tool_choice.function", ""),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": []}}},
            "invalid_value", "tool_choice.allowed_tools.mode", "",
        ),
        ({"functions": [{}]}, "missing_required_parameter", "functions[0].name", ""),
        ({"function_call": "f"}, "invalid_value", "function_call", ""),
        ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type", "json_schema"),
        ({"response_format": {"type": "json_schema"}}, "missing_required_parameter", "response_format.json_schema", ""),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": 5}}},
            "invalid_value", "response_format.json_schema.schema", "",
        ),
        ({"reasoning_effort": 3}, "invalid_type", "reasoning_effort", ""),
        ({"reasoning": {"max_tokens": "x"}}, "invalid_type", "reasoning.max_tokens", "must be an integer or null"),
        ({"messages": []}, "invalid_value", "messages", "at least one"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(fields: dict[str, Any], code: str, param: str, says: str) -> None:
    """The path, what is wrong, what to do."""
    fault = refused(**fields)
    assert (fault.code, fault.param) == (code, param) and says in fault.message and param in fault.message


def test_depth_is_bounded() -> None:
    """64 levels are read, 65 are not; brackets in texts do not count."""

    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return value

    read(metadata=nested(63))
    assert refused(metadata=nested(64)).code == "invalid_value"
    read(user="[{" * 500)


def test_nothing_but_faults_comes_out_of_anything(size: Size) -> None:
    """Values of any type in any field."""
    names = [
        "messages", "tools", "tool_choice", "functions", "function_call", "response_format", "reasoning", "thinking",
        "stop", "n", "logprobs", "seed", "temperature", "max_tokens", "user", "stream_options", "reasoning_effort",
    ]  # fmt: skip
    inner_names = [
        "role", "content", "type", "function", "name", "text", "image_url", "url", "input_audio", "file", "tool_calls",
        "tool_call_id", "function_call", "arguments", "custom", "reasoning_details", "annotations", "parameters",
        "json_schema", "schema", "allowed_tools", "mode", "tools", "cache_control", "extra_content", "audio", "id",
    ]  # fmt: skip
    words = st.sampled_from(["user", "assistant", "tool", "function", "custom", "text", "image_url", "file", "", "x"])
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(inner_names), inner, max_size=4),
        max_leaves=15,
    )

    @settings(
        max_examples=size(150, soak=20_000), deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.dictionaries(st.sampled_from(names), anything, max_size=4))
    def examples(fields: dict[str, Any]) -> None:
        try:
            read(**fields)
        except Fault as fault:
            assert fault.kind.status == 400 and fault.message

    examples()
