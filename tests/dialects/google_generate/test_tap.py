"""The tap on Google's streams: usage, content, the end, errors, and the array form."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.google_generate.tap import ArrayTap, GenerateTap
from encke.dialects.port import CONTENT, ERROR, PASS


def event(*parts: dict[str, Any], finish: str | None = None, index: int | None = None, **fields: Any) -> bytes:
    """An event with one candidate."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return json.dumps({"candidates": [candidate], **fields}).encode()


def text(words: str, total: int = 0, **fields: Any) -> bytes:
    """An event with a text, and usage."""
    usage = {"promptTokenCount": 4, "candidatesTokenCount": total, "totalTokenCount": 4 + total}
    more = {"usageMetadata": usage, "modelVersion": "m", "responseId": "r"} if total else {}
    return event({"text": words}, **{**more, **fields})


def finished(tap: GenerateTap) -> bool:
    """Whether a clean end would be the end."""
    return tap.finished


def test_a_stream() -> None:
    """Text is content, the last usage counts, and there is no end before the candidate has finished."""
    tap = GenerateTap()
    assert tap.feed(text(" ", 1)) == PASS
    assert tap.feed(text("Hello", 2)) == CONTENT
    assert tap.feed(text(", world", 3)) == CONTENT
    assert tap.usage == Usage(input=4, output=2) and (tap.usage_at, tap.content_bytes) == (
        6,
        13,
    )
    assert not finished(tap)
    assert tap.feed(text("!", 4, finish="STOP")) == CONTENT
    assert finished(tap) and tap.finish_reason == "STOP" and tap.usage == Usage(input=4, output=4)
    assert tap.close() == b"" and tap.break_off(Fault("overloaded", "x"), "r") is None


def test_what_is_alike_is_not_decoded() -> None:
    """After the first text, others in the same frame are counted in short, and of their usages one of eight is read;
    what differs is read whole."""
    tap, slow = GenerateTap(), GenerateTap()
    slow._learned = 99  # never learns
    events = [text(f"word {at}", at + 1) for at in range(9)]
    events += [text('a "quoted" one', 20), text("", 21), event({"text": "x"}, {"functionCall": {"name": "f"}})]
    events += [text("tail", 22), text("end", 23, finish="STOP")]
    read = set()
    for data in events:
        assert tap.feed(data) == slow.feed(data)
        assert tap.content_bytes == slow.content_bytes and tap.usage_at <= slow.usage_at
        assert (tap.finished, tap.finish_reason) == (slow.finished, slow.finish_reason)
        read.add(tap.usage_at)
    assert (tap.usage, tap.usage_at) == (slow.usage, slow.usage_at) and len(read) == 5
    assert tap._before


def test_the_last_usage_counts_wherever_it_stands() -> None:
    """Also if the event that ends the answer tells none."""
    tap = GenerateTap()
    for at in range(4):
        tap.feed(text("word", at + 1))
    tap.feed(event(finish="STOP"))
    assert tap.usage == Usage(input=4, output=4)


def test_a_frame_cannot_be_forged() -> None:
    """A text that looks like the frame around it is read as what it is."""
    tap = GenerateTap()
    for words in ('","x":{"y":"', "encke", "usageMetadata", '{"promptTokenCount": 4'):
        tap.feed(text(words, 1))
        tap.feed(text("a", 2, finish=None, safety=[]))
        assert tap.usage == Usage(input=4, output=2)
    tap.feed(text("b", 3).replace(b'"totalTokenCount": 7}', b'"totalTokenCount": 7}, "candidates": {}'))
    assert tap.usage is not None


@pytest.mark.parametrize(
    "part",
    [
        {"functionCall": {"name": "f", "args": {}}},
        {"inlineData": {"mimeType": "image/png", "data": "AA"}},
        {"executableCode": {"code": "1"}},
        {"text": "thinking", "thought": True},
    ],
)
def test_other_content(part: dict[str, Any]) -> None:
    """Calls, images, code and thoughts are content."""
    tap = GenerateTap()
    assert tap.feed(event(part)) == CONTENT and tap.content_bytes > 0


