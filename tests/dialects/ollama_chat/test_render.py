"""Requests of the hub in Ollama's words, and what is named as lost."""

from __future__ import annotations

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
from encke.dialects.ollama_chat.provider import OllamaChat
from tests.dialects.collected import exchanges

SIDE = OllamaChat()
USER = Message("user", (Text("Hi"),))
SCHEMA = b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}'
LOOK = Tool("look", "Looks.", SCHEMA)
NOW = Tool("now")


def render(traits: Traits = PLAIN, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    rendered = SIDE.render(ChatRequest(**{"model": "x", "messages": (USER,), **fields}), "llama", traits)
    return json.loads(rendered.body), rendered.dropped


def messages(*given: Message) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    body, dropped = render(messages=given)
    return body["messages"], dropped


def test_a_conversation_with_everything_ollama_knows() -> None:
    """Every role, texts in one, images, thoughts, calls, and results with the names of their tools."""
    made, dropped = messages(
        Message("developer", (Text("Be brief."), Text("Be kind."))),
        Message("user", (Text("What?"), Image(data="QQ==", media_type="image/png"), File(text="A", name='n"1'))),
        Message(
            "assistant",
            (Thinking("Hm."), Text("I look."), ToolCall("c1", "look", '{"a":["b"]}'), ToolCall("c2", "now", "")),
        ),
        Message("tool", (ToolResult("c1", (Text("one"), Image(data="Qg=="))), ToolResult("c2", (), name="then"))),
        Message("assistant", (Refusal("No."),)),
    )
    assert dropped == ()
    assert made == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": 'What?\n\n<document name="n\'1">\nA\n</document>', "images": ["QQ=="]},
        {
            "role": "assistant",
            "content": "I look.",
            "thinking": "Hm.",
            "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "look", "arguments": {"a": ["b"]}}},
                {"id": "c2", "function": {"index": 1, "name": "now", "arguments": {}}},
            ],
        },
        {"role": "tool", "tool_name": "look", "tool_call_id": "c1", "content": "one", "images": ["Qg=="]},
        {"role": "tool", "tool_name": "then", "tool_call_id": "c2", "content": ""},
        {"role": "assistant", "content": "No."},
    ]


def test_what_a_message_cannot_hold_is_named() -> None:
    """By the message and the part it stands in. Images are never fetched, so an address is one."""
    made, dropped = messages(
        Message("user", (Text("a"), Image(url="https://e.org/a.png"), Audio("QQ==", "wav")), name="Ada"),
        Message("user", (File(data="QQ==", media_type="application/pdf"), Foreign("google_generate", "x", b"{}"))),
        Message(
            "assistant", (Thinking("t", signature="s", origin="anthropic_messages"), Text("b", citations=(Citation(),)))
        ),
        Message(
            "assistant",
            (ToolCall("c", "look", "[1]"), ToolCall("d", "look", '{"a'), ToolCall("e", "w", "x", custom=True)),
        ),
        Message("tool", (ToolResult("c", (Image(url="u"),), error=True),)),
    )
    assert dropped == (
        "messages[0].name",
        "messages[0].content[1]",
        "messages[0].content[2]",
        "messages[1].content[0]",
        "messages[1].content[1]",
        "thinking",
        "messages[2].content[1].citations",
        "messages[3].content[0]",
        "messages[3].content[1]",
        "messages[4].content[0].content[0]",
        "messages[4].content[0].error",
    )
    # Arguments that are no object are sent all the same, in one.
    assert [one["function"]["arguments"] for one in made[3]["tool_calls"]] == [
        {"input": "[1]"}, {"input": '{"a'}, {"input": "x"}
    ]  # fmt: skip


def test_marks_and_hints_are_named() -> None:
    """Prompt-cache marks, how closely to look, what may be cited, and what another model has signed."""
    image = Image(data="QQ==", detail="high", cache="5m")
    made, dropped = messages(
        Message("user", (Text("a", cache="1h"), image, File(text="A", name="n", context="c", citable=True))),
        Message("assistant", (ToolCall("c", "look", "{}", signature="s", origin="google_generate"),)),
        Message("tool", (ToolResult("c", (), cache="5m"),)),
    )
    assert made[0]["content"] == 'a\n\n<document name="n" context="c">\nA\n</document>'
    assert dropped == (
        "messages[0].content[0].cache",
        "messages[0].content[1].cache",
        "messages[0].content[1].detail",
        "messages[0].content[2].citable",
        "thinking",
        "messages[2].content[0].cache",
    )
    assert render(tools=(Tool("look", cache="5m"),))[1] == ("tools[0].cache",)


