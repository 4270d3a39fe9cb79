"""Messages of callers into the hub."""

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
    Image,
    Message,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from encke.core.faults import Fault
from encke.dialects.carrier import wrap
from encke.dialects.openai_chat.client import OpenAIClient

CLIENT = OpenAIClient("chat")


def read(*messages: Any) -> tuple[Message, ...]:
    """The messages of a request."""
    found = CLIENT.to_hub(CLIENT.read(json.dumps({"model": "m", "messages": messages}).encode(), "", {}))
    assert isinstance(found, ChatRequest)
    return found.messages


def parts(*content: Any, role: str = "user") -> tuple[Any, ...]:
    """The parts of one message."""
    return read({"role": role, "content": list(content)})[0].parts


def test_roles_names_and_texts() -> None:
    """A string is one text, an empty one none; parts stay parts."""
    assert read(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": ""}]},
        {"role": "user", "name": "ann", "content": ""},
        {"role": "assistant", "content": None},
    ) == (
        Message("system", (Text("a"),)),
        Message("developer", (Text("b"),)),
        Message("user", (), "ann"),
        Message("assistant", ()),
    )


def test_marks_for_the_prompt_cache() -> None:
    """As OpenRouter and LiteLLM write them, and OpenAI's own."""
    assert parts(
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "c", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "image_url", "image_url": {"url": "u"}, "cache_control": {"type": "ephemeral"}},
    ) == (Text("a", "5m"), Text("b", "1h"), Text("c", "5m"), Image(url="u", cache="5m"))


def test_images() -> None:
    """Addresses, data in one, and the form in which it is a string."""
    assert parts(
        {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}},
        {"type": "image_url", "image_url": "data:image/png;base64,QUJD"},
        {"type": "image_url", "image_url": {"url": "DATA:Image/SVG+xml;charset=utf-8,%3Csvg%2F%3E"}},
    ) == (
        Image(url="https://x", detail="low"),
        Image(data="QUJD", media_type="image/png"),
        Image(data=base64.b64encode(b"<svg/>").decode(), media_type="image/svg+xml"),
    )


def test_files_sound_and_what_only_this_dialect_knows() -> None:
    """Data with and without its type, text, ids, addresses."""
    text = base64.b64encode(b"plain").decode()
    assert parts(
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
        {"type": "file", "file": {"filename": "untitled.pdf", "file_data": "QUJD"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{text}"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "file", "file": {"file_data": "https://x/a.pdf"}},
        {"type": "document_url", "document_url": "https://x/b.pdf"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "video_url", "video_url": {"url": "u"}},
    ) == (
        File(data="QUJD", media_type="application/pdf", name="a.pdf"),
        File(data="QUJD", media_type="application/pdf"),
        File(text="plain", name="a.txt"),
        File(data="/w==", media_type="text/plain"),
        File(file_id="f", origin="openai_chat"),
        File(url="https://x/a.pdf"),
        File(url="https://x/b.pdf"),
        Audio("QUJD", "mp3"),
        Foreign("openai_chat", "video_url", b'{"type": "video_url", "video_url": {"url": "u"}}'),
    )


def test_what_an_assistant_said() -> None:
    """Thoughts first, then content, refusal, sound, calls; citations at the texts that they are of."""
    note = {"url": "u", "title": "t", "start_index": 3, "end_index": 6}
    (found,) = read(
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
            "annotations": [{"type": "url_citation", "url_citation": note}],
            "refusal": "No.",
            "audio": {"id": "a1"},
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "d", "type": "custom", "custom": {"name": "m", "input": "free"}},
            ],
        }
    )
    assert found.parts == (
        Thinking("hm"),
        Text("one"),
        Text("two", citations=(Citation("u", "t", "", 0, 3),)),
        Refusal("No."),
        Audio("", "", "a1"),
        ToolCall("c", "f", "{}"),
        ToolCall("d", "m", "free", custom=True),
    )