def test_several_candidates() -> None:
    """All have to finish; a repeated reason is none of another."""
    tap = GenerateTap()
    tap.feed(event({"text": "a"}, index=0, finish="STOP"))
    assert finished(tap)
    tap.feed(event({"text": "b"}, index=1))
    assert not finished(tap)
    tap.feed(event({"text": "b"}, index=0, finish="STOP"))
    assert not finished(tap)
    tap.feed(event(index=1, finish="MAX_TOKENS"))
    assert finished(tap) and tap.finish_reason == "MAX_TOKENS"
    for index in range(300):
        flags = tap.feed(event({"text": "a"}, index=index))
    assert flags == ERROR and tap.fault is not None


def test_a_refused_prompt_is_an_answer() -> None:
    """It has no candidates, and is finished."""
    tap = GenerateTap()
    assert tap.feed(b'{"promptFeedback":{"blockReason":"SAFETY"}}') == CONTENT
    assert finished(tap) and tap.finish_reason == "SAFETY"


def test_ratings_alone_are_no_end() -> None:
    """Feedback without a reason is no refusal."""
    tap = GenerateTap()
    assert tap.feed(b'{"promptFeedback":{"safetyRatings":[]}}') == PASS and not finished(tap)


def test_an_error_in_the_stream() -> None:
    """It is a Fault, with Google's status read."""
    tap = GenerateTap()
    assert tap.feed(b'{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}') == ERROR
    assert tap.fault is not None and tap.fault.code == "overloaded"


def test_what_cannot_be_read_passes() -> None:
    """No JSON, another shape, numbers for words."""
    tap = GenerateTap()
    assert tap.feed(b"nonsense") == PASS and tap.opaque == 1
    assert tap.feed(b'{"candidates":[{"content":"x","finishReason":1}]}') == CONTENT
    assert finished(tap) and tap.finish_reason == "STOP"


def test_a_last_event_without_its_blank_line() -> None:
    """Counts if it is an object."""
    tap = GenerateTap()
    assert tap.is_whole(b'data: {"a":1}') and not tap.is_whole(b'data: {"a":') and not tap.is_whole(b"x")


def test_the_array_form() -> None:
    """The same objects as one array, in pieces; what is no object is left out; a failure is its last element."""
    tap = ArrayTap()
    assert tap.rewrites
    pieces = []
    for data in (text("a", 1), b"nonsense", text("b", 2), text("c", 3, finish="STOP")):
        tap.feed(data)
        pieces.append(tap.take())
    assert pieces[0].startswith(b'[{"candidates"') and pieces[1] == b"" and pieces[2].startswith(b"\n,\r\n{")
    assert finished(tap)
    whole = json.loads(b"".join(pieces) + tap.close())
    assert [one["candidates"][0]["content"]["parts"][0]["text"] for one in whole] == ["a", "b", "c"]
    tap = ArrayTap()
    tap.feed(text("a", 1))
    broken = tap.break_off(Fault("overloaded", "Too many."), "req")
    assert broken is not None and json.loads(broken)[1]["error"]["status"] == "UNAVAILABLE"
    assert json.loads(ArrayTap().break_off(Fault("overloaded", "Too many."), "req") or b"")[0]["error"]["code"] == 503
    assert ArrayTap().close() == b"[]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["candidates", "content", "parts", "text", "index", "finishReason", "promptFeedback", "error"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=20)), max_size=5))
def test_wrong_types_are_no_crash(events: list[bytes]) -> None:
    """Whatever comes."""
    tap = ArrayTap()
    for data in events:
        if tap.feed(data) & ERROR:
            assert tap.fault is not None
            break


def test_long_streams_stay_linear() -> None:
    """A hundred thousand events are looked at once each: what is remembered does not grow."""
    tap = GenerateTap()
    rng = random.Random(1)
    for at in range(20_000):
        tap.feed(text("x" * rng.randint(1, 9), at + 1))
    assert tap._learned <= 8 and len(tap._seen) == 1
