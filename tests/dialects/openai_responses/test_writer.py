"""Streams for callers of this dialect: the grammar holds, and OpenAI's SDK understands them, whatever comes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from encke.core.chat import Audio, Citation, Image, TokenLogprob
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
from encke.dialects.carrier import unwrap
from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.openai_responses.wire import NAME
from encke.dialects.request import Request
from tests.dialects.grammar.responses import check

SIDE = ResponsesClient()
CALL = "0190f3c2-7a6b-7c3d-8e4f-a1b2c3d4e5f6"
USED = Usage(input=5, cache_read=2, output=3, reasoning=1)


def request(**fields: Any) -> Request:
    return SIDE.read(json.dumps({"model": "m", "input": "Hi", "stream": True, **fields}).encode(), "", {})


def written(*deltas: Delta, usage: Usage | None = USED, **fields: Any) -> bytes:
    writer = SIDE.writer(request(**fields), CALL, 7)
    for delta in deltas:
        writer.feed(delta)
    writer.finish(usage)
    data = b"".join(writer.out)
    assert check(data).breaches == []
    return data


def events(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(block.split(b"data: ", 1)[1]) for block in data.split(b"\n\n") if block]


def output(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = events(data)[-1]["response"]["output"]
    return found


def client(data: bytes, kind: str = "text/event-stream") -> OpenAI:
    """The SDK, whose every request is answered so."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=data, headers={"content-type": kind})

    return OpenAI(
        api_key="x", base_url="http://gateway.test/v1", http_client=httpx.Client(transport=httpx.MockTransport(answer))
    )


TURN = (
    Delta(START, id="up", name="big", data=99),
    Delta(THINKING, key=1, text="I "),
    Delta(THINKING, key=1, text="think"),
    Delta(SIGNATURE, key=1, text="sig", name="anthropic_messages"),
    Delta(CLOSE, key=1),
    Delta(TEXT, key=0, text="Hel"),
    Delta(TEXT, key=0, text='lo "you"\n'),
    Delta(CITATION, key=0, data=Citation("https://a.test", "A", start=0, end=3)),
    Delta(TOOL, key=2, id="call_1", name="look"),
    Delta(ARGUMENTS, key=2, text='{"a"'),
    Delta(ARGUMENTS, key=2, text=":1}"),
    Delta(TOOL, key=3, id="call_2", name="none"),
    Delta(FINISH, name="tool_calls"),
    Delta(USAGE),
)


def test_a_turn() -> None:
    """Thoughts, text with a citation and two calls are items one after the other, and the end has them all."""
    data = written(*TURN)
    kinds = [event["type"] for event in events(data)]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    thought, message, call, empty = output(data)
    assert thought["summary"] == [{"type": "summary_text", "text": "I think"}]
    assert unwrap(thought["encrypted_content"], NAME) == ("anthropic_messages", "sig", "")
    assert message["content"][0]["text"] == 'Hello "you"\n'
    assert message["content"][0]["annotations"][0]["url"] == "https://a.test"
    assert (call["call_id"], call["name"], call["arguments"]) == ("call_1", "look", '{"a":1}')
    assert empty["arguments"] == "{}"
    last = events(data)[-1]["response"]
    assert (last["id"], last["model"], last["created_at"]) == ("resp_" + CALL.replace("-", ""), "big", 99)
    assert last["usage"]["input_tokens_details"] == {"cached_tokens": 2, "cache_write_tokens": 0}


def test_the_sdk_reads_a_stream() -> None:
    """`responses.stream` of OpenAI's SDK gathers a Response, and its helpers find text and calls in it."""
    with client(written(*TURN)).responses.stream(model="m", input="Hi") as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert {"response.output_text.delta", "response.function_call_arguments.delta"} <= kinds
    assert final.output_text == 'Hello "you"\n'
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens == 1
    events = list(client(written(*TURN)).responses.create(model="m", input="Hi", stream=True))
    assert events[-1].type == "response.completed"


def test_the_sdk_hears_of_a_failure() -> None:
    """A stream that has not begun raises; one that has ends as failed."""
    fault = Fault("overloaded", "Full.")
    writer = SIDE.writer(request(), CALL, 7)
    sdk = client(writer.break_off(fault, "req_1"))
    with pytest.raises(Exception, match="Full"):
        list(sdk.responses.create(model="m", input="Hi", stream=True))
    writer.feed(Delta(TEXT, text="Hi"))
    data = b"".join(writer.out) + writer.break_off(fault, "req_1")
    assert check(data).breaches == []
    last = list(client(data).responses.create(model="m", input="Hi", stream=True))[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert "req_1" in last.response.error.message


def test_calls_that_come_in_turns() -> None:
    """Pieces of two calls at once are sorted, and no argument is lost."""
    first, second = output(
        written(
            Delta(TOOL, key=2, id="a", name="f"),
            Delta(TOOL, key=3, id="b", name="g"),
            Delta(ARGUMENTS, key=2, text='{"x":'),
            Delta(ARGUMENTS, key=3, text='{"y":2'),
            Delta(ARGUMENTS, key=2, text="1}"),
            Delta(ARGUMENTS, key=3, text="}"),
            Delta(FINISH, name="tool_calls"),
        )
    )
    assert (first["arguments"], second["arguments"]) == ('{"x":1}', '{"y":2}')


def test_a_custom_tool() -> None:
    """A custom tool's input is text."""
    (call,) = output(
        written(
            Delta(TOOL, key=2, id="a", name="run", data=True),
            Delta(ARGUMENTS, key=2, text="ls "),
            Delta(ARGUMENTS, key=2, text="-l"),
            Delta(FINISH, name="tool_calls"),
        )
    )
    assert (call["type"], call["input"]) == ("custom_tool_call", "ls -l")


@pytest.mark.parametrize(
    ("finish", "kind", "reason"),
    [
        ("stop", "response.completed", None),
        ("stop_sequence", "response.completed", None),
        ("refusal", "response.incomplete", {"reason": "content_filter"}),
        ("length", "response.incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "response.incomplete", {"reason": "content_filter"}),
        ("error", "response.failed", None),
    ],
)
def test_how_it_ends(finish: str, kind: str, reason: Any) -> None:
    """Every reason has its event; an item that is cut says so."""
    last = events(written(Delta(TEXT, text="Hi"), Delta(FINISH, name=finish)))[-1]
    assert last["type"] == kind
    assert last["response"]["incomplete_details"] == reason
    assert last["response"]["output"][0]["status"] == ("incomplete" if reason else "completed")


def test_a_refusal_in_words_is_a_whole_answer() -> None:
    """As OpenAI's own are; the words say what the reason would."""
    last = events(written(Delta(REFUSAL, text="No."), Delta(FINISH, name="refusal")))[-1]
    assert (last["type"], last["response"]["incomplete_details"]) == ("response.completed", None)
    assert last["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]


def test_arguments_that_are_cut() -> None:
    """A call without the end of its arguments is told as incomplete, with what has come."""
    deltas = (Delta(TOOL, key=2, id="a", name="f"), Delta(ARGUMENTS, key=2, text='{"x":'))
    (call,) = output(written(*deltas, Delta(CLOSE, key=2), Delta(FINISH, name="length")))
    assert (call["arguments"], call["status"]) == ('{"x":', "incomplete")


def test_signatures_of_calls_and_texts() -> None:
    """What Gemini signs is carried in a reasoning item that says whose it is."""
    call, of_call, text, of_text = output(
        written(
            Delta(TOOL, key=2, id="a", name="f"),
            Delta(ARGUMENTS, key=2, text="{}"),
            Delta(SIGNATURE, key=2, text="s1", name="google_generate"),
            Delta(CLOSE, key=2),
            Delta(TEXT, text="Hi"),
            Delta(SIGNATURE, text="s2", name="google_generate"),
            Delta(FINISH, name="stop"),
        )
    )
    assert (call["type"], text["type"]) == ("function_call", "message")
    assert unwrap(of_call["encrypted_content"], NAME) == ("google_generate", "s1", "call:a")
    assert unwrap(of_text["encrypted_content"], NAME) == ("google_generate", "s2", "text:")


def test_thoughts_that_nobody_may_read() -> None:
    """A redacted thought is a reasoning item without a summary; one that is empty and unsigned is none."""
    deltas = (Delta(REDACTED, key=1, text="xx", name="anthropic_messages"), Delta(THINKING, key=2, text=""))
    (thought,) = output(written(*deltas, Delta(FINISH, name="stop")))
    assert thought["summary"] == []
    assert unwrap(thought["encrypted_content"], NAME)[:2] == ("anthropic_messages", "xx")


def test_pictures_sound_and_what_is_foreign() -> None:
    """A picture is an image_generation_call, sound is its transcript, other dialects' own things are left out."""
    picture, spoken = output(
        written(
            Delta(MEDIA, key=1, data=Image(data="AAAA", media_type="image/png")),
            Delta(MEDIA, key=2, data=Audio("AAAA", "wav", transcript="Hello")),
            Delta(MEDIA, key=3, data=Image(url="https://a.test/x.png")),
            Delta(FOREIGN, key=4),
            Delta(TEXT, choice=1, text="another answer"),
            Delta(FINISH, name="stop"),
        )
    )
    assert (picture["result"], picture["output_format"]) == ("AAAA", "png")
    assert spoken["content"][0]["text"] == "Hello"


def test_a_refusal() -> None:
    """A refusal is a part of its own kind."""
    (message,) = output(written(Delta(REFUSAL, text="I "), Delta(REFUSAL, text="won't"), Delta(FINISH, name="stop")))
    assert message["content"] == [{"type": "refusal", "refusal": "I won't"}]


def test_logprobs() -> None:
    """They stand beside the text, in a piece of it and in the whole."""
    tokens = (TokenLogprob("Hi", -0.5, None, (TokenLogprob("Ho", -1.5, (72, 111)),)),)
    data = written(
        Delta(LOGPROBS, data=tokens), Delta(TEXT, text="Hi"), Delta(LOGPROBS, data=tokens), Delta(FINISH, name="stop")
    )
    told = [token for event in events(data) if event["type"].endswith("text.delta") for token in event["logprobs"]]
    whole = output(data)[0]["content"][0]["logprobs"]
    assert told == whole
    assert whole[0] == {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": [72, 105],
        "top_logprobs": [{"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}],
    }
    assert len(whole) == 2


def test_what_was_asked_stands_in_the_answer() -> None:
    """Tools, instructions, limits and the rest are told again as they were sent; nothing is kept."""
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
    last = events(
        written(Delta(FINISH, name="stop"), tools=tools, instructions="Be.", temperature=0.5, store=True, metadata=None)
    )[-1]["response"]
    assert (last["tools"], last["instructions"], last["temperature"]) == (tools, "Be.", 0.5)
    assert (last["store"], last["metadata"]) == (False, {})


KEYS = st.integers(0, 3)
TEXTS = st.text(max_size=6)
DELTAS = st.one_of(
    st.builds(Delta, st.sampled_from([TEXT, THINKING, REFUSAL, ARGUMENTS, SIGNATURE]), key=KEYS, text=TEXTS),
    st.builds(Delta, st.just(TOOL), key=KEYS, name=st.just("f"), id=st.sampled_from(["a", "b"]), data=st.booleans()),
    st.builds(Delta, st.sampled_from([CLOSE, FOREIGN, USAGE, START]), key=KEYS),
    st.builds(Delta, st.just(REDACTED), key=KEYS, text=TEXTS, name=st.just("google_generate")),
    st.builds(Delta, st.just(CITATION), key=KEYS, data=st.builds(Citation, url=TEXTS)),
    st.builds(Delta, st.just(LOGPROBS), data=st.just((TokenLogprob("x", -1.0),))),
    st.builds(Delta, st.just(MEDIA), key=KEYS, data=st.just(Image(data="AA", media_type="image/png"))),
    st.builds(Delta, st.just(FINISH), name=st.sampled_from(["stop", "length", "tool_calls", "other", "pause"])),
)


@given(st.lists(DELTAS, max_size=25))
def test_any_order_is_a_valid_stream(deltas: list[Delta]) -> None:
    """Whatever a reader says, in whatever order, the grammar holds."""
    writer = SIDE.writer(request(), CALL, 7)
    try:
        for delta in deltas:
            writer.feed(delta)
        writer.finish(None)
        data = b"".join(writer.out)
    except Fault as fault:
        data = b"".join(writer.out) + writer.break_off(fault, "req_1")
    assert check(data).breaches == []


def test_many_events_cost_what_few_do() -> None:
    """A long stream's events do not grow, but for the number."""
    writer = SIDE.writer(request(), CALL, 7)
    sizes = []
    for _ in range(20_000):
        writer.feed(Delta(TEXT, text="abcd"))
        sizes.append(sum(map(len, writer.out)))
        writer.out.clear()
    assert max(sizes[1:]) - min(sizes[1:]) < 8
