"""Whole answers for callers of this dialect."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    CountReply,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
)
from encke.core.usage import Usage
from encke.dialects.google_generate.parse import parse_request
from encke.dialects.google_generate.parse_reply import read_chat_reply, read_count_reply
from encke.dialects.google_generate.render_reply import render_chat_reply, render_count_reply
from encke.dialects.google_generate.signature import ORIGIN, unpack
from encke.dialects.pieces import whole

REQUEST = parse_request("generate", b'{"contents":[]}', "asked:generateContent")


def body(*choices: Choice, **fields: Any) -> dict[str, Any]:
    """An answer's body."""
    reply = ChatReply(choices=choices, **fields)
    found: dict[str, Any] = json.loads(render_chat_reply(reply, REQUEST, "0190-ab"))
    return found


def test_an_answer() -> None:
    """Who answers, its id, its end, its cost."""
    found = body(Choice((Text("Hi"),), "length", "max_tokens"), model="real", usage=Usage(1, output=2))
    assert found["modelVersion"] == "real" and found["responseId"] == "0190-ab"
    assert found["candidates"] == [
        {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
    ]
    assert found["usageMetadata"]["totalTokenCount"] == 3
    assert body(Choice(()))["candidates"][0] == {"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0}
    assert body(Choice(()))["modelVersion"] == "asked"


def test_parts() -> None:
    """Every kind; another dialect's own is left out."""
    found = body(
        Choice(
            (
                Thinking("hm", "sig", "anthropic_messages"),
                Thinking(signature="blob", origin="anthropic_messages", redacted=True),
                Refusal("No."),
                ToolCall("1", "f", '{"a":1}', signature="AAAA", origin=ORIGIN),
                Audio("AA", "wav"),
                Image(data="AA", media_type="image/png"),
                Foreign("openai_responses", "x", b"{}"),
            )
        )
    )
    parts = found["candidates"][0]["content"]["parts"]
    assert parts[0]["thought"] is True and unpack(parts[0]["thoughtSignature"])[:2] == ("anthropic_messages", "sig")
    assert unpack(parts[1]["thoughtSignature"]) == ("anthropic_messages", "blob", "!")
    assert parts[2:] == [
        {"text": "No."},
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": "1"}, "thoughtSignature": "AAAA"},
        {"inlineData": {"mimeType": "audio/wav", "data": "AA"}},
        {"inlineData": {"mimeType": "image/png", "data": "AA"}},
    ]


def test_counts() -> None:
    """Come back as they were."""
    for reply in (CountReply(7), CountReply(7, 2)):
        assert read_count_reply(render_count_reply(reply)) == reply


WORDS = st.text(min_size=1, max_size=9)
SIGNED = st.sampled_from([("", ""), ("AAAA", ORIGIN), ("sig", "anthropic_messages"), ("x y", "openai_responses")])
PARTS: st.SearchStrategy[Part] = st.one_of(
    WORDS.map(Text),
    st.builds(lambda text, signed: Text(text, signature=signed[0], origin=signed[1]), WORDS, SIGNED),
    st.builds(
        lambda text, signed: Thinking(text, signed[0], signed[1], summary=signed[1] in ("", ORIGIN)), WORDS, SIGNED
    ),
    st.builds(lambda id, signed: ToolCall(id, "f", "{}", signature=signed[0], origin=signed[1]), WORDS, SIGNED),
    WORDS.map(lambda text: Text(text, citations=(Citation(url="https://a", start=0, end=1, origin=ORIGIN),))),
    st.just(Image(data="AAAA", media_type="image/png")),
)
LOGS = st.lists(st.builds(TokenLogprob, WORDS, st.floats(-9, 0)), max_size=3).map(tuple)


@given(st.lists(PARTS, max_size=5), LOGS)
def test_written_and_read_again(parts: list[Part], logs: tuple[TokenLogprob, ...]) -> None:
    """All of an answer comes back, thoughts of others with their signatures included; pieces of a text are one."""
    parts = whole(parts)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    choice = Choice(tuple(parts), "tool_calls" if has_calls else "stop", "STOP", logprobs=logs)
    reply = ChatReply(choices=(choice,), id="0190-ab", model="m", usage=Usage(1, output=2))
    data = render_chat_reply(reply, REQUEST, "0190-ab")
    assert read_chat_reply(data, ChatRequest(model="m", messages=()), "x") == reply
