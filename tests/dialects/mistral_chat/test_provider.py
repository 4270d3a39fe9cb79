"""Mistral's answers, streams and errors."""

from __future__ import annotations

import json

import pytest

from encke.core.chat import ChatRequest, Choice, Message, Text, Thinking, ToolCall
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.mistral_chat.provider import MistralChat
from tests.dialects.openai_chat.gather import gather

ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))


def test_a_whole_answer_with_thoughts_among_the_content() -> None:
    """Thoughts, text, and a call without a type."""
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
        {"type": "text", "text": "Well"},
    ]
    call = {"id": "LzJrPPDCp", "function": {"name": "f", "arguments": '{"a":1}'}, "index": 0}
    body = {
        "id": "x",
        "model": "up",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "tool_calls": [call]},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    reply = MistralChat().read_reply(json.dumps(body).encode(), ASKED, "c")
    parts = (Thinking("hm"), Text("Well"), ToolCall("LzJrPPDCp", "f", '{"a":1}'))
    assert reply.choices == (Choice(parts, "tool_calls", "tool_calls"),)
    assert reply.usage == Usage(input=3, output=2)


def test_a_stream_with_thoughts_among_the_content_and_usage_beside_the_last_choice() -> None:
    """Lists while it thinks, strings while it speaks, a call in one piece."""
    call = {"id": "LzJrPPDCp", "function": {"name": "f", "arguments": '{"a":1}'}, "index": 0}
    deltas = [
        {"role": "assistant", "content": ""},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]},
        {"content": [{"type": "text", "text": "We"}]},
        {"content": "ll"},
        {"content": "", "tool_calls": [call]},
    ]
    body = ""
    for at, delta in enumerate(deltas):
        last = at == len(deltas) - 1
        event: dict[str, object] = {
            "id": "x",
            "model": "up",
            "choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls" if last else None}],
        }
        if last:
            event["usage"] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        body += f"data: {json.dumps(event)}\n\n"
    reader = MistralChat().reader(ASKED, "c")
    found = gather(reader, body.encode() + b"data: [DONE]\n\n")
    assert found.told(0) == ("Well", "hm", (("f", '{"a": 1}'),), "tool_calls")
    assert found.ids == ["LzJrPPDCp"] and found.usage == Usage(input=3, output=2)


@pytest.mark.parametrize(
    ("status", "body", "code", "says"),
    [
        (401, '{"detail":"Unauthorized"}', "upstream_auth", "credential"),
        (422, '{"detail":[{"loc":["body","seed"],"msg":"Extra inputs"}]}', "upstream_invalid_request", "Extra inputs"),
        (
            400,
            '{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}',
            "upstream_invalid_request",
            "Invalid model: x",
        ),
        (
            422,
            '{"object":"error","message":{"detail":[{"msg":"Field required"}]},"type":"invalid_request_error"}',
            "upstream_invalid_request",
            "Field required",
        ),
        (
            400,
            '{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with '
            '32768 maximum context length","type":"invalid_request_prompt","code":"3051"}',
            "context_length_exceeded",
            "too large",
        ),
        (
            429,
            '{"object":"error","message":"Service tier capacity exceeded for this model.","code":"3505"}',
            "upstream_rate_limited",
            "capacity",
        ),
    ],
)
def test_errors(status: int, body: str, code: str, says: str) -> None:
    """Both envelopes, {"object": "error"} and {"detail"}."""
    fault = MistralChat().read_fault(status, body.encode(), None)
    assert fault.code == code and says in fault.message


def test_an_error_that_came_with_status_200() -> None:
    """As an answer, and as an event."""
    body = b'{"object":"error","message":"Busy","type":"x","code":"503"}'
    with pytest.raises(Fault) as raised:
        MistralChat().read_reply(body, ASKED, "c")
    assert raised.value.code == "overloaded"
    reader = MistralChat().reader(ASKED, "c")
    assert reader.feed(body) == []
    assert reader.fault is not None and reader.fault.code == "overloaded"
