"""Requests into the hub: contents and parts, tools, settings, in either spelling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.faults import Fault
from encke.dialects.google_generate.parse import parse_request
from encke.dialects.google_generate.parse_request import read_chat, read_count
from encke.dialects.google_generate.signature import ORIGIN, SENTINEL, pack


def hub(body: dict[str, Any], limit: int = 0) -> ChatRequest:
    """A request in the hub."""
    request = parse_request("generate", json.dumps(body).encode(), "m:generateContent")
    request.output_limit = limit
    return read_chat(request)


def contents(*contents: dict[str, Any]) -> tuple[Message, ...]:
    """The messages of contents."""
    return hub({"contents": list(contents)}).messages


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    """A content of the user's."""
    return {"role": "user", "parts": list(parts)}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    """A content of the model's."""
    return {"role": "model", "parts": list(parts)}


def asked(part: dict[str, Any]) -> Part:
    """One part of the user's."""
    return contents(user(part))[0].parts[0]


def said(part: dict[str, Any]) -> Part:
    """One part of the model's."""
    return contents(model(part))[0].parts[0]


def test_texts_and_roles() -> None:
    """A role may be missing, neighbours are not joined, empty texts are left out."""
    assert contents({"parts": [{"text": "a"}, {"text": ""}]}, user({"text": "b"}), model({"text": "c"})) == (
        Message("user", (Text("a"),)),
        Message("user", (Text("b"),)),
        Message("assistant", (Text("c"),)),
    )


@pytest.mark.parametrize(
    "instruction",
    ["Be brief.", {"parts": [{"text": "Be brief."}]}, {"parts": {"text": "Be brief."}, "role": "system"}],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction(instruction: Any, name: str) -> None:
    """A text or a content, in either spelling; it stands first."""
    found = hub({"contents": [user({"text": "a"})], name: instruction})
    assert found.messages[0] == Message("system", (Text("Be brief."),))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "_-A"}}, Image(data="/+A=", media_type="image/png")),
        ({"inline_data": {"mime_type": "image/png", "data": "AAAA"}}, Image(data="AAAA", media_type="image/png")),
        ({"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}}, Audio("AAAA", "mp3")),
        ({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}, Audio("AAAA", "wav")),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA", "displayName": "a.pdf"}},
            File(data="AAAA", media_type="application/pdf", name="a.pdf"),
        ),
        (
            {"fileData": {"fileUri": "https://a.example/x.png", "mimeType": "image/png"}},
            Image(url="https://a.example/x.png", media_type="image/png"),
        ),
        (
            {"file_data": {"file_uri": "https://generativelanguage.googleapis.com/v1beta/files/1"}},
            File(file_id="https://generativelanguage.googleapis.com/v1beta/files/1", origin=ORIGIN),
        ),
        (
            {
                "inlineData": {"mimeType": "image/png", "data": "AAAA"},
                "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
            },
            Image(data="AAAA", media_type="image/png", detail="low"),
        ),
    ],
)
def test_media(part: dict[str, Any], expected: Part) -> None:
    """Images, sound and documents: as data, at an address, or kept at Google's."""
    assert asked(part) == expected


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"fileData": {"fileUri": "https://youtu.be/x"}}, "fileData"),
        ({"inlineData": {"mimeType": "video/mp4", "data": "AA"}}, "inlineData"),
        ({"fileData": {"fileUri": "gs://a/b", "mimeType": "audio/wav"}}, "fileData"),
        ({"toolCall": {}}, "toolCall"),
        ({"audioMetadata": {}, "executableCode": {"code": "1"}}, "executableCode"),
    ],
)
def test_what_nobody_else_has(part: dict[str, Any], kind: str) -> None:
    """Stays this dialect's own, as it came."""
    assert asked(part) == Foreign(ORIGIN, kind, json.dumps(part).encode())


def test_code_that_google_has_run() -> None:
    """Is its own, too."""
    part = {"executableCode": {"code": "1", "language": "PYTHON"}, "thoughtSignature": "AAAA"}
    assert said(part) == Foreign(ORIGIN, "executableCode", json.dumps(part).encode())


def test_calls_and_results() -> None:
    """With ids, and without: then by name and order; results are messages of their own."""
    found = contents(
        user({"text": "go"}),
        model(
            {"functionCall": {"name": "f", "args": {"a": 1}}},
            {"function_call": {"id": "x", "name": "g"}},
            {"functionCall": {"name": "f"}},
        ),
        {
            "role": "function",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"id": "x", "name": "g", "response": {"error": "no"}}},
                {"functionResponse": {"name": "f", "response": {"n": 2}}},
                {"text": "and?"},
            ],
        },
    )
    assert found[1].parts == (
        ToolCall("call_1", "f", '{"a": 1}'),
        ToolCall("x", "g", "{}"),
        ToolCall("call_2", "f", "{}"),
    )
    assert found[2] == Message(
        "tool",
        (
            ToolResult("call_1", (Text("one"),), "f"),
            ToolResult("x", (Text("no"),), "g", error=True),
            ToolResult("call_2", (Text('{"n": 2}'),), "f"),
        ),
    )
    assert found[3] == Message("user", (Text("and?"),))


