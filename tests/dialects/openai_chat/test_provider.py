"""The simple case through the hub: a request, a whole answer, a stream, and errors."""

from __future__ import annotations

import json

import pytest

from encke.core.chat import ChatReply, ChatRequest, Choice, Message, Text, ToolCall
from encke.core.faults import Fault
from encke.core.traits import PLAIN, Traits
from encke.core.usage import Usage
from encke.dialects.openai_chat.provider import ChatProvider
from tests.dialects.openai_chat.gather import gather

ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
CALL = "0192-7e"


def test_a_request_has_the_models_name_and_asks_for_usage_where_it_is_an_option() -> None:
    """A stream asks for usage where the provider has the option, and not where it comes unasked."""
    asked = ChatRequest(model="x", messages=ASKED.messages, max_tokens=7, stream=True)
    made = json.loads(ChatProvider().render(asked, "up", Traits(limit_field="max_completion_tokens")).body)
    assert made == {
        "model": "up",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_completion_tokens": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    made = json.loads(ChatProvider().render(asked, "up", Traits(stream_usage="unasked")).body)
    assert "stream_options" not in made and made["max_tokens"] == 7


def test_a_whole_answer() -> None:
    """Text, calls, the end and usage."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    message = {"role": "assistant", "content": "Well", "tool_calls": [call]}
    body = {
        "id": "x",
        "created": 5,
        "model": "up",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    assert ChatProvider().read_reply(json.dumps(body).encode(), ASKED, CALL) == ChatReply(
        choices=(Choice((Text("Well"), ToolCall("c1", "f", '{"a":1}')), "tool_calls", "tool_calls"),),
        id="x",
        model="up",
        created=5,
        usage=Usage(input=3, output=2),
    )


def test_a_stream() -> None:
    """The same in pieces, ended by its mark."""
    events = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "We"}}]},
        {"choices": [{"index": 0, "delta": {"content": "ll"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    reader = ChatProvider().reader(ASKED, CALL)
    found = gather(reader, body.encode())
    assert found.told(0) == ("Well", "", (), "stop") and reader.ended and reader.finished
    assert found.usage == Usage(input=3, output=2)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "upstream_bad_response"),
        (b"{", "upstream_bad_response"),
        (b"{}", "upstream_bad_response"),
        (b'{"error":{"message":"busy","code":503}}', "overloaded"),
        (b'{"choices":[{"error":{"message":"busy","code":429}}]}', "upstream_rate_limited"),
    ],
)
def test_a_whole_answer_that_is_none(body: bytes, code: str) -> None:
    """What is no answer is a Fault: of the shape, or upstream's own."""
    with pytest.raises(Fault) as raised:
        ChatProvider().read_reply(body, ASKED, CALL)
    assert raised.value.code == code


def test_an_answer_that_is_no_success() -> None:
    """Errors are read by the one table."""
    body = b'{"error":{"message":"This model\'s maximum context length is 9"}}'
    assert ChatProvider().read_fault(400, body, None).code == "context_length_exceeded"
    assert ChatProvider().read_fault(529, b"", 3.0).retry_after == 3.0
    assert PLAIN.extensions == ()
