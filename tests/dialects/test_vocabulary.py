"""What is no word of a caller's dialect is refused where it would have to be translated, with its place and the words
that there are; what nobody knows the name of is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatRequest, Foreign, Image
from encke.core.faults import Fault
from encke.dialects.effort import LEVELS
from encke.dialects.port import Hub
from encke.dialects.table import CLIENTS

EFFORTS = [f"`{word}`" for word in LEVELS]
BAD = "@@@"


def hub(route: str, **fields: Any) -> Hub:
    """A request that is good but for these fields."""
    usual: dict[str, dict[str, Any]] = {
        "chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        "messages": {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]},
        "responses": {"model": "m", "input": "hi"},
        "generate": {"contents": [{"parts": [{"text": "hi"}]}]},
    }
    side = CLIENTS[route]
    return side.to_hub(side.read(json.dumps(usual[route] | fields).encode(), "m:generateContent", {}))


def content(route: str, *parts: Any) -> dict[str, Any]:
    """What the user says, on a route."""
    if route == "generate":
        return {"contents": [{"parts": list(parts)}]}
    return {"input" if route == "responses" else "messages": [{"role": "user", "content": list(parts)}]}


def refusal(route: str, fields: dict[str, Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        hub(route, **fields)
    assert (caught.value.code, caught.value.status) == ("invalid_value", 400)
    return caught.value


@pytest.mark.parametrize(
    ("route", "fields", "param", "known"),
    [
        ("chat", {"reasoning_effort": "gigantic"}, "reasoning_effort", EFFORTS),
        ("chat", {"reasoning": {"effort": "gigantic"}}, "reasoning.effort", EFFORTS),
        ("responses", {"reasoning": {"effort": "gigantic"}}, "reasoning.effort", EFFORTS),
        ("messages", {"output_config": {"effort": "gigantic"}}, "output_config.effort", EFFORTS),
        ("generate", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "GIGANTIC"}}},
         "generationConfig.thinkingConfig.thinkingLevel", ["`LOW`", "`HIGH`"]),
        ("chat", {"tool_choice": "gigantic"}, "tool_choice", ["`auto`", "`none`", "`required`"]),
        ("responses", {"tool_choice": "gigantic"}, "tool_choice", ["`auto`", "`none`", "`required`"]),
        ("messages", {"tool_choice": {"type": "gigantic"}}, "tool_choice.type", ["`any`", "`tool`", "`none`"]),
        ("generate", {"toolConfig": {"functionCallingConfig": {"mode": "gigantic"}}},
         "toolConfig.functionCallingConfig.mode", ["`AUTO`", "`ANY`", "`NONE`", "`VALIDATED`"]),
        ("chat", {"messages": [{"role": "gigantic", "content": "x"}]}, "messages[0].role", ["`user`", "`tool`"]),
        ("responses", {"input": [{"role": "gigantic", "content": "x"}]}, "input[0].role", ["`user`", "`assistant`"]),
        ("messages", {"messages": [{"role": "gigantic", "content": "x"}]}, "messages[0].role", ["`assistant`"]),
        ("generate", {"contents": [{"role": "gigantic", "parts": []}]}, "contents[0].role", ["`user`", "`model`"]),
        ("chat", content("chat", {"type": "gigantic"}), "messages[0].content[0].type", ["`text`", "`image_url`"]),
        ("responses", content("responses", {"type": "gigantic"}), "input[0].content[0].type", ["`input_text`"]),
        ("responses", {"input": [{"type": "gigantic", "role": "user"}]}, "input[0].type", ["`function_call`"]),
        ("messages", content("messages", {"type": "gigantic"}), "messages[0].content[0].type", ["`text`", "`image`"]),
        ("generate", content("generate", {"gigantic": {}}), "contents[0].parts[0]", ["text", "inlineData"]),
    ],
)  # fmt: skip
def test_words(route: str, fields: dict[str, Any], param: str, known: list[str]) -> None:
    """Efforts, choices of tools, roles, kinds of parts and items."""
    fault = refusal(route, fields)
    assert fault.param == param and "not `gigantic`" in fault.message.lower()
    assert all(word in fault.message for word in known), fault.message


@pytest.mark.parametrize(
    ("route", "part", "param"),
    [
        ("chat", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BAD}"}}, "image_url"),
        ("chat", {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{BAD}"}}, "file.file_data"),
        ("chat", {"type": "file", "file": {"file_data": BAD}}, "file.file_data"),
        ("chat", {"type": "input_audio", "input_audio": {"data": BAD, "format": "wav"}}, "input_audio.data"),
        ("responses", {"type": "input_image", "image_url": f"data:image/png;base64,{BAD}"}, "image_url"),
        ("responses", {"type": "input_file", "file_data": BAD}, "file_data"),
        ("responses", {"type": "input_audio", "input_audio": {"data": BAD, "format": "wav"}}, "input_audio.data"),
        ("messages", {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BAD}},
         "source.data"),
        ("messages", {"type": "document", "source": {"type": "base64", "data": BAD}}, "source.data"),
        ("generate", {"inlineData": {"mimeType": "image/png", "data": BAD}}, "inlineData.data"),
        ("generate", {"inlineData": {"mimeType": "audio/wav", "data": ""}}, "inlineData.data"),
        ("generate", {"functionResponse": {"name": "f", "response": {}, "parts": [
            {"inlineData": {"mimeType": "image/png", "data": BAD}}]}}, "functionResponse.parts[0].inlineData.data"),
    ],
)  # fmt: skip
def test_base64(route: str, part: dict[str, Any], param: str) -> None:
    """Of images, documents and sound: no provider could read what is none."""
    fault = refusal(route, content(route, part))
    assert (fault.param or "").endswith(f"[0].{param}") and "base64" in fault.message


@pytest.mark.parametrize(
    ("route", "fields", "extra"),
    [
        ("chat", {"service_tier": "gigantic", "verbosity": "gigantic"}, {"service_tier", "verbosity"}),
        ("chat", {"tomorrow": 1}, {"openai_chat.tomorrow"}),
        ("messages", {"tomorrow": 1}, {"anthropic_messages.tomorrow"}),
        ("responses", {"tomorrow": 1, "service_tier": "gigantic"}, {"openai_responses.tomorrow", "service_tier"}),
        ("generate", {"tomorrow": 1}, {"google_generate.tomorrow"}),
    ],
)
def test_what_is_new_is_let_in(route: str, fields: dict[str, Any], extra: set[str]) -> None:
    """Fields that nobody knows, and words that providers add without asking: they go on where they are known."""
    found = hub(route, **fields)
    assert isinstance(found, ChatRequest) and found.extra.keys() == extra


@pytest.mark.parametrize(
    ("route", "part"),
    [
        ("chat", {"type": "video_url", "video_url": {"url": "https://a.test/v.mp4"}}),
        ("messages", {"type": "container_upload", "file_id": "f"}),
        ("messages", {"type": "tomorrows_tool_result", "tool_use_id": "x"}),
        ("generate", {"executableCode": {"code": "1", "language": "PYTHON"}}),
        ("generate", {"speechMetadata": {}, "toolResponse": {}}),
    ],
)
def test_what_only_this_dialect_has_is_kept(route: str, part: dict[str, Any]) -> None:
    """Parts that are known and that nobody else has a word for: left out elsewhere, and named."""
    found = hub(route, **content(route, part))
    assert isinstance(found, ChatRequest) and isinstance(found.messages[0].parts[0], Foreign)


def test_one_providers_word_for_none() -> None:
    """Groq's "default" is no effort at all."""
    found = hub("chat", reasoning_effort="default")
    assert isinstance(found, ChatRequest) and found.reasoning is None


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("chat", {"messages": [{"role": "user", "content": "x"},
                               {"role": "assistant", "content": [{"type": "gigantic", "x": 1}]}]}),
        ("responses", {"input": [{"role": "user", "content": "x"},
                                 {"role": "assistant", "content": [{"type": "gigantic", "x": 1}]}]}),
        ("responses", {"input": [{"role": "user", "content": "x"}, {"type": "gigantic", "id": "i", "x": 1}]}),
        ("messages", {"messages": [{"role": "user", "content": "x"},
                                   {"role": "assistant", "content": [{"type": "gigantic", "x": 1}]}]}),
        ("generate", {"contents": [{"role": "user", "parts": [{"text": "x"}]},
                                   {"role": "model", "parts": [{"gigantic": {}}]}]}),
    ],
)  # fmt: skip
def test_what_a_model_has_said_may_be_newer(route: str, fields: dict[str, Any]) -> None:
    """It is kept as it is, for its own dialect; another is told without it, and it is named."""
    found = hub(route, **fields)
    assert isinstance(found, ChatRequest)
    (part,) = found.messages[-1].parts
    assert isinstance(part, Foreign) and part.kind == "gigantic"


@pytest.mark.parametrize(
    ("word", "level"),
    [("HIGH", "high"), ("default", None), ("auto", None), ("unset", None), ("disable", "none"), ("Off", "none")],
)
def test_words_alike(word: str, level: str | None) -> None:
    """Efforts as some clients write them."""
    for fields in ({"reasoning_effort": word}, {"reasoning": {"effort": word}}):
        found = hub("chat", **fields)
        assert isinstance(found, ChatRequest)
        assert (found.reasoning.effort if found.reasoning else None) == level


@pytest.mark.parametrize("data", ["-_8=", "%2B%2F8%3D", "+/8="])
def test_base64_of_addresses(data: str) -> None:
    """The alphabet for addresses, and escapes, become the standard alphabet, as providers want it."""
    found = hub("chat", **content("chat", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}))
    assert isinstance(found, ChatRequest)
    (part,) = found.messages[0].parts
    assert isinstance(part, Image) and part.data == "+/8="
