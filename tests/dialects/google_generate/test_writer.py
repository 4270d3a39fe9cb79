"""Streams for callers of this dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import Citation, Foreign, Image, TokenLogprob
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
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.google_generate.signature import ORIGIN, unpack
from encke.dialects.google_generate.writer import GenerateWriter
from tests.dialects.grammar.generate import check, check_array


def written(*deltas: Delta, usage: Usage | None = None, array: bool = False) -> bytes:
    """A whole stream."""
    writer = GenerateWriter("asked", "0190-ab", array)
    for delta in deltas:
        writer.feed(delta)
    writer.finish(usage)
    return b"".join(writer.out)


def chunks(data: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream of events."""
    return [json.loads(line[6:]) for line in data.split(b"\n\n") if line]


def parts(data: bytes) -> list[dict[str, Any]]:
    """All parts but that of the last chunk, which holds the end."""
    return [part for chunk in chunks(data)[:-1] for part in chunk["candidates"][0]["content"]["parts"]]


DONE = Delta(FINISH, name="stop", id="end_turn")


def test_a_stream() -> None:
    """Text as it comes, the end and usage in the last chunk, and who answers in each."""
    data = written(
        Delta(START, id="up", name="real"), Delta(TEXT, text="Hi"), Delta(TEXT, text='"!'), Delta(USAGE), DONE,
        usage=Usage(input=1, output=2, reasoning=3),
    )  # fmt: skip
    assert not check(data).breaches and check(data).end == "whole"
    assert parts(data) == [{"text": "Hi"}, {"text": '"!'}]
    last = chunks(data)[-1]
    assert last["candidates"][0]["finishReason"] == "STOP" and last["usageMetadata"]["thoughtsTokenCount"] == 3
    assert {(chunk["modelVersion"], chunk["responseId"]) for chunk in chunks(data)} == {("real", "0190-ab")}


