"""Requests of the hub in Cohere's words, and what is named as lost."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from encke.core.chat import (
    Audio,
    ChatRequest,
    Citation,
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
from encke.core.faults import Fault
from encke.core.traits import PLAIN, Capabilities, Traits
from encke.dialects.cohere_chat.provider import CohereChat
from tests.dialects.collected import exchanges

SIDE = CohereChat()
USER = Message("user", (Text("Hi"),))
SCHEMA = b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}'
LOOK = Tool("look", "Looks.", SCHEMA)
NOW = Tool("now")


def render(traits: Traits = PLAIN, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    rendered = SIDE.render(ChatRequest(**{"model": "x", "messages": (USER,), **fields}), "command", traits)
    return json.loads(rendered.body), rendered.dropped


def messages(*given: Message) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    body, dropped = render(messages=given)
    return body["messages"], dropped


def test_a_conversation_with_everything_cohere_knows() -> None:
    """Every role, text and images, thoughts, a plan, calls, and results with documents: nothing is lost."""
    given = (
        Message("developer", (Text("Be brief."),)),
        Message("system", (Text("Be kind."),)),
        Message(
            "user",
            (Text("What?"), Image(url="https://e.org/a.png", detail="low"), Image(data="QQ==", media_type="image/gif")),
        ),
        Message(
            "assistant",
            (Thinking("Hm."), Text("I look."), ToolCall("c1", "look", '{"a":"b"}'), ToolCall("c2", "now", "")),
        ),
        Message("tool", (ToolResult("c1", (Text("one"), File(text="two", name="t"))), ToolResult("c2", ()))),
        Message("assistant", (Text("So."),)),
    )
    made, dropped = messages(*given)
    assert dropped == ()
    assert made == [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/gif;base64,QQ=="}},
            ],
        },
        {
            "role": "assistant",
            "tool_plan": "I look.",
            "content": [{"type": "thinking", "thinking": "Hm."}],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":"b"}'}},
                {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [
                {"type": "text", "text": "one"},
                {"type": "document", "document": {"data": {"title": "t", "text": "two"}}},
            ],
        },
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": ""}]},
        {"role": "assistant", "content": "So."},
    ]


def test_what_a_message_cannot_hold_is_named() -> None:
    """By the message and the part it stands in."""
    made, dropped = messages(
        Message("user", (Text("a"), Audio("QQ==", "wav"), File(data="QQ==", media_type="application/pdf")), name="Ada"),
        Message("user", (Image(file_id="f", origin="openai_chat"), Foreign("google_generate", "x", b"{}"))),
        Message(
            "assistant",
            (Thinking("t", signature="s", origin="anthropic_messages"), Thinking(redacted=True), Refusal("No.")),
        ),
        Message("assistant", (Text("b", citations=(Citation(url="u"),)),)),
        Message("tool", (ToolResult("c", (Image(data="QQ==", media_type="image/png"),), error=True),)),
    )
    assert dropped == (
        "messages[0].name",
        "messages[0].content[1]",
        "messages[0].content[2]",
        "messages[1].content[0]",
        "messages[1].content[1]",
        "thinking",
        "messages[3].content[0].citations",
        "messages[4].content[0].error",
        "messages[4].content[0].content[0]",
    )
    assert [one["content"] for one in made[:4]] == ["a", "", "No.", "b"]


def test_text_documents_stand_beside_the_messages() -> None:
    """With those that the caller gave in Cohere's own field; other documents cannot be sent."""
    note = File(data=base64.b64encode("Grüße".encode()).decode(), media_type="text/plain", name="n.txt")
    wrong = File(data=base64.b64encode(b"\xff\xfe").decode(), media_type="text/plain")
    parts = (File(text="A", context="C"), note, wrong, Text("?"))
    body, dropped = render(messages=(Message("user", parts),), extra={"documents": b'["own"]'})
    assert body["documents"] == [
        "own",
        {"id": "file_0", "data": {"context": "C", "text": "A"}},
        {"id": "file_1", "data": {"title": "n.txt", "text": "Grüße"}},
    ]
    assert dropped == ("messages[0].content[2]",)
    with pytest.raises(Fault) as raised:
        render(messages=(Message("user", parts),), extra={"documents": b'{"no":"list"}'})
    assert (raised.value.code, raised.value.param) == ("invalid_type", "documents")


def test_its_own_citations_go_back_as_they_came() -> None:
    """Once each: that of the second source of a citation stands in the first."""
    own = Citation(raw=b'{"start":0,"end":1}', origin="cohere_chat")
    made, dropped = messages(Message("assistant", (Text("a", citations=(own, Citation(origin="cohere_chat"))),)))
    assert made[0]["citations"] == [{"start": 0, "end": 1}] and dropped == ()


def test_marks_are_named() -> None:
    """Prompt-cache marks, and what another model has signed."""
    _, dropped = messages(
        Message("user", (Text("a", cache="1h"), Image(url="u", cache="5m"), File(text="A", citable=True, cache="5m"))),
        Message(
            "assistant", (Text("b", cache="5m"), ToolCall("c", "look", "{}", signature="s", origin="google_generate"))
        ),
        Message("tool", (ToolResult("c", (), cache="5m"),)),
    )
    assert dropped == (
        "messages[0].content[0].cache",
        "messages[0].content[1].cache",
        "messages[0].content[2].cache",
        "messages[1].content[0].cache",
        "thinking",
        "messages[2].content[0].cache",
    )
    assert render(tools=(Tool("look", cache="5m"),))[1] == ("tools[0].cache",)


def test_numbers_go_by_coheres_names() -> None:
    """And within Cohere's bounds; what they cannot say is named."""
    body, dropped = render(
        max_tokens=9, temperature=0.5, top_p=1.0, top_k=-1, seed=7, stop=("a",), presence_penalty=0.5,
        frequency_penalty=1.0, logprobs=True, n=1, parallel_tools=True, stream=True,
    )  # fmt: skip
    assert dropped == ()
    assert {name: body[name] for name in body if name not in ("messages", "model")} == {
        "stream": True, "max_tokens": 9, "temperature": 0.5, "p": 0.99, "k": 0, "seed": 7, "stop_sequences": ["a"],
        "presence_penalty": 0.5, "frequency_penalty": 1.0, "logprobs": True,
    }  # fmt: skip
    body, dropped = render(
        n=2, user="u", parallel_tools=False, presence_penalty=-1.0, frequency_penalty=1.5, top_logprobs=3,
        stop=tuple("abcdef"), top_k=900, top_p=0.0, extra={"metadata": b"{}", "google_generate.safetySettings": b"[]"},
    )  # fmt: skip
    assert set(dropped) == {
        "n", "user", "parallel_tools", "presence_penalty", "frequency_penalty", "top_logprobs", "stop", "metadata",
        "google_generate.safetySettings",
    }  # fmt: skip
    assert body == {
        "model": "command", "messages": [{"role": "user", "content": "Hi"}], "stream": False, "k": 500, "p": 0.01,
        "stop_sequences": list("abcde"),
    }  # fmt: skip


def test_coheres_own_fields_pass() -> None:
    """From a caller of OpenAI's dialect, or with Cohere's before their names."""
    extra = {"openai_chat.safety_mode": b'"OFF"', "cohere_chat.citation_options": b'{"mode":"OFF"}', "priority": b"3"}
    body, dropped = render(extra={**extra, "openai_chat.odd": b"1", "google_generate.priority": b"1"})
    assert (body["safety_mode"], body["citation_options"], body["priority"]) == ("OFF", {"mode": "OFF"}, 3)
    assert dropped == ("openai_chat.odd", "google_generate.priority")


@pytest.mark.parametrize(
    ("choice", "names", "said"),
    [
        (None, ["look", "now"], None),
        (ToolChoice("auto"), ["look", "now"], None),
        (ToolChoice("none"), ["look", "now"], "NONE"),
        (ToolChoice("required"), ["look", "now"], "REQUIRED"),
        (ToolChoice("function", ("now",)), ["now"], "REQUIRED"),
        (ToolChoice("auto", ("look",)), ["look"], None),
    ],
)
def test_tools_and_which_of_them(choice: ToolChoice | None, names: list[str], said: str | None) -> None:
    """One tool that must be called is the only one there is."""
    body, dropped = render(tools=(LOOK, NOW), tool_choice=choice)
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert body.get("tool_choice") == said and dropped == ()
    for tool in body["tools"]:
        assert tool["function"]["parameters"]["type"] == "object"


def test_tools_that_cohere_has_not() -> None:
    """Those that take free text and those that a provider runs; what is called of them is sent as JSON."""
    custom = Tool("write", custom=True)
    body, dropped = render(
        tools=(custom, Foreign("openai_responses", "web_search", b"{}")), tool_choice=ToolChoice("required")
    )
    assert "tools" not in body and "tool_choice" not in body
    assert dropped == ("tools[0]", "tools[1]", "tool_choice")
    made, _ = messages(Message("assistant", (ToolCall("c", "write", 'a"b', custom=True),)))
    assert json.loads(made[0]["tool_calls"][0]["function"]["arguments"]) == {"input": 'a"b'}


def test_strict_tools_are_all_or_none() -> None:
    """And each needs a parameter that is required, or Cohere refuses them."""
    strict = Tool("look", parameters=SCHEMA, strict=True)
    body, dropped = render(tools=(strict,))
    assert body["strict_tools"] is True and dropped == ()
    for other in (LOOK, Tool("now", strict=True), Tool("odd", parameters=b'{"required":7}', strict=True)):
        body, dropped = render(tools=(strict, other))
        assert "strict_tools" not in body and "tools[0].strict" in dropped
    assert render(tools=(strict, LOOK), extra={"strict_tools": b"true"})[0]["strict_tools"] is True


def test_the_form_of_the_answer() -> None:
    """An object of any kind, or of a schema."""
    assert render(format=Format("json_object"))[0]["response_format"] == {"type": "json_object"}
    body, dropped = render(format=Format("json_schema", SCHEMA, "n", "d", True))
    assert body["response_format"] == {"type": "json_object", "json_schema": json.loads(SCHEMA)}
    assert dropped == ("format.description",)


@pytest.mark.parametrize(
    ("reasoning", "thinking", "said"),
    [
        (Reasoning("medium"), "effort", {"type": "enabled", "token_budget": 8192}),
        (Reasoning("medium"), "flag", {"type": "enabled"}),
        (Reasoning("none"), "effort", {"type": "disabled"}),
        (Reasoning(budget=0), "effort", {"type": "disabled"}),
        (Reasoning(budget=-1), "effort", {"type": "enabled"}),
        (Reasoning(budget=99, enabled=True), "budget", {"type": "enabled", "token_budget": 99}),
        (Reasoning(enabled=True), "effort", {"type": "enabled"}),
        (Reasoning(enabled=False), "effort", {"type": "disabled"}),
        (Reasoning(summary="auto"), "effort", None),
        (Reasoning("none"), "", None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, thinking: str, said: dict[str, Any] | None) -> None:
    """In tokens, as Cohere wants to be told."""
    body, dropped = render(Traits(Capabilities(thinking=thinking)), reasoning=reasoning)
    assert body.get("thinking") == said and dropped == ()


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    """What was asked for is named as lost."""
    assert render(Traits(Capabilities(thinking="")), reasoning=Reasoning("high"))[1] == ("reasoning",)


def test_the_content_of_a_body_that_is_not_read() -> None:
    """Its texts are measured, whole or cut off."""
    assert SIDE.content_bytes(b'{"message":{"content":[{"type":"text","text":"So so"},{"thinking":"Hm') == 7
    assert SIDE.content_bytes(b"nonsense") == 0


def test_it_says_nothing_that_clients_of_cohere_do_not_say() -> None:
    """Every field of a full request is one that recorded clients or Cohere's own library know."""
    known = {"presence_penalty", "frequency_penalty", "k", "p", "citation_options", "safety_mode", "priority"}
    for exchange in exchanges("cohere.cohere-chat_v2"):
        known.update(exchange.request or ())
    extra = dict.fromkeys(("safety_mode", "priority", "citation_options"), b"{}")
    body, _ = render(
        tools=(Tool("look", parameters=SCHEMA, strict=True),), tool_choice=ToolChoice("required"), max_tokens=1,
        temperature=1.0, top_k=1, top_p=0.5, seed=1, stop=("a",), presence_penalty=0.1, frequency_penalty=0.1,
        logprobs=True, format=Format("json_object"), reasoning=Reasoning("low"), extra={**extra, "documents": b"[]"},
    )  # fmt: skip
    assert set(body) <= known and len(body) >= 19