def test_signatures_that_the_gateway_gave_come_back() -> None:
    """By the format of OpenRouter's entries; on calls and texts in Google's place, bare or in a carrier."""
    (found,) = read(
        {
            "role": "assistant",
            "content": "Well",
            "extra_content": {"google": {"thought_signature": "ts"}},
            "reasoning_details": [
                {"type": "reasoning.text", "text": "a", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 1},
                {"type": "reasoning.summary", "summary": "b", "format": "openai-responses-v1", "id": "r", "index": 2},
                {"type": "reasoning.encrypted", "data": "y", "format": "openai-responses-v1", "id": "r", "index": 2},
                {"type": "reasoning.text", "text": "c", "signature": "z", "format": "encke:cohere_chat", "index": 3},
                {"type": "reasoning.text", "text": "d", "format": "unknown", "index": 4},
            ],
            "reasoning_content": "abcd",
            "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": "{}"},
                 "extra_content": {"google": {"thought_signature": "gs"}}},
                {"id": "d", "function": {"name": "f", "arguments": "{}"},
                 "extra_content": {"google": {"thought_signature": wrap("ollama_chat", "os")}}},
            ],
        }
    )  # fmt: skip
    assert found.parts == (
        Thinking("a", "s", "anthropic_messages"),
        Thinking("", "x", "anthropic_messages", redacted=True),
        Thinking("b", "y", "openai_responses", summary=True, id="r"),
        Thinking("c", "z", "cohere_chat"),
        Thinking("d"),
        Text("Well", signature="ts", origin="google_generate"),
        ToolCall("c", "f", "{}", signature="gs", origin="google_generate"),
        ToolCall("d", "f", "{}", signature="os", origin="ollama_chat"),
    )


def test_results() -> None:
    """Neighbours are one message; a custom tool's result is one; pictures are kept."""
    calls = [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "d", "type": "custom", "custom": {"name": "m", "input": "x"}},
    ]
    picture = {"type": "image_url", "image_url": {"url": "u"}}
    found = read(
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c", "name": "f", "content": [{"type": "text", "text": "1"}, picture]},
        {"role": "tool", "tool_call_id": "d", "content": "2"},
        {"role": "user", "content": "go on"},
    )
    assert found[1] == Message(
        "tool",
        (ToolResult("c", (Text("1"), Image(url="u")), "f"), ToolResult("d", (Text("2"),), custom=True)),
    )
    assert [message.role for message in found] == ["assistant", "tool", "user"]


def test_the_older_calls_get_ids_and_their_results_the_same() -> None:
    """By the function's name, first come, first served."""
    found = read(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "2"},
        {"role": "function", "name": "g", "content": "3"},
    )
    assert [part for message in found for part in message.parts] == [
        ToolCall("call_1", "f", "{}"),
        ToolResult("call_1", (Text("1"),), "f"),
        ToolCall("call_2", "f", "{}"),
        ToolResult("call_2", (Text("2"),), "f"),
        ToolResult("call_3", (Text("3"),), "g"),
    ]


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("Hi", "invalid_type", "messages[0]"),
        ({"content": "Hi"}, "missing_required_parameter", "messages[0].role"),
        ({"role": "robot", "content": "Hi"}, "invalid_value", "messages[0].role"),
        ({"role": "user"}, "missing_required_parameter", "messages[0].content"),
        ({"role": "user", "content": 5}, "invalid_type", "messages[0].content"),
        ({"role": "user", "content": [5]}, "invalid_type", "messages[0].content[0]"),
        ({"role": "user", "content": [{"text": "a"}]}, "missing_required_parameter", "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "missing_required_parameter", "messages[0].content[0].text"),
        (
            {"role": "user", "content": [{"type": "image_url"}]},
            "missing_required_parameter", "messages[0].content[0].image_url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"detail": "low"}}]},
            "missing_required_parameter", "messages[0].content[0].image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": ""}}]},
            "invalid_value", "messages[0].content[0].image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": "QUJD"}]},
            "invalid_type", "messages[0].content[0].input_audio",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]},
            "missing_required_parameter", "messages[0].content[0].file.file_data",
        ),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": "u"}]},
            "invalid_value", "messages[0].content[0].type",
        ),
        ({"role": "tool", "content": "1"}, "missing_required_parameter", "messages[0].tool_call_id"),
        (
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "video_url"}]},
            "invalid_value", "messages[0].content[0].type",
        ),
        ({"role": "function", "content": "1"}, "missing_required_parameter", "messages[0].name"),
        ({"role": "assistant", "tool_calls": [5]}, "invalid_type", "messages[0].tool_calls[0]"),
        (
            {"role": "assistant", "tool_calls": [{"id": 5}]}, "invalid_type", "messages[0].tool_calls[0].id",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(message: Any, code: str, param: str) -> None:
    """With its path."""
    with pytest.raises(Fault) as raised:
        read(message)
    assert (raised.value.code, raised.value.param) == (code, param)
