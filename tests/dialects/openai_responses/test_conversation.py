"""Items become messages: what an assistant says is several of them, and one message."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from encke.core.chat import Audio, Citation, File, Foreign, Image, Message, Text, Thinking, ToolCall, ToolResult
from encke.core.faults import Fault
from encke.dialects.carrier import wrap
from encke.dialects.openai_responses.conversation import OF_CALL, OF_TEXT, Conversation, read_input
from encke.dialects.openai_responses.wire import NAME


def messages(*items: Any) -> tuple[Message, ...]:
    conversation = Conversation()
    read_input(msgspec.Raw(json.dumps(items).encode()), conversation)
    return tuple(conversation.messages)


def part(**fields: Any) -> Any:
    return messages({"role": "user", "content": [fields]})[0].parts[0]


def thought(text: str = "", sealed: str = "", **fields: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "summary": summary, "encrypted_content": sealed or None, **fields}


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def call(id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id, "name": "f", "arguments": "{}", "id": "fc_" + id}


def result(id: str, output: Any = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id, "output": output}


def test_a_text() -> None:
    """A text alone is the user's."""
    conversation = Conversation()
    read_input(msgspec.Raw(b'"Hi"'), conversation)
    assert conversation.messages == [Message("user", (Text("Hi"),))]


def test_a_turn_with_tools() -> None:
    """Thought, text and calls are one message of the assistant; results that follow each other are one of tools."""
    items = [
        {"role": "system", "content": "Be."},
        {"role": "user", "content": "Hi"},
        thought("hm", "sealed", id="rs_1"),
        said("I look."),
        call("a"),
        call("b"),
        result("a"),
        result("b", [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "https://a.test"}]),
        said("Done."),
    ]
    assert messages(*items) == (
        Message("system", (Text("Be."),)),
        Message("user", (Text("Hi"),)),
        Message(
            "assistant",
            (
                Thinking("hm", "sealed", NAME, summary=True, id="rs_1"),
                Text("I look."),
                ToolCall("a", "f", "{}", item_id="fc_a"),
                ToolCall("b", "f", "{}", item_id="fc_b"),
            ),
        ),
        Message("tool", (ToolResult("a", (Text("ok"),)), ToolResult("b", (Text("x"), Image(url="https://a.test"))))),
        Message("assistant", (Text("Done."),)),
    )


@pytest.mark.parametrize(
    ("items", "sizes"),
    [
        ([said("a"), said("b")], [1, 1]),
        ([said("a"), thought("b", "s"), said("c")], [1, 2]),
        ([thought("a", "s"), thought("b", "s"), said("c")], [3]),
        ([call("a"), thought("b", "s"), call("c")], [3]),
        ([call("a"), said("b"), said("c")], [3]),
        ([said("a"), call("b"), thought("c", "s")], [3]),
    ],
)
def test_where_messages_begin(items: list[Any], sizes: list[int]) -> None:
    """A text after a text, and a thought after one, begin another message, unless calls wait for their results."""
    assert [len(message.parts) for message in messages(*items)] == sizes


def test_custom_tools() -> None:
    """Custom calls and their results are told from functions."""
    found = messages(
        {"type": "custom_tool_call", "call_id": "a", "name": "f", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "x"},
    )
    assert found == (
        Message("assistant", (ToolCall("a", "f", "ls", custom=True),)),
        Message("tool", (ToolResult("a", (Text("x"),), custom=True),)),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "input_text", "text": "x"}, Text("x")),
        ({"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("x", cache="5m")),
        ({"type": "input_image", "image_url": "https://a.test", "detail": "low"},
         Image(url="https://a.test", detail="low")),
        ({"type": "input_image", "image_url": "data:image/png;base64,AA"}, Image(data="AA", media_type="image/png")),
        ({"type": "input_image", "file_id": "file-1"}, Image(file_id="file-1", origin=NAME)),
        ({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
         File(data="AA", media_type="application/pdf", name="a.pdf")),
        ({"type": "input_file", "file_data": "AA"}, File(data="AA", media_type="application/pdf")),
        ({"type": "input_file", "file_id": "file-1"}, File(file_id="file-1", origin=NAME)),
        ({"type": "input_file", "file_url": "https://a.test/x.pdf"}, File(url="https://a.test/x.pdf")),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, Audio("AA", "wav")),
        (
            {"type": "computer_screenshot", "x": 1},
            Foreign(NAME, "computer_screenshot", b'{"type": "computer_screenshot", "x": 1}'),
        ),
    ],
)  # fmt: skip
def test_parts(fields: dict[str, Any], expected: Any) -> None:
    """Texts, images, files and sound, by address, in the body and by id."""
    assert part(**fields) == expected


