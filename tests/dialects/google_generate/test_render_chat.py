"""Requests of the hub on this wire, and what of them it cannot say."""

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
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.traits import Capabilities, Traits
from encke.dialects.google_generate.render_chat import render_chat, render_count
from encke.dialects.google_generate.signature import ORIGIN, SENTINEL

OLD = Traits(Capabilities(thinking="budget"))
NEW = Traits(Capabilities(thinking="level", efforts=("low", "medium", "high")))


def sent(*messages: Message, traits: Traits = OLD, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, and what was dropped."""
    rendered = render_chat(ChatRequest(model="m", messages=messages, **fields), traits)
    body: dict[str, Any] = json.loads(rendered.body)
    return body, rendered.dropped


def asked(part: Part, traits: Traits = OLD) -> tuple[Any, tuple[str, ...]]:
    """A part of a user's."""
    body, dropped = sent(Message("user", (part,)), traits=traits)
    return body["contents"][0]["parts"][0], dropped


def test_a_conversation() -> None:
    """System messages become the instruction, results of tools a content of the user's."""
    body, dropped = sent(
        Message("system", (Text("Be brief."),)),
        Message("developer", (Text("Really."),)),
        Message("user", (Text("a"),)),
        Message("assistant", (Text("b"), ToolCall("1", "f", '{"x":1.0}'))),
        Message("tool", (ToolResult("1", (Text("ok"),)),)),
    )
    assert not dropped and body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Really."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {
                "role": "model",
                "parts": [{"text": "b"}, {"functionCall": {"name": "f", "args": {"x": 1.0}, "id": "1"}}],
            },
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "f", "response": {"output": "ok"}, "id": "1"}}],
            },
        ],
    }


def test_what_a_message_cannot_say() -> None:
    """A participant's name, a system message further down, cache marks, what is of another dialect."""
    body, dropped = sent(
        Message("user", (Text("a", cache="5m"), Foreign("openai_chat", "x", b"{}")), name="Ann"),
        Message("system", (Text("b"),)),
        Message("assistant", (Refusal("no"), Thinking("hm", "s", "anthropic_messages"))),
        Message("user", ()),
    )
    assert dropped == (
        "messages[0].name",
        "messages[0].content[0].cache",
        "messages[0].content[1]",
        "messages[1].role",
        "thinking",
    )
    assert body["systemInstruction"] == {"parts": [{"text": "b"}]}
    assert [content["parts"] for content in body["contents"]] == [[{"text": "a"}], [{"text": "no"}], [{"text": ""}]]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Image(data="AA", media_type="image/png"), {"inlineData": {"mimeType": "image/png", "data": "AA"}}),
        (
            Image(url="https://a.example/b.JPG?x=1"),
            {"fileData": {"fileUri": "https://a.example/b.JPG?x=1", "mimeType": "image/jpeg"}},
        ),
        (Image(file_id="files/1", origin=ORIGIN), {"fileData": {"fileUri": "files/1"}}),
        (Audio("AA", "wav"), {"inlineData": {"mimeType": "audio/wav", "data": "AA"}}),
        (
            File(data="AA", media_type="application/pdf", name="a.pdf"),
            {"inlineData": {"mimeType": "application/pdf", "data": "AA", "displayName": "a.pdf"}},
        ),
        (File(text="words"), {"text": "words"}),
        (Foreign(ORIGIN, "fileData", b'{"fileData":{}}'), {"fileData": {}}),
    ],
)
def test_media(part: Part, expected: dict[str, Any]) -> None:
    """As data, at an address, or kept at Google's."""
    assert asked(part) == (expected, ())


@pytest.mark.parametrize(
    "part", [Image(file_id="file-1", origin="openai_chat"), File(url="ftp://x"), Foreign("cohere_chat", "x", b"{}")]
)
def test_media_that_cannot_be_sent(part: Part) -> None:
    """What another keeps, and addresses of other kinds."""
    body, dropped = sent(Message("user", (part,)))
    assert dropped == ("messages[0].content[0]",) and body["contents"][0]["parts"] == [{"text": ""}]


def test_detail_of_images() -> None:
    """Newer models take it for each; others do not."""
    image = Image(data="AA", media_type="image/png", detail="low")
    assert asked(image, NEW)[0]["mediaResolution"] == {"level": "MEDIA_RESOLUTION_LOW"}
    assert asked(image)[1] == ("messages[0].content[0].detail",)


