"""Streams of providers, as deltas."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import ChatRequest, Citation, Foreign, Image, Tool
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    FOREIGN,
    LOGPROBS,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    START,
    TEXT,
    THINKING,
    TOOL,
    USAGE,
    Delta,
)
from encke.core.usage import Usage
from encke.dialects.google_generate.reader import GenerateReader
from encke.dialects.google_generate.signature import ORIGIN

ASKED = ChatRequest(model="m", messages=(), tools=(Tool("free", custom=True),))


def event(*parts: dict[str, Any], finish: str | None = None, index: int | None = None, **fields: Any) -> dict[str, Any]:
    """An event with one candidate; `fields` are the candidate's."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, **fields}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return {"candidates": [candidate]}


def reader() -> GenerateReader:
    """A reader."""
    return GenerateReader(ASKED, "0190-ab")


def read(*events: dict[str, Any]) -> list[Delta]:
    """All deltas of a stream that ended well, but the first."""
    one = reader()
    found = [delta for data in events for delta in one.feed(json.dumps(data).encode())]
    assert one.fault is None and found.pop(0).kind == START
    return found + one.finish()


def told(deltas: list[Delta]) -> list[tuple[Any, ...]]:
    """What deltas say: kind and key, and what they hold."""
    return [
        (delta.kind, delta.key, *(one for one in (delta.text, delta.name, delta.id, delta.data) if one))
        for delta in deltas
    ]


def test_a_stream() -> None:
    """Who answers, thoughts, text in pieces, usage, and the end when it is over."""
    one = reader()
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}
    first = {**event({"text": "hm", "thought": True}), "responseId": "r", "modelVersion": "v"}
    assert told(one.feed(json.dumps(first).encode())) == [(START, 0, "v", "r"), (THINKING, 0, "hm", "summary")]
    assert told(one.feed(json.dumps(event({"text": "a"})).encode())) == [(CLOSE, 0), (TEXT, 1, "a")]
    assert not finished(one)
    last = {**event({"text": "b"}, finish="STOP"), "usageMetadata": usage}
    assert told(one.feed(json.dumps(last).encode())) == [(TEXT, 1, "b"), (USAGE, 0)]
    assert finished(one) and not one.ended and one.finish_reason == "STOP" and one.usage == Usage(input=1, output=2)
    assert told(one.finish()) == [(CLOSE, 1), (FINISH, 0, "stop", "STOP")]


def test_the_last_usage_counts_wherever_it_stands() -> None:
    """Also if the event that ends the answer tells none, or the stream breaks off."""
    one = reader()
    for at in range(4):
        told = {**event({"text": "a"}), "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": at}}
        one.feed(json.dumps(told).encode())
    one.feed(json.dumps(event(finish="STOP")).encode())
    one.finish()
    assert one.usage == Usage(input=1, output=3)


def finished(one: GenerateReader) -> bool:
    """Whether a clean end would be the end."""
    return one.finished


def failed(one: GenerateReader) -> bool:
    """Whether a fault was found."""
    return one.fault is not None


def test_calls() -> None:
    """Whole, several in one event, with and without ids; STOP with calls is tool_calls; free text is unwrapped."""
    found = read(
        event(
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "AA=="},
            {"functionCall": {"name": "f"}},
        ),
        event({"functionCall": {"id": "x", "name": "free", "args": {"input": "words"}}}, finish="STOP"),
    )
    assert told(found) == [
        (TOOL, 0, "f", "call_0190ab_1"),
        (SIGNATURE, 0, "AA==", ORIGIN),
        (ARGUMENTS, 0, '{"a": 1}'),
        (CLOSE, 0),
        (TOOL, 1, "f", "call_0190ab_2"),
        (ARGUMENTS, 1, "{}"),
        (CLOSE, 1),
        (TOOL, 2, "free", "x", True),
        (ARGUMENTS, 2, "words"),
        (CLOSE, 2),
        (FINISH, 0, "tool_calls", "STOP"),
    ]