def test_results_in_two_contents_are_one_message() -> None:
    """Neighbouring tool messages are one; a result may hold pictures."""
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    found = contents(
        model({"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}),
        user({"functionResponse": {"name": "f", "response": {}}}),
        user({"functionResponse": {"name": "g", "response": {"result": "ok"}, "parts": [picture]}}),
    )
    assert len(found) == 2 and found[1].parts == (
        ToolResult("call_1", (), "f"),
        ToolResult("call_2", (Text("ok"), Image(data="AAAA", media_type="image/png")), "g"),
    )


def test_thoughts_and_signatures() -> None:
    """Google's own, others' in a carrier, and what stands on nothing."""
    assert said({"text": "hm", "thought": True}) == Thinking("hm", summary=True)
    signed = {"text": "hm", "thought": True, "thoughtSignature": pack("anthropic_messages", "sig")}
    assert said(signed) == Thinking("hm", "sig", "anthropic_messages")
    hidden = {"text": "", "thought": True, "thoughtSignature": pack("anthropic_messages", "sig", "!")}
    assert said(hidden) == Thinking(signature="sig", origin="anthropic_messages", redacted=True)
    assert said({"text": "a", "thoughtSignature": "AAAA"}) == Text("a", signature="AAAA", origin=ORIGIN)
    call = {"functionCall": {"id": "1", "name": "f"}, "thought_signature": "AAAA"}
    assert said(call) == ToolCall("1", "f", "{}", signature="AAAA", origin=ORIGIN)
    assert said({**call, "thought_signature": SENTINEL}) == ToolCall("1", "f", "{}")


def test_a_signature_on_nothing_belongs_to_what_is_before_it() -> None:
    """If that has none; else it stands alone."""
    empty = {"text": "", "thoughtSignature": "AAAA"}
    (message,) = contents(model({"text": "a"}, empty, empty))
    alone = Thinking(signature="AAAA", origin=ORIGIN, redacted=True)
    assert message.parts == (Text("a", signature="AAAA", origin=ORIGIN), alone)
    assert contents(model(empty))[0].parts == (alone,)


def test_tools() -> None:
    """Functions with either kind of schema, what Google runs, and what a declaration has beside."""
    found = hub(
        {
            "contents": [],
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "name": "f",
                            "description": "F.",
                            "parameters": {"type": "OBJECT"},
                            "response": {"type": "NULL"},
                        },
                        {"name": "g", "parametersJsonSchema": {"type": "object"}},
                        {"name": "h"},
                    ],
                    "codeExecution": {},
                },
                {"google_search": {"a": 1}},
            ],
        }
    )
    assert found.tools == (
        Tool("f", "F.", b'{"type":"object"}'),
        Tool("g", parameters=b'{"type": "object"}'),
        Tool("h"),
        Foreign(ORIGIN, "codeExecution", b'{"codeExecution":{}}'),
        Foreign(ORIGIN, "googleSearch", b'{"googleSearch":{"a": 1}}'),
    )
    assert found.extra == {"google_generate.tools[0].response": b'{"type": "NULL"}'}


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "any"}, ToolChoice("required")),
        ({"mode": 3}, ToolChoice("none")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("function", ("f",))),
        ({"mode": "ANY", "allowed_function_names": ["f", "g"]}, ToolChoice("required", ("f", "g"))),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice("auto", ("f",))),
        ({}, None),
    ],
)
def test_which_tools_to_call(calling: dict[str, Any], choice: ToolChoice | None) -> None:
    """Modes by word or number."""
    assert hub({"contents": [], "toolConfig": {"functionCallingConfig": calling}}).tool_choice == choice


def test_settings() -> None:
    """Every one that the hub knows, in either spelling, and numbers as they come."""
    config = {
        "temperature": "0.5",
        "top_p": 1,
        "topK": 40.0,
        "candidateCount": 2,
        "maxOutputTokens": "16",
        "stop_sequences": ["x"],
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": -0.1,
        "responseLogprobs": True,
        "logprobs": 3,
    }
    found = hub({"contents": [], "generationConfig": config})
    assert (found.temperature, found.top_p, found.top_k, found.n, found.max_tokens) == (0.5, 1.0, 40, 2, 16)
    assert (found.stop, found.seed, found.presence_penalty, found.frequency_penalty) == (("x",), 7, 0.1, -0.1)
    assert (found.logprobs, found.top_logprobs, found.extra) == (True, 3, {})
    assert hub({"contents": []}, limit=9).max_tokens == 9


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        ({"thinkingBudget": 0}, Reasoning(budget=0)),
        ({"thinking_budget": -1, "include_thoughts": True}, Reasoning(budget=-1, summary="auto")),
        ({"thinkingLevel": "HIGH"}, Reasoning("high")),
        ({"thinkingLevel": "minimal", "includeThoughts": False}, Reasoning("minimal")),
        ({}, None),
    ],
)
def test_how_much_to_think(thinking: dict[str, Any], reasoning: Reasoning | None) -> None:
    """A budget, a level, and whether thoughts are told."""
    assert hub({"contents": [], "generationConfig": {"thinkingConfig": thinking}}).reasoning == reasoning