def test_signatures_of_google_go_back() -> None:
    """On their parts; newer models get Google's word for "none" on the first call of a step that has none."""
    signed = (
        Thinking("hm", "AAAA", ORIGIN),
        Text("a", signature="BBBB", origin=ORIGIN),
        Thinking(signature="CCCC", origin=ORIGIN, redacted=True),
        ToolCall("1", "f", "{}", signature="DDDD", origin=ORIGIN),
        ToolCall("2", "f", "{}"),
    )
    body, dropped = sent(Message("assistant", signed), traits=NEW)
    parts = body["contents"][0]["parts"]
    assert not dropped and [part.get("thoughtSignature") for part in parts] == ["AAAA", "BBBB", "CCCC", "DDDD", None]
    assert parts[0] == {"text": "hm", "thought": True, "thoughtSignature": "AAAA"} and parts[2]["text"] == ""
    bare = Message("assistant", (ToolCall("1", "f", "{}", signature="x", origin="openai_chat"), ToolCall("2", "f", "")))
    for traits, first in ((NEW, SENTINEL), (OLD, None)):
        parts = sent(bare, traits=traits)[0]["contents"][0]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == [first, None]


def test_arguments_that_are_no_object() -> None:
    """Are the one argument `input`, as free text is of a tool that takes it; none at all are an empty object."""
    calls = (ToolCall("1", "f", "half {"), ToolCall("2", "f", ""), ToolCall("3", "c", "free", custom=True))
    body, dropped = sent(Message("assistant", calls))
    assert [part["functionCall"]["args"] for part in body["contents"][0]["parts"]] == [
        {"input": "half {"},
        {},
        {"input": "free"},
    ]
    assert dropped == ("messages[0].content[0].arguments",)


def test_results_with_pictures() -> None:
    """Inside for newer models, beside for older ones; an error says so; the name comes from the call."""
    messages = (
        Message("assistant", (ToolCall("1", "f", "{}"),)),
        Message("tool", (ToolResult("1", (Text("no"), Image(data="AA", media_type="image/png")), error=True),)),
    )
    blob = {"inlineData": {"mimeType": "image/png", "data": "AA"}}
    old, new = sent(*messages)[0]["contents"][1]["parts"], sent(*messages, traits=NEW)[0]["contents"][1]["parts"]
    assert old[0]["functionResponse"] == {"name": "f", "id": "1", "response": {"error": "no"}} and old[1] == blob
    assert new[0]["functionResponse"]["parts"] == [blob] and len(new) == 1