def test_arguments_in_pieces() -> None:
    """Are one text when they are whole; the next call, or the end, ends them too."""
    pieces = [{"jsonPath": "$.city", "stringValue": "Bos", "willContinue": True}]
    found = read(
        event({"functionCall": {"name": "f", "willContinue": True}}),
        event({"functionCall": {"partialArgs": pieces, "willContinue": True}}),
        event({"functionCall": {"partialArgs": [{"jsonPath": "$.city", "stringValue": "ton"}], "willContinue": True}}),
        event({"functionCall": {}}),
        event({"functionCall": {"name": "g", "willContinue": True}}),
        event({"functionCall": {"name": "h", "willContinue": True}}),
        event(finish="STOP"),
    )
    assert [text for kind, _, text, *_ in (one for one in told(found) if len(one) > 2) if kind == ARGUMENTS] == [
        '{"city":"Boston"}',
        "{}",
        "{}",
    ]


def test_signatures_stand_on_what_was_before() -> None:
    """On the open part; after one another part begins; what stands on nothing is opaque."""
    empty = {"text": "", "thoughtSignature": "AA=="}
    found = read(event({"text": "a", "thoughtSignature": "BB=="}), event({"text": "b"}), event(empty), event(empty))
    assert told(found) == [
        (TEXT, 0, "a"),
        (SIGNATURE, 0, "BB==", ORIGIN),
        (CLOSE, 0),
        (TEXT, 1, "b"),
        (SIGNATURE, 1, "AA==", ORIGIN),
        (CLOSE, 1),
        (REDACTED, 2, "AA==", ORIGIN),
        (CLOSE, 2),
    ]