@pytest.mark.parametrize(
    ("config", "form"),
    [
        ({"responseMimeType": "application/json"}, Format("json_object")),
        ({"response_mime_type": "text/plain"}, None),
        ({"responseSchema": {"type": "OBJECT"}}, Format("json_schema", b'{"type":"object"}')),
        ({"responseJsonSchema": {"type": "object"}}, Format("json_schema", b'{"type": "object"}')),
    ],
)
def test_the_form_of_the_answer(config: dict[str, Any], form: Format | None) -> None:
    """JSON, or as a schema of either kind says."""
    assert hub({"contents": [], "generationConfig": config}).format == form


def test_what_has_no_place_is_kept() -> None:
    """By OpenAI's name where it has one, else by its own."""
    found = hub(
        {
            "contents": [],
            "safety_settings": [],
            "cachedContent": "cachedContents/1",
            "serviceTier": "standard",
            "labels": {"a": "b"},
            "toolConfig": {
                "retrievalConfig": {},
                "functionCallingConfig": {"mode": "AUTO", "streamFunctionCallArguments": True},
            },
            "generationConfig": {
                "responseModalities": ["TEXT", "IMAGE"],
                "mediaResolution": "MEDIA_RESOLUTION_LOW",
                "responseMimeType": "text/x.enum",
            },
        }
    )
    assert found.extra == {
        "modalities": b'["text","image"]',
        "service_tier": b'"default"',
        "google_generate.safetySettings": b"[]",
        "google_generate.cachedContent": b'"cachedContents/1"',
        "google_generate.labels": b'{"a": "b"}',
        "google_generate.mediaResolution": b'"MEDIA_RESOLUTION_LOW"',
        "google_generate.responseMimeType": b'"text/x.enum"',
        "google_generate.toolConfig.retrievalConfig": b"{}",
        "google_generate.functionCallingConfig.streamFunctionCallArguments": b"true",
    }
    assert hub({"contents": [], "generationConfig": {"responseModalities": ["TEXT"]}}).extra == {}


def test_what_is_to_be_counted() -> None:
    """A whole request inside, or contents alone."""
    for body in ({"contents": [user({"text": "a"})]}, {"generateContentRequest": {"contents": [user({"text": "a"})]}}):
        request = parse_request("google_count", json.dumps(body).encode(), "m:countTokens")
        assert read_count(request).messages == (Message("user", (Text("a"),)),)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"contents": [{"role": "system", "parts": []}]}, "invalid_value", "contents[0].role"),
        ({"contents": ["hi"]}, "invalid_type", "contents[0]"),
        ({"contents": [user({"text": 1})]}, "invalid_type", "contents[0].parts[0].text"),
        ({"contents": [{"parts": [7]}]}, "invalid_type", "contents[0].parts[0]"),
        ({"contents": [user({"functionCall": {"name": "f"}})]}, "invalid_value", "contents[0].parts[0]"),
        ({"contents": [model({"functionResponse": {"name": "f"}})]}, "invalid_value", "contents[0].parts[0]"),
        (
            {"contents": [model({"functionCall": {}})]},
            "missing_required_parameter",
            "contents[0].parts[0].functionCall.name",
        ),
        ({"contents": [], "generationConfig": {"topK": 1.5}}, "invalid_value", "generationConfig.topK"),
        ({"contents": [], "generationConfig": []}, "invalid_type", "generationConfig"),
        ({"contents": [], "tools": [{"functionDeclarations": [{}]}]}, "missing_required_parameter", None),
        ({"contents": [], "systemInstruction": {"parts": [{"fileData": {"fileUri": "x"}}]}}, "invalid_value", None),
    ],
)
def test_what_is_refused(body: dict[str, Any], code: str, param: str | None) -> None:
    """With the path of what is wrong."""
    with pytest.raises(Fault) as caught:
        hub(body)
    assert caught.value.code == code and (param is None or caught.value.param == param)


def test_depth() -> None:
    """Bodies of more than 64 levels are not translated."""
    deep: Any = {}
    for _ in range(70):
        deep = {"a": deep}
    with pytest.raises(Fault, match="64"):
        hub({"contents": [model({"functionCall": {"name": "f", "args": deep}})]})


NAMES = (
    "contents", "role", "parts", "text", "inlineData", "mimeType", "data", "functionCall", "name", "args", "thought",
    "functionResponse", "response", "thoughtSignature", "tools", "functionDeclarations", "generationConfig",
    "thinkingConfig", "topK", "toolConfig", "functionCallingConfig", "systemInstruction", "fileData", "fileUri",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, JSON, JSON, JSON)
def test_wrong_types_are_no_crash(contents: Any, config: Any, tools: Any, system: Any) -> None:
    """Only the caller's Faults come out, with the place."""
    body = {"contents": contents, "generationConfig": config, "tools": tools, "systemInstruction": system}
    try:
        hub(body)
    except Fault as fault:
        assert fault.kind.owner == "caller"