def test_numbers_go_into_options() -> None:
    """Over the caller's own options, which pass."""
    body, dropped = render(
        max_tokens=9, temperature=0.5, top_p=1.0, top_k=40, seed=7, stop=("a", "b"), presence_penalty=-0.5,
        frequency_penalty=1.0, logprobs=True, top_logprobs=2, n=1, parallel_tools=True, stream=True,
        extra={"options": b'{"num_ctx":4096,"seed":1}',
               "openai_chat.keep_alive": b'"5m"', "ollama_chat.truncate": b"false"},
    )  # fmt: skip
    assert dropped == ()
    assert body == {
        "model": "llama", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "logprobs": True,
        "top_logprobs": 2, "keep_alive": "5m", "truncate": False,
        "options": {
            "num_ctx": 4096, "num_predict": 9, "temperature": 0.5, "top_p": 1.0, "top_k": 40, "seed": 7,
            "presence_penalty": -0.5, "frequency_penalty": 1.0, "stop": ["a", "b"],
        },
    }  # fmt: skip
    assert "options" not in render()[0]
    with pytest.raises(Fault) as raised:
        render(extra={"options": b"[]"})
    assert (raised.value.code, raised.value.param) == ("invalid_type", "options")


def test_what_ollama_has_no_words_for_is_named() -> None:
    """At the top level."""
    _, dropped = render(n=2, user="u", parallel_tools=False, extra={"metadata": b"{}", "service_tier": b'"flex"'})
    assert dropped == ("parallel_tools", "n", "user", "metadata", "service_tier")


@pytest.mark.parametrize(
    ("choice", "names", "dropped"),
    [
        (None, ["look", "now"], ()),
        (ToolChoice("none"), [], ()),
        (ToolChoice("required"), ["look", "now"], ("tool_choice",)),
        (ToolChoice("function", ("now",)), ["now"], ("tool_choice",)),
        (ToolChoice("auto", ("look",)), ["look"], ()),
    ],
)
def test_tools_and_which_of_them(choice: ToolChoice | None, names: list[str], dropped: tuple[str, ...]) -> None:
    """What must not be called is left out; that one must be called cannot be said."""
    body, lost = render(tools=(LOOK, NOW), tool_choice=choice)
    assert [tool["function"]["name"] for tool in body.get("tools", ())] == names
    assert lost == dropped


def test_tools_that_ollama_has_not() -> None:
    """Strict ones are plain ones, and others are left out."""
    tools = (Tool("s", strict=True), Tool("c", custom=True), Foreign("openai_responses", "web_search", b"{}"))
    body, dropped = render(tools=tools)
    assert [tool["function"] for tool in body["tools"]] == [
        {"name": "s", "parameters": {"type": "object", "properties": {}}}
    ]
    assert dropped == ("tools[0].strict", "tools[1]", "tools[2]")


def test_the_form_of_the_answer() -> None:
    """An object of any kind, or of a schema."""
    assert render(format=Format("json_object"))[0]["format"] == "json"
    body, dropped = render(format=Format("json_schema", SCHEMA, "n", strict=True))
    assert (body["format"], dropped) == (json.loads(SCHEMA), ())


@pytest.mark.parametrize(
    ("reasoning", "thinking", "said"),
    [
        (Reasoning("medium"), "effort", "medium"),
        (Reasoning("minimal"), "effort", "low"),
        (Reasoning("max"), "effort", "high"),
        (Reasoning("medium"), "flag", True),
        (Reasoning("none"), "effort", False),
        (Reasoning(budget=0), "flag", False),
        (Reasoning(budget=30000), "effort", "high"),
        (Reasoning(enabled=True), "effort", True),
        (Reasoning(enabled=False), "effort", False),
        (Reasoning(summary="auto"), "effort", None),
        (Reasoning("none"), "", None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, thinking: str, said: str | bool | None) -> None:
    """On, off, or one of three words."""
    body, dropped = render(Traits(Capabilities(thinking=thinking)), reasoning=reasoning)
    assert body.get("think") == said and dropped == ()


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    """What was asked for is named as lost."""
    assert render(Traits(Capabilities(thinking="")), reasoning=Reasoning("high"))[1] == ("reasoning",)


def test_the_content_of_a_body_that_is_not_read() -> None:
    """Its texts are measured, whole or cut off."""
    assert SIDE.content_bytes(b'{"message":{"content":"So so","thinking":"Hm') == 7
    assert SIDE.content_bytes(b"nonsense") == 0


def test_it_says_nothing_that_clients_of_ollama_do_not_say() -> None:
    """Every field of a full request is one that recorded clients or Ollama's own library know."""
    known = {"shift", "truncate", "presence_penalty", "frequency_penalty", "top_k", "top_p"}
    for exchange in exchanges("ollama.ollama-chat"):
        known.update(exchange.request or ())
        known.update((exchange.request or {}).get("options") or ())
    body, _ = render(
        tools=(LOOK,), max_tokens=1, temperature=1.0, top_p=0.5, top_k=1, seed=1, stop=("a",), presence_penalty=0.1,
        frequency_penalty=0.1, logprobs=True, top_logprobs=1, format=Format("json_object"), reasoning=Reasoning("low"),
        extra={"keep_alive": b'"1m"', "shift": b"true", "truncate": b"true"},
    )  # fmt: skip
    assert set(body) | set(body["options"]) <= known and len(body) + len(body["options"]) >= 18
