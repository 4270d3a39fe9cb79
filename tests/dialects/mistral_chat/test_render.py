"""Requests on Mistral's wire."""

from __future__ import annotations

import json
from typing import Any

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
from encke.core.traits import PLAIN, Capabilities, Traits
from encke.dialects.mistral_chat.render import render_mistral

TOOLS = (Tool("f", "does f", b'{"type":"object"}', True), Tool("g"))


def rendered(traits: Traits = PLAIN, messages: tuple[Message, ...] = (), **fields: Any) -> tuple[Any, tuple[str, ...]]:
    """The body, and what was dropped."""
    asked = messages or (Message("user", (Text("Hi"),)),)
    made = render_mistral(ChatRequest(model="x", messages=asked, **fields), "up", traits)
    return json.loads(made.body), made.dropped


def test_fields_have_mistrals_names() -> None:
    """`random_seed`, `max_tokens`; a stream asks for no usage, which comes unasked."""
    body, dropped = rendered(
        Traits(limit_field="max_completion_tokens"),
        seed=3,
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        stop=("a",),
        n=2,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stream=True,
    )
    assert dropped == ()
    assert body == {
        "model": "up", "messages": [{"role": "user", "content": "Hi"}], "random_seed": 3, "max_tokens": 9,
        "temperature": 0.5, "top_p": 0.9, "stop": ["a"], "n": 2, "presence_penalty": 0.1, "frequency_penalty": 0.2,
        "stream": True,
    }  # fmt: skip


def test_what_mistral_does_not_know_is_dropped_and_named() -> None:
    """It would be refused with 422."""
    extra = {
        "metadata": b'{"a":"b"}', "store": b"true", "mistral_chat.safe_prompt": b"true",
        "openai_chat.prompt_mode": b'"reasoning"', "openai_chat.min_p": b"1", "safe_prompt": b"1",
    }  # fmt: skip
    body, dropped = rendered(user="u", extra=extra)
    assert dropped == ("user", "store", "openai_chat.min_p", "safe_prompt")
    assert body["metadata"] == {"a": "b"} and body["safe_prompt"] is True and body["prompt_mode"] == "reasoning"
    assert set(body) == {"model", "messages", "metadata", "safe_prompt", "prompt_mode"}


def test_what_mistral_has_learnt_since() -> None:
    """`top_k`, log probabilities and the class of service, in its own words."""
    extra = {"service_tier": b'"default"', "mistral_chat.repetition_penalty": b"1.1"}
    body, dropped = rendered(top_k=4, logprobs=True, top_logprobs=2, extra=extra)
    assert dropped == ()
    assert (body["top_k"], body["logprobs"], body["top_logprobs"]) == (4, True, 2)
    assert (body["service_tier"], body["repetition_penalty"]) == ("standard_only", 1.1)
    assert rendered(extra={"service_tier": b'"flex"'})[1] == ("service_tier",)


def test_tools_and_which_of_them_may_be_called() -> None:
    """ "any" is the word for required; where some are allowed, only these are told."""
    body, dropped = rendered(tools=TOOLS, tool_choice=ToolChoice("required"), parallel_tools=False)
    assert body["tool_choice"] == "any" and body["parallel_tool_calls"] is False and dropped == ()
    function = {"name": "f", "description": "does f", "parameters": {"type": "object"}, "strict": True}
    assert body["tools"] == [
        {"type": "function", "function": function},
        {"type": "function", "function": {"name": "g"}},
    ]
    body, _ = rendered(tools=TOOLS, tool_choice=ToolChoice("function", ("g",)))
    assert body["tool_choice"] == {"type": "function", "function": {"name": "g"}} and len(body["tools"]) == 2
    body, _ = rendered(tools=TOOLS, tool_choice=ToolChoice("required", ("g",)))
    assert body["tool_choice"] == "any" and [tool["function"]["name"] for tool in body["tools"]] == ["g"]
    custom = (Tool("c", custom=True), Foreign("openai_chat", "web_search", b"{}"))
    body, dropped = rendered(tools=custom, tool_choice=ToolChoice("auto"), parallel_tools=True)
    assert dropped == ("tools[0]", "tools[1]", "tool_choice", "parallel_tools") and "tools" not in body


