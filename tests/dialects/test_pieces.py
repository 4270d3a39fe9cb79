"""Pieces of one text, put together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatRequest, Citation, Message, Part, Text, Thinking, ToolCall
from encke.core.traits import PLAIN
from encke.dialects.pieces import whole
from encke.dialects.port import HubReply
from encke.dialects.table import CLIENTS, PROVIDERS

CALL = ToolCall("c", "f", "{}")
CITED = Citation("https://a.test", start=1, end=3)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), []),
        ((Text("a"), Text("b"), Text("c")), [Text("abc")]),
        ((Text("a"), CALL, Text("b"), Text("c")), [Text("a"), CALL, Text("bc")]),
        ((Thinking("a"), Thinking("b"), Text("c")), [Thinking("ab"), Text("c")]),
        ((Thinking("a"), Thinking("b", "s", "x"), Thinking("c")), [Thinking("ab", "s", "x"), Thinking("c")]),
        ((Thinking("a", summary=True), Thinking("b")), [Thinking("a", summary=True), Thinking("b")]),
        ((Thinking("", "s", redacted=True), Thinking("b")), [Thinking("", "s", redacted=True), Thinking("b")]),
        ((Text("a"), Text("b", signature="s", origin="x"), Text("c")),
         [Text("ab", signature="s", origin="x"), Text("c")]),
        ((Text("four"), Text("more", citations=(CITED, Citation("u")))),
         [Text("fourmore", citations=(Citation("https://a.test", start=5, end=7), Citation("u")))]),
        ((Text("four", citations=(CITED,)), Text("more")), [Text("fourmore", citations=(CITED,))]),
    ],
)  # fmt: skip
def test_whole(parts: tuple[Part, ...], expected: list[Part]) -> None:
    """Neighbours of one kind are one, up to a signature; places of citations move with their text."""
    assert whole(parts) == expected


ASKED = ChatRequest(model="m", messages=(Message("user", (Text("hi"),)),))


def read(op: str, answer: dict[str, Any]) -> HubReply:
    """A provider's whole answer."""
    PROVIDERS[op].render(ASKED, "m", PLAIN)
    return PROVIDERS[op].read_reply(json.dumps(answer).encode(), ASKED, "0190-call")


GEMINI = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [
                {"text": "let ", "thought": True}, {"text": "me", "thought": True},
                {"text": "Hello"}, {"text": " "}, {"text": "World"}]},
            "finishReason": "STOP",
        }
    ]
}  # fmt: skip
MISTRAL = {
    "choices": [
        {
            "message": {"role": "assistant", "content": [
                {"type": "text", "text": "Hello"}, {"type": "reference", "reference_ids": [1]},
                {"type": "text", "text": " World"}]},
            "finish_reason": "stop",
        }
    ]
}  # fmt: skip


@pytest.mark.parametrize(("op", "answer"), [("generate", GEMINI), ("mistral_chat", MISTRAL)])
def test_one_item_and_one_block(op: str, answer: dict[str, Any]) -> None:
    """Callers of Responses and of Messages get one text, as they do from a stream."""
    reply = read(op, answer)
    responses, messages = CLIENTS["responses"], CLIENTS["messages"]
    asked = responses.read(b'{"model":"m","input":"hi"}', "", {})
    output = json.loads(responses.render_reply(reply, asked, "0190-call", 1))["output"]
    said = [item for item in output if item["type"] == "message"]
    assert [[part["text"] for part in item["content"]] for item in said] == [["Hello World"]]
    assert [item["type"] for item in output].count("reasoning") == (op == "generate")
    asked = messages.read(b'{"model":"m","max_tokens":9,"messages":[]}', "", {})
    content = json.loads(messages.render_reply(reply, asked, "0190-call", 1))["content"]
    assert [block["text"] for block in content if block["type"] == "text"] == ["Hello World"]