def test_every_kind_of_part() -> None:
    """Thoughts, calls when they are whole, refusals, pictures, this dialect's own; another's is left out."""
    data = written(
        Delta(THINKING, key=0, text="hm"),
        Delta(SIGNATURE, key=0, text="sig", name="anthropic_messages"),
        Delta(REDACTED, key=1, text="blob", name="anthropic_messages"),
        Delta(REDACTED, key=2, text="AAAA", name=ORIGIN),
        Delta(TEXT, key=3, text="Hi"),
        Delta(SIGNATURE, key=3, text="AAAA", name=ORIGIN),
        Delta(TOOL, key=4, id="x", name="f"),
        Delta(ARGUMENTS, key=4, text='{"a":'),
        Delta(ARGUMENTS, key=4, text="1}"),
        Delta(SIGNATURE, key=4, text="BBBB", name=ORIGIN),
        Delta(MEDIA, key=5, data=Image(data="AAAA", media_type="image/png")),
        Delta(FOREIGN, key=6, data=Foreign(ORIGIN, "executableCode", b'{"executableCode":{"code":"1"}}')),
        Delta(FOREIGN, key=7, data=Foreign("openai_responses", "x", b"{}")),
        Delta(REFUSAL, key=8, text="No."),
        DONE,
    )
    assert not check(data).breaches
    found = parts(data)
    assert found[0] == {"text": "hm", "thought": True}
    assert unpack(found[1]["thoughtSignature"]) == ("anthropic_messages", "sig", "")
    assert unpack(found[2]["thoughtSignature"]) == ("anthropic_messages", "blob", "!")
    assert found[3:6] == [
        {"text": "", "thoughtSignature": "AAAA"},
        {"text": "Hi"},
        {"text": "", "thoughtSignature": "AAAA"},
    ]
    assert found[6] == {"functionCall": {"name": "f", "args": {"a": 1}, "id": "x"}, "thoughtSignature": "BBBB"}
    assert found[7] == {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert found[8:] == [{"executableCode": {"code": "1"}}, {"text": "No."}]


def test_calls_that_interleave() -> None:
    """Are whole, each on its own, and none is lost."""
    data = written(
        Delta(TOOL, key=1, id="a", name="f"), Delta(TOOL, key=2, id="b", name="g"),
        Delta(ARGUMENTS, key=1, text='{"x"'), Delta(ARGUMENTS, key=2, text='{"y":2}'),
        Delta(ARGUMENTS, key=1, text=":1}"), Delta(CLOSE, key=2), DONE,
    )  # fmt: skip
    assert [part["functionCall"]["args"] for part in parts(data)] == [{"x": 1}, {"y": 2}]


def test_free_text_for_a_tool() -> None:
    """Is its argument `input`."""
    data = written(Delta(TOOL, id="a", name="c", data=True), Delta(ARGUMENTS, text="words"), DONE)
    assert parts(data)[0]["functionCall"]["args"] == {"input": "words"}


def test_citations_and_logprobs_come_with_the_end() -> None:
    """In bytes of all the text."""
    data = written(
        Delta(TEXT, key=0, text="Ä"), Delta(CLOSE, key=0), Delta(TEXT, key=1, text="bc"),
        Delta(CITATION, key=1, data=Citation(url="https://a", start=0, end=1)),
        Delta(LOGPROBS, data=(TokenLogprob("x", -1.0),)), DONE,
    )  # fmt: skip
    candidate = chunks(data)[-1]["candidates"][0]
    support = candidate["groundingMetadata"]["groundingSupports"][0]
    assert support["segment"] == {"startIndex": 2, "endIndex": 3, "text": "b"}
    assert candidate["logprobsResult"]["chosenCandidates"] == [{"token": "x", "logProbability": -1.0}]


def test_several_answers() -> None:
    """Each with its own end, in one last chunk."""
    data = written(
        Delta(TEXT, choice=1, text="b"), Delta(TEXT, choice=0, text="a"), DONE,
        Delta(FINISH, choice=1, name="length", id="length"),
    )  # fmt: skip
    assert not check(data).breaches
    ends = [(one["index"], one["finishReason"]) for one in chunks(data)[-1]["candidates"]]
    assert ends == [(0, "STOP"), (1, "MAX_TOKENS")]


def test_the_array_form() -> None:
    """One JSON array, in pieces; a failure is its last element."""
    data = written(Delta(TEXT, text="a"), DONE, array=True)
    assert not check_array(data).breaches and len(json.loads(data)) == 2
    for array in (True, False):
        writer = GenerateWriter("m", "id", array)
        writer.feed(Delta(TEXT, text="a"))
        before = b"".join(writer.out)
        writer.out.clear()
        broken = before + writer.break_off(Fault("overloaded", "x"), "req")
        book = check_array(broken) if array else check(broken)
        assert book.end == "error" and not book.breaches


def test_no_reason_is_made_up() -> None:
    """Where none was told."""
    assert "finishReason" not in chunks(written(Delta(TEXT, text="a")))[-1]["candidates"][0]


DELTAS = st.builds(
    Delta,
    st.sampled_from([TEXT, THINKING, SIGNATURE, REDACTED, TOOL, ARGUMENTS, CLOSE, REFUSAL]),
    st.integers(0, 1),
    st.integers(0, 3),
    st.text(min_size=1, max_size=5),
    st.just("anthropic_messages"),
    st.just(""),
)


@given(st.lists(DELTAS, max_size=20), st.booleans())
def test_any_order_of_deltas_is_a_stream(deltas: list[Delta], array: bool) -> None:
    """Whatever comes, what goes out keeps to the grammar."""
    ends = [Delta(FINISH, choice=choice, name="stop") for choice in (0, 1)]
    try:
        data = written(*deltas, *ends, usage=Usage(1, output=2), array=array)
    except Fault as fault:
        assert fault.code == "upstream_bad_response"
        return
    book = check_array(data) if array else check(data)
    assert not book.breaches and book.end == "whole"


@pytest.mark.parametrize("array", [False, True])
def test_an_empty_stream(array: bool) -> None:
    """Has an end, and no candidates."""
    data = written(array=array)
    assert (json.loads(data)[0] if array else chunks(data)[0])["candidates"] == []