def test_what_an_answer_cited() -> None:
    """Annotations of a text in the conversation come with it."""
    link = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 1}
    file = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 3}
    content = [{"type": "output_text", "text": "x", "annotations": [link, file, "odd"]}]
    (message,) = messages({"role": "assistant", "content": content})
    (text,) = message.parts
    assert isinstance(text, Text)
    assert text.citations[0] == Citation("https://a.test", "A", start=0, end=1)
    assert (text.citations[1].title, text.citations[1].origin) == ("a.pdf", NAME)
    assert json.loads(text.citations[1].raw) == file


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (thought("a", "s"), (Thinking("a", "s", NAME, summary=True),)),
        (thought("a"), (Thinking("a", summary=True),)),
        (thought("", "s", id="rs_1"), (Thinking("", "s", NAME, redacted=True, id="rs_1"),)),
        (thought(""), ()),
        (thought("", content=[{"type": "reasoning_text", "text": "a"}]), (Thinking("a"),)),
        (thought("a", "s", content=[{"type": "reasoning_text", "text": "b"}], id="r"),
         (Thinking("a", summary=True, id="r"), Thinking("b", "s", NAME, id="r"))),
        (thought("a", wrap("anthropic_messages", "s", "")), (Thinking("a", "s", "anthropic_messages", summary=True),)),
    ],
)  # fmt: skip
def test_thoughts(item: dict[str, Any], expected: Any) -> None:
    """A thought's summary or text, with what is sealed of it; a carrier gives back another dialect's own."""
    assert messages(item) == (Message("assistant", expected),)


def test_signatures_of_calls_and_texts() -> None:
    """Carriers that came in items of their own give calls and texts their signatures."""
    found = messages(
        said("Hi"),
        thought("", wrap("google_generate", "s2", OF_TEXT)),
        call("a"),
        thought("", wrap("google_generate", "s1", OF_CALL + "a")),
        thought("", wrap("google_generate", "s0", OF_CALL + "of nobody")),
    )
    signed = ToolCall("a", "f", "{}", signature="s1", origin="google_generate", item_id="fc_a")
    assert found == (Message("assistant", (Text("Hi", signature="s2", origin="google_generate"), signed)),)


def test_what_the_provider_did_itself() -> None:
    """Calls of tools that the provider ran are kept for those who know them; tools that were added are tools."""
    conversation = Conversation()
    items = [
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        said("Found."),
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "f"}]},
    ]
    read_input(msgspec.Raw(json.dumps(items).encode()), conversation)
    foreign, text = conversation.messages[0].parts
    assert isinstance(foreign, Foreign)
    assert (foreign.origin, foreign.kind, text) == (NAME, "web_search_call", Text("Found."))
    assert [path for _, path in conversation.tools] == ["input[2].tools[0]"]


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        (3, "invalid_type", "input[0]"),
        ({}, "unsupported_parameter", "input[0]"),
        ({"id": "msg_1", "type": "item_reference"}, "unsupported_parameter", "input[0]"),
        ({"type": "compaction", "encrypted_content": "x"}, "unsupported_parameter", "input[0]"),
        ({"role": "robot", "content": "x"}, "invalid_value", "input[0].role"),
        ({"role": "user"}, "missing_required_parameter", "input[0].content"),
        ({"role": "user", "content": 3}, "invalid_type", "input[0].content"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "missing_required_parameter",
         "input[0].content[0].text"),
        ({"role": "user", "content": [{"type": "input_text", "text": 1}]}, "invalid_type", "input[0].content[0].text"),
        ({"role": "user", "content": [{"type": "input_image"}]}, "missing_required_parameter",
         "input[0].content[0].image_url"),
        ({"role": "system", "content": [{"type": "input_image", "image_url": "x"}]}, "invalid_value",
         "input[0].content[0].type"),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "missing_required_parameter", "input[0].call_id"),
        ({"type": "function_call", "call_id": "a", "name": "f"}, "missing_required_parameter", "input[0].arguments"),
        ({"type": "function_call_output", "call_id": "a"}, "missing_required_parameter", "input[0].output"),
        ({"type": "function_call_output", "call_id": "a", "output": [{"type": "refusal", "refusal": "x"}]},
         "invalid_value", "input[0].output[0].type"),
    ],
)  # fmt: skip
def test_what_is_refused(item: Any, code: str, param: str) -> None:
    """What is wrong is named with its path; what another provider cannot be told of is refused, not left out."""
    with pytest.raises(Fault) as caught:
        messages(item)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_long_conversations_take_no_longer_each() -> None:
    """Many results, calls and signatures in a row are read in one go each."""
    size = 20_000
    items = [call(str(at)) for at in range(size)]
    items += [thought("", wrap("google_generate", "s", OF_CALL + str(at))) for at in range(size)]
    items += [result(str(at)) for at in range(size)]
    found = messages(*items)
    assert [len(message.parts) for message in found] == [size, size]
