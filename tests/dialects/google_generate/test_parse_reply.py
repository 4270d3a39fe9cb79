"""Whole answers into the hub."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import (
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    CountReply,
    Foreign,
    Image,
    Refusal,
    Text,
    Thinking,
    TokenLogprob,
    Tool,
    ToolCall,
)
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.google_generate.parse_reply import read_chat_reply, read_count_reply
from encke.dialects.google_generate.signature import ORIGIN

ASKED = ChatRequest(model="m", messages=(), tools=(Tool("free", custom=True),))


def read(**fields: Any) -> ChatReply:
    """An answer of these fields."""
    return read_chat_reply(json.dumps(fields).encode(), ASKED, "0190-ab")


def choice(*parts: dict[str, Any], **fields: Any) -> Choice:
    """The only choice of an answer with these parts."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", **fields}
    return read(candidates=[candidate]).choices[0]


def test_an_answer() -> None:
    """With who has given it, what it has cost, and its end."""
    found = read(
        candidates=[{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "MAX_TOKENS"}],
        usageMetadata={
            "promptTokenCount": 1,
            "candidatesTokenCount": 2,
            "totalTokenCount": 3,
            "serviceTier": "standard",
        },
        modelVersion="gemini-x",
        responseId="r",
    )
    assert found == ChatReply(
        choices=(Choice((Text("Hi"),), "length", "MAX_TOKENS"),),
        id="r",
        model="gemini-x",
        usage=Usage(input=1, output=2),
        service_tier="default",
    )


def test_parts() -> None:
    """Thoughts, calls with and without ids, code that Google has run, images; STOP with calls is tool_calls."""
    found = choice(
        {"text": "hm", "thought": True},
        {"text": "Hi"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "AAAA"},
        {"functionCall": {"id": "x", "name": "free", "args": {"input": "words"}}},
        {"executableCode": {"code": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "BBBB"},
    )
    assert found.finish == "tool_calls" and found.finish_raw == "STOP"
    assert found.parts == (
        Thinking("hm", summary=True),
        Text("Hi"),
        ToolCall("call_0190ab_1", "f", '{"a": 1}', signature="AAAA", origin=ORIGIN),
        ToolCall("x", "free", "words", custom=True),
        Foreign(ORIGIN, "executableCode", b'{"executableCode": {"code": "1"}}'),
        Image(data="AAAA", media_type="image/png", signature="BBBB", origin=ORIGIN),
    )


def test_citations_and_logprobs() -> None:
    """Of the text, and of its tokens."""
    found = choice(
        {"text": "Hi"},
        groundingMetadata={
            "groundingChunks": [{"web": {"uri": "https://a"}}],
            "groundingSupports": [{"segment": {"endIndex": 2}, "groundingChunkIndices": [0]}],
        },
        logprobsResult={
            "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "Ho", "logProbability": -1}]}],
        },
    )
    assert found.parts == (Text("Hi", citations=(Citation(url="https://a", start=0, end=2, origin=ORIGIN),)),)
    assert found.logprobs == (TokenLogprob("Hi", -0.5, top=(TokenLogprob("Ho", -1.0),)),)


def test_several_candidates() -> None:
    """In the order of their indices."""
    candidates = [
        {"index": 1, "content": {"parts": [{"text": "b"}]}},
        {"index": 0, "content": {"parts": [{"text": "a"}]}},
    ]
    assert [one.parts for one in read(candidates=candidates).choices] == [(Text("a"),), (Text("b"),)]


def test_what_was_stopped() -> None:
    """Without content the reason is told as a refusal; a refused prompt is an answer, too."""
    found = read(candidates=[{"finishReason": "SAFETY", "finishMessage": "Too hot."}]).choices[0]
    assert found == Choice((Refusal("Too hot."),), "content_filter", "SAFETY")
    found = read(promptFeedback={"blockReason": "PROHIBITED_CONTENT"}).choices[0]
    assert found.finish == "content_filter" and "PROHIBITED_CONTENT" in getattr(found.parts[0], "text", "")
    found = read(promptFeedback={"blockReason": 1, "blockReasonMessage": "No."}).choices[0]
    assert found == Choice((Refusal("No."),), "content_filter", "SAFETY")
    assert choice({"text": "Hi"}, finishReason="UNEXPECTED_TOOL_CALL").finish == "error"
    assert choice({"text": "Hi"}, finishReason=None).finish is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "upstream_bad_response"),
        ({"candidates": []}, "upstream_bad_response"),
        ({"candidates": 7}, "upstream_bad_response"),
        ({"candidates": [{"content": {"parts": [{"functionCall": {}}]}}]}, "upstream_bad_response"),
        ({"candidates": [{"content": {"parts": "x"}}]}, "upstream_bad_response"),
        ({"error": {"code": 503}}, "overloaded"),
    ],
)
def test_bad_answers(fields: dict[str, Any], code: str) -> None:
    """Are the provider's fault."""
    with pytest.raises(Fault) as caught:
        read(**fields)
    assert caught.value.code == code


def test_counts() -> None:
    """What is nothing is not told."""
    assert read_count_reply(b'{"totalTokens":7,"cachedContentTokenCount":2}') == CountReply(7, 2)
    assert read_count_reply(b"{}") == CountReply(0)
    for bad in (b"[]", b'{"totalTokens":"x"}', b'{"totalTokens":-1}'):
        with pytest.raises(Fault):
            read_count_reply(bad)


NAMES = ("content", "parts", "text", "thought", "functionCall", "name", "args", "finishReason", "index", "inlineData")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=15,
)


@given(JSON, JSON, JSON)
def test_wrong_types_are_no_crash(candidates: Any, feedback: Any, usage: Any) -> None:
    """Only Faults of the provider come out."""
    try:
        read(candidates=candidates, promptFeedback=feedback, usageMetadata=usage)
    except Fault as fault:
        assert fault.kind.owner == "upstream"


def test_what_is_new_in_a_part_does_not_take_it_away() -> None:
    """A field that nobody knows beside a text or a call."""
    found = choice({"fresh": {"a": 1}, "text": "Hi"}, {"newer": 1, "functionCall": {"name": "f"}})
    assert [type(part) for part in found.parts] == [Text, ToolCall]


def test_numbers_and_halves_of_other_writers() -> None:
    """12.0 is 12; half a surrogate pair is U+FFFD; what is no number is none."""
    data = (
        b'{"candidates":[{"index":0.0,"content":{"parts":[{"text":"a\\ud83d"}]},"finishReason":"STOP","avgLogprobs":NaN}],'
        b'"usageMetadata":{"promptTokenCount":4.0,"candidatesTokenCount":"2"}}'
    )
    found = read_chat_reply(data, ASKED, "0190-ab")
    assert found.choices[0].parts == (Text("a\ufffd"),) and found.usage == Usage(input=4, output=2)