def test_tools() -> None:
    """Schemas go as they are; what another provider runs, strictness and grammars are dropped."""
    tools = (
        Foreign(ORIGIN, "googleSearch", b'{"googleSearch":{}}'),
        Tool("f", "F.", b'{"type":"object"}', strict=True),
        Foreign("openai_responses", "web_search", b"{}"),
        Tool("c", custom=True, grammar=b"{}"),
    )
    body, dropped = sent(tools=tools, tool_choice=ToolChoice("required"))
    functions = body["tools"][1]["functionDeclarations"]
    assert body["tools"][0] == {"googleSearch": {}} and len(body["tools"]) == 2
    assert functions[0] == {"name": "f", "description": "F.", "parametersJsonSchema": {"type": "object"}}
    assert functions[1]["parametersJsonSchema"]["required"] == ["input"]
    assert dropped == ("tools[1].strict", "tools[2]", "tools[3].grammar")
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("auto", ("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (ToolChoice("required", ("f", "g")), {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
        (ToolChoice("function", ("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_which_tools_to_call(choice: ToolChoice, config: dict[str, Any]) -> None:
    """Only where there are tools: Google refuses a mode without any."""
    assert sent(tools=(Tool("f"),), tool_choice=choice)[0]["toolConfig"] == {"functionCallingConfig": config}
    body, dropped = sent(tool_choice=choice)
    assert "toolConfig" not in body and dropped == ("tool_choice",)


def test_settings() -> None:
    """Every one that this wire has a word for."""
    body, dropped = sent(
        temperature=0.5, top_p=0.9, top_k=4, n=2, max_tokens=16, stop=("a", "b"), seed=7, presence_penalty=0.1,
        frequency_penalty=0.2, logprobs=True, top_logprobs=3, format=Format("json_schema", b'{"type":"object"}'),
    )  # fmt: skip
    assert not dropped and body["generationConfig"] == {
        "temperature": 0.5, "topP": 0.9, "topK": 4, "candidateCount": 2, "maxOutputTokens": 16,
        "stopSequences": ["a", "b"], "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2,
        "responseLogprobs": True, "logprobs": 3, "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }  # fmt: skip


def test_settings_that_are_dropped() -> None:
    """Seeds of more than 32 bits, more than five stop sequences, and what nobody can ask of Google."""
    extra = {"metadata": b"{}", "service_tier": b'"scale"', "modalities": b"7", "openai_chat.x": b"1"}
    body, dropped = sent(
        seed=1 << 40, stop=tuple("abcdefg"), parallel_tools=False, user="u", extra=extra,
        format=Format("json_object", description="D"),
    )  # fmt: skip
    assert dropped == (
        "seed", "stop", "parallel_tools", "user", "format.description", "metadata", "service_tier", "modalities",
        "openai_chat.x",
    )  # fmt: skip
    assert body["generationConfig"] == {"stopSequences": list("abcde"), "responseMimeType": "application/json"}


def test_what_is_googles_own_goes_back() -> None:
    """To where it came from; what OpenAI has by another name, too."""
    extra = {
        "modalities": b'["text","image"]',
        "service_tier": b'"flex"',
        "google_generate.safetySettings": b"[]",
        "google_generate.mediaResolution": b'"MEDIA_RESOLUTION_LOW"',
        "google_generate.toolConfig.retrievalConfig": b"{}",
        "google_generate.functionCallingConfig.streamFunctionCallArguments": b"true",
        "google_generate.tools[0].response": b"{}",
        "google_generate.tools[99].response": b"{}",
    }
    body, dropped = sent(tools=(Tool("f"),), tool_choice=ToolChoice("auto"), extra=extra)
    assert not dropped and body["safetySettings"] == [] and body["serviceTier"] == "flex"
    assert body["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }
    assert body["toolConfig"]["retrievalConfig"] == {}
    assert body["toolConfig"]["functionCallingConfig"]["streamFunctionCallArguments"] is True
    assert body["tools"][0]["functionDeclarations"][0]["response"] == {}


FLAG = Capabilities(thinking="flag")
MUST = Capabilities(thinking="budget", efforts=("low", "high"))


@pytest.mark.parametrize(
    ("capabilities", "reasoning", "config", "dropped"),
    [
        (OLD.capabilities, Reasoning("low"), {"thinkingBudget": 1024, "includeThoughts": True}, False),
        (OLD.capabilities, Reasoning("max"), {"thinkingBudget": 24576, "includeThoughts": True}, False),
        (OLD.capabilities, Reasoning("odd"), {"includeThoughts": True}, True),
        (OLD.capabilities, Reasoning("none"), {"thinkingBudget": 0}, False),
        (OLD.capabilities, Reasoning(enabled=False), {"thinkingBudget": 0}, False),
        (OLD.capabilities, Reasoning(enabled=True), {"thinkingBudget": -1, "includeThoughts": True}, False),
        (OLD.capabilities, Reasoning(budget=-1), {"thinkingBudget": -1, "includeThoughts": True}, False),
        (OLD.capabilities, Reasoning(budget=99999), {"thinkingBudget": 24576, "includeThoughts": True}, True),
        (OLD.capabilities, Reasoning(summary="auto"), {"includeThoughts": True}, False),
        (MUST, Reasoning(budget=0), {"thinkingBudget": 128}, True),
        (FLAG, Reasoning("high"), {"thinkingBudget": 24576, "includeThoughts": True}, False),
        (NEW.capabilities, Reasoning("medium"), {"thinkingLevel": "medium", "includeThoughts": True}, False),
        (NEW.capabilities, Reasoning("max"), {"thinkingLevel": "high", "includeThoughts": True}, True),
        (NEW.capabilities, Reasoning("none"), {"thinkingLevel": "low"}, True),
        (NEW.capabilities, Reasoning(budget=9000), {"thinkingLevel": "high", "includeThoughts": True}, False),
        (NEW.capabilities, Reasoning(budget=-1), {"includeThoughts": True}, False),
        (Capabilities(thinking=""), Reasoning("low"), None, True),
        (Capabilities(thinking=""), Reasoning("none"), None, False),
    ],
)
def test_how_much_to_think(
    capabilities: Capabilities, reasoning: Reasoning, config: dict[str, Any] | None, dropped: bool
) -> None:
    """By a budget or a level; what cannot be had so is named; thoughts are told to who asks for any."""
    body, lost = sent(reasoning=reasoning, traits=Traits(capabilities))
    assert body.get("generationConfig", {}).get("thinkingConfig") == config
    assert lost == (("reasoning",) if dropped else ())


def test_what_is_to_be_counted() -> None:
    """A whole request, which names the model."""
    request = ChatRequest(model="m", messages=(Message("user", (Text("a"),)),))
    inner = json.loads(render_count(request, "gemini", OLD).body)["generateContentRequest"]
    assert inner["model"] == "models/gemini" and inner["contents"][0]["parts"] == [{"text": "a"}]