def test_a_conversation_with_tools() -> None:
    """Ids have nine letters, the same in call and result; pictures stay in a result; a developer is the system."""
    calls = (ToolCall("call_0123456789", "f", '{"a":1}'), ToolCall("LzJrPPDCp", "g", ""))
    results = (
        ToolResult("call_0123456789", (Text("one"), Image(url="https://x/y.png")), "f"),
        ToolResult("LzJrPPDCp", (Text("two"),), error=True),
    )
    body, dropped = rendered(
        messages=(
            Message("developer", (Text("Be kind."),)),
            Message("user", (Text("Hi"),), "ann"),
            Message("assistant", (Text("Well"), *calls)),
            Message("tool", results),
        )
    )
    system, user, assistant, one, two = body["messages"]
    assert system == {"role": "system", "content": "Be kind."} and user == {"role": "user", "content": "Hi"}
    made = assistant["tool_calls"]
    assert [call["id"] for call in made] == [one["tool_call_id"], two["tool_call_id"]]
    assert len(made[0]["id"]) == 9 and made[1]["id"] == "LzJrPPDCp"
    assert made[1]["function"] == {"name": "g", "arguments": "{}"} and "prefix" not in assistant
    assert one["name"] == "f"
    assert one["content"] == [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]
    assert two["content"] == "two"
    assert dropped == ("messages[1].name", "messages[3].content[1].error")


def test_thoughts_go_back_as_parts_if_nobody_else_has_signed_them() -> None:
    """They stand first; those of another dialect, and all where the model does not think, are dropped."""
    said = (Thinking("hm"), Thinking("so", "sig", "anthropic_messages"), Text("Well"))
    body, dropped = rendered(messages=(Message("user", (Text("?"),)), Message("assistant", said)))
    last = body["messages"][-1]
    assert last["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Well"},
    ]
    assert dropped == ("thinking",) and last["prefix"] is True
    body, dropped = rendered(Traits(Capabilities(thinking="")), messages=(Message("assistant", said),))
    assert body["messages"][0]["content"] == "Well" and dropped == ("thinking",)


def test_documents_sound_and_what_was_refused() -> None:
    """By address or in one; Mistral's own files by id; a refusal is text."""
    parts = (
        File(url="https://x/a.pdf", name="a.pdf"),
        File(data="QUJD", media_type="application/pdf"),
        File(file_id="f1", origin="mistral_chat"),
        File(file_id="f2", origin="openai_chat"),
        File(text="plain"),
        Audio("UklG", "wav"),
        Foreign("mistral_chat", "reference", b'{"type":"reference","reference_ids":[1]}'),
        Foreign("openai_chat", "video_url", b"{}"),
    )
    body, dropped = rendered(messages=(Message("user", parts), Message("assistant", (Refusal("No."),))))
    assert body["messages"][0]["content"] == [
        {"type": "document_url", "document_url": "https://x/a.pdf", "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,QUJD"},
        {"type": "file", "file_id": "f1"},
        {"type": "text", "text": "plain"},
        {"type": "input_audio", "input_audio": "UklG"},
        {"type": "reference", "reference_ids": [1]},
    ]
    assert body["messages"][1]["content"] == "No."
    assert dropped == (
        "messages[0].content[3]",
        "messages[0].content[4].type",
        "messages[0].content[7]",
        "messages[1].content[0].type",
    )


def test_reasoning_and_formats_are_openais() -> None:
    """The same words, which a model may know fewer of; what only asks for thinking is "high"."""
    assert rendered(reasoning=Reasoning("low"))[0]["reasoning_effort"] == "low"
    assert rendered(reasoning=Reasoning(budget=8000))[0]["reasoning_effort"] == "medium"
    assert rendered(reasoning=Reasoning(enabled=True))[0]["reasoning_effort"] == "high"
    assert rendered(reasoning=Reasoning(budget=0))[0]["reasoning_effort"] == "none"
    assert rendered(reasoning=Reasoning(enabled=False))[0]["reasoning_effort"] == "none"
    assert rendered(Traits(Capabilities(thinking="")), reasoning=Reasoning("low"))[1] == ("reasoning",)
    body, _ = rendered(format=Format("json_schema", b'{"type":"object"}', "n", strict=True))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }
