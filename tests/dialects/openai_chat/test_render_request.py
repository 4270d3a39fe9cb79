"""Requests from the hub onto this wire: what provider and model are told, and what is named as dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
from encke.dialects.openai_chat.render_request import render_chat


def rendered(*messages: Message, traits: Traits = PLAIN, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, and what was dropped."""
    asked = messages or (Message("user", (Text("Hi"),)),)
    made = render_chat(ChatRequest(model="x", messages=asked, **fields), "up", traits)
    return json.loads(made.body), made.dropped


def knows(*extensions: str) -> Traits:
    """A provider that knows these."""
    return Traits(extensions=extensions)


def test_thoughts_go_back_only_in_the_way_that_the_provider_knows() -> None:
    """Unsigned ones as text, OpenRouter's own as its entries, others never."""
    entry = {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    said = Message(
        "assistant",
        (
            Thinking("hm"),
            Thinking("so", json.dumps(entry), "openai_chat"),
            Thinking("no", "t", "anthropic_messages"),
            Text("Well"),
        ),
    )
    body, dropped = rendered(said)
    assert body["messages"] == [{"role": "assistant", "content": "Well"}] and dropped == ("thinking",)
    for field in ("reasoning_content", "reasoning"):
        body, dropped = rendered(said, traits=knows(field))
        assert body["messages"] == [{"role": "assistant", "content": "Well", field: "hm"}] and dropped == ("thinking",)
    body, dropped = rendered(said, traits=knows("reasoning_details"))
    assert body["messages"][0]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0},
        {**entry, "text": "so"},
    ]
    body, dropped = rendered(Message("assistant", (Thinking("hm"),)), traits=knows("reasoning_content"))
    assert body["messages"] == [{"role": "assistant", "content": "", "reasoning_content": "hm"}] and dropped == ()


def test_signatures_on_calls_and_texts_go_back_to_this_dialect_alone() -> None:
    """In Google's place; those of others are lost."""
    said = Message(
        "assistant",
        (
            Text("Well", signature="ts", origin="openai_chat"),
            ToolCall("c", "f", "{}", signature="s", origin="openai_chat"),
        ),
    )
    body, dropped = rendered(said)
    message = body["messages"][0]
    assert message["extra_content"] == {"google": {"thought_signature": "ts"}} and dropped == ()
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}
    body, dropped = rendered(Message("assistant", (ToolCall("c", "f", "{}", signature="s", origin="google_generate"),)))
    assert "extra_content" not in body["messages"][0]["tool_calls"][0] and dropped == ("thinking",)
    assert body["messages"][0]["content"] is None


def test_pictures_in_results_follow_in_a_message_of_the_users() -> None:
    """After all results, which have to stand together; or in them, where the provider allows it."""
    results = Message(
        "tool",
        (
            ToolResult("c", (Text("1"), Image(url="https://x"))),
            ToolResult("d", (File(data="QUJD", media_type="application/pdf"),), error=True, cache="5m"),
        ),
    )
    body, dropped = rendered(results)
    picture = {"type": "image_url", "image_url": {"url": "https://x"}}
    document = {"filename": "untitled.pdf", "file_data": "data:application/pdf;base64,QUJD"}
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "tool", "tool_call_id": "d", "content": ""},
        {"role": "user", "content": [picture, {"type": "file", "file": document}]},
    ]
    assert dropped == ("messages[0].content[1].error", "messages[0].content[1].cache")
    body, _ = rendered(results, traits=knows("tool_images"))
    assert len(body["messages"]) == 2 and body["messages"][0]["content"][1] == picture


def test_what_has_no_place_is_named() -> None:
    """Files of others, addresses of files, sound in an answer, parts and fields of other dialects."""
    body, dropped = rendered(
        Message("user", (File(file_id="f", origin="anthropic_messages"), File(url="https://x"),
                         Image(file_id="i", origin="openai_responses"), Foreign("google_generate", "x", b"{}"))),
        Message("assistant", (Image(url="u"), Audio("QUJD", "wav"), Refusal("No."))),
        top_k=4,
        reasoning=Reasoning("low", summary="auto"),
        extra={"truncation": b'"auto"', "google_generate.safetySettings": b"[]", "metadata": b"{}"},
        tools=(Foreign("anthropic_messages", "web", b"{}"), Tool("f", cache="5m")),
    )  # fmt: skip
    assert dropped == (
        "messages[0].content[0]", "messages[0].content[1]", "messages[0].content[2]", "messages[0].content[3]",
        "messages[1].content[0]", "messages[1].content[1]", "tools[0]", "tools[1].cache", "top_k", "reasoning.summary",
        "truncation", "google_generate.safetySettings",
    )  # fmt: skip
    assert body["messages"] == [
        {"role": "user", "content": ""},
        {"role": "assistant", "refusal": "No.", "content": None},
    ]
    assert body["metadata"] == {} and len(body["tools"]) == 1


def test_plain_text_documents_go_as_text() -> None:
    """Few take them as files; that it was one is named."""
    body, dropped = rendered(Message("user", (File(text="a\nb", name="n.txt", context="c", citable=True),)))
    assert body["messages"] == [{"role": "user", "content": "n.txt\n\na\nb"}]
    assert dropped == (
        "messages[0].content[0].citable",
        "messages[0].content[0].context",
        "messages[0].content[0].type",
    )


@pytest.mark.parametrize(
    ("extension", "mark", "dropped"),
    [
        ("cache_control", {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, ()),
        (
            "prompt_cache_breakpoint",
            {"prompt_cache_breakpoint": {"mode": "explicit"}},
            ("messages[0].content[0].cache",),
        ),
        ("", {}, ("messages[0].content[0].cache",)),
    ],
)
def test_marks_for_the_prompt_cache(extension: str, mark: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """In the provider's own way; that a mark was for an hour is named where it cannot be said."""
    body, lost = rendered(Message("user", (Text("a", "1h"), Text("b"))), traits=knows(extension))
    assert body["messages"][0]["content"][0] == {"type": "text", "text": "a", **mark} and lost == dropped


@pytest.mark.parametrize(
    ("how", "reasoning", "wanted"),
    [
        ("effort", Reasoning("high"), {"reasoning_effort": "high"}),
        ("effort", Reasoning(budget=8192), {"reasoning_effort": "medium"}),
        ("effort", Reasoning(budget=-1), {"reasoning_effort": "medium"}),
        ("effort", Reasoning(enabled=True), {"reasoning_effort": "medium"}),
        ("effort", Reasoning(enabled=False), {"reasoning_effort": "none"}),
        ("effort", Reasoning(budget=0), {"reasoning_effort": "none"}),
        ("budget", Reasoning("low"), {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("budget", Reasoning(budget=5), {"thinking": {"type": "enabled", "budget_tokens": 5}}),
        ("budget", Reasoning(budget=-1), {"thinking": {"type": "enabled"}}),
        ("flag", Reasoning("high"), {"thinking": {"type": "enabled"}}),
        ("flag", Reasoning("none"), {"thinking": {"type": "disabled"}}),
        ("", Reasoning("high"), {}),
    ],
)
def test_how_much_to_think(how: str, reasoning: Reasoning, wanted: dict[str, Any]) -> None:
    """As the model is told."""
    body, dropped = rendered(reasoning=reasoning, traits=Traits(Capabilities(thinking=how)))
    assert {name: body[name] for name in body if name not in ("model", "messages")} == wanted
    assert dropped == (() if how else ("reasoning",))


def test_which_tool_is_to_be_called() -> None:
    """Functions and custom tools by name; several as those that are allowed; nothing of it without tools."""
    tools = (Tool("f"), Tool("c", custom=True))
    for choice, wanted in (
        (ToolChoice("required"), "required"),
        (ToolChoice("function", ("f",)), {"type": "function", "function": {"name": "f"}}),
        (ToolChoice("function", ("c",)), {"type": "custom", "custom": {"name": "c"}}),
        (
            ToolChoice("auto", ("f", "c")),
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
                {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}]}},
        ),
    ):  # fmt: skip
        assert rendered(tools=tools, tool_choice=choice)[0]["tool_choice"] == wanted
    body, dropped = rendered(tool_choice=ToolChoice("auto"), parallel_tools=True)
    assert set(body) == {"model", "messages"} and dropped == ("tool_choice", "parallel_tools")


def test_the_form_of_the_answer_has_a_name() -> None:
    """OpenAI wants one."""
    body, _ = rendered(format=Format("json_schema", b'{"type":"object"}'))
    assert body["response_format"]["json_schema"] == {"name": "response", "schema": {"type": "object"}}
    assert rendered(format=Format("json_object"))[0]["response_format"] == {"type": "json_object"}