def test_media_and_what_google_has_run() -> None:
    """Pictures, and code with its result."""
    found = read(
        event({"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "AA=="}),
        event({"executableCode": {"code": "1"}}),
    )
    picture = Image(data="AAAA", media_type="image/png", signature="AA==", origin=ORIGIN)
    assert told(found) == [
        (MEDIA, 0, picture),
        (FOREIGN, 1, Foreign(ORIGIN, "executableCode", b'{"executableCode":{"code": "1"}}')),
    ]


def test_citations_come_with_the_end() -> None:
    """In characters of the last text; logprobs as they come."""
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a"}}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 5}, "groundingChunkIndices": [0]}],
    }
    logs = {"chosenCandidates": [{"token": "x", "logProbability": -1}]}
    found = read(event({"text": "Ä"}), event({"text": " äb"}, logprobsResult=logs, groundingMetadata=grounding))
    kinds = [delta.kind for delta in found]
    assert kinds == [TEXT, TEXT, LOGPROBS, CITATION, CLOSE]
    assert found[3].data == Citation(url="https://a", start=2, end=3, origin=ORIGIN)


def test_what_is_learnt_is_told_once_and_bounded() -> None:
    """Of all events: a thousand places, and no more than some megabytes."""

    def cited(*pages: str) -> dict[str, Any]:
        found = [{"uri": page, "startIndex": 0, "endIndex": 1} for page in pages]
        return event({"text": "x"}, citationMetadata={"citationSources": found})

    def pages(*events: dict[str, Any]) -> list[str]:
        return [delta.data.url for delta in read(*events) if delta.kind == CITATION]

    assert pages(cited("a", "b"), cited("b", "c")) == ["a", "b", "c"]
    assert len(pages(*[cited(*[f"{at}/{page}" for page in range(100)]) for at in range(20)])) == 1000
    large = "x" * 500_000
    assert len(pages(*[cited(f"{at}{large}") for at in range(20)])) == 8


def test_what_was_found_is_bounded() -> None:
    """What is larger than can be kept takes no place of what was told before."""
    small, large = ({"groundingChunks": [{"web": {"uri": page}}]} for page in ("a", "x" * 5_000_000))
    found = read(event({"text": "x"}, groundingMetadata=small), event(groundingMetadata=large))
    assert [delta.data.url for delta in found if delta.kind == CITATION] == ["a"]


def test_what_is_cited_keeps_no_event() -> None:
    """Of each that tells something to cite, that alone stays."""
    one = reader()
    tracemalloc.start()
    try:
        for at in range(200):
            learnt = {"citations": [{"uri": f"https://a/{at}"}]}
            found = {"groundingChunks": [{"web": {"uri": "https://b"}}]}
            thought = {"text": "x" * 100_000, "thought": True}
            said = event(thought, index=at % 2, citationMetadata=learnt, groundingMetadata=found)
            one.feed(json.dumps(said).encode())
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert one.fault is None and kept < 2_000_000


def test_texts_too_long_for_places_are_cited_without() -> None:
    """What lies in the beginning has its place all the same."""
    found = {
        "groundingChunks": [{"web": {"uri": "https://a"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": at}, "groundingChunkIndices": [0]} for at in (5, 4_500_000)
        ],
    }
    told = read(*[event({"text": "x" * 1_000_000})] * 5, event(groundingMetadata=found))
    assert [(delta.data.start, delta.data.end) for delta in told if delta.kind == CITATION] == [(3, 5), (None, None)]


def test_several_candidates_and_repeated_ends() -> None:
    """Each has its end once, whatever was said how often."""
    found = read(
        event({"text": "a"}, finish="STOP", index=0),
        event({"text": "b"}, finish="STOP", index=1),
        event({"text": "a"}, finish="MAX_TOKENS", index=0),
    )
    ends = [(delta.choice, delta.name) for delta in found if delta.kind == FINISH]
    assert ends == [(0, "length"), (1, "stop")]


def test_a_refused_prompt() -> None:
    """Is an answer that refuses."""
    one = reader()
    found = one.feed(b'{"promptFeedback":{"blockReason":"SAFETY"}}')
    assert [delta.kind for delta in found] == [START, REFUSAL, CLOSE] and finished(one)
    assert [(delta.name, delta.id) for delta in one.finish()] == [("content_filter", "SAFETY")]
    for feedback, word in ((b'{"blockReason":"NEW"}', "NEW"), (b'{"blockReasonMessage":"No."}', "OTHER")):
        one = reader()
        one.feed(b'{"promptFeedback":%b}' % feedback)
        assert [(delta.name, delta.id) for delta in one.finish()] == [("content_filter", word)]


def test_an_answer_that_was_stopped_says_why() -> None:
    """If there is nothing else in it."""
    found = read(event(finish="SAFETY", finishMessage="Too hot."))
    assert told(found) == [(REFUSAL, 0, "Too hot."), (CLOSE, 0), (FINISH, 0, "content_filter", "SAFETY")]


def test_failures() -> None:
    """An error, and what makes no sense; what is no JSON is skipped."""
    for data, code in (
        (b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}', "upstream_rate_limited"),
        (b'{"error":{"code":503},"candidates":7}', "overloaded"),
        (b'{"candidates":7}', "upstream_bad_response"),
        (b'{"candidates":[{"content":{"parts":[{"functionCall":7}]}}]}', "upstream_bad_response"),
        (b'{"candidates":[{"index":-1}]}', "upstream_bad_response"),
    ):
        one = reader()
        one.feed(data)
        assert one.fault is not None and one.fault.code == code
    one = reader()
    assert not one.feed(b"nonsense") and not one.feed(b"[1]") and not failed(one)
    for index in range(300):
        one.feed(json.dumps(event({"text": "a"}, index=index)).encode())
    assert failed(one)


NAMES = (
    "candidates", "content", "parts", "text", "thought", "functionCall", "name", "args", "finishReason", "index",
    "inlineData", "mimeType", "data", "thoughtSignature", "partialArgs", "jsonPath", "stringValue", "willContinue",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=15,
)


@given(st.lists(JSON, max_size=4))
def test_wrong_types_are_no_crash(events: list[Any]) -> None:
    """A Fault of the provider, or nothing."""
    one = reader()
    for value in events:
        one.feed(json.dumps(value).encode())
        if one.fault is not None:
            assert one.fault.kind.owner == "upstream"
            return
    one.finish()


def test_long_streams_stay_linear(size: Any) -> None:
    """Of an event nothing is kept but its text."""
    one = reader()
    data = json.dumps(event({"text": "word "})).encode()
    for _ in range(size(20_000, soak=100_000)):
        one.feed(data)
    assert [delta.kind for delta in one.finish()] == [CLOSE]


def test_an_only_candidate_is_the_first_wherever_its_count_begins() -> None:
    """Where one answer is asked for."""
    assert {delta.choice for delta in read(event({"text": "a"}, index=1), event(finish="STOP", index=1))} == {0}


def test_calls_of_other_writers() -> None:
    """Arguments as a text are its JSON; a call without a name is a failure, since nobody can run it."""
    found = read(event({"functionCall": {"name": "f", "args": '{"a":1}'}}, finish="STOP"))
    assert [delta.text for delta in found if delta.kind == ARGUMENTS] == ['{"a":1}']
    one = reader()
    one.feed(json.dumps(event({"functionCall": {"args": {}}})).encode())
    assert failed(one)
