"""Streams and answers of Ollama's chat, against the recordings and by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.chat import ChatReply, ChatRequest
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.ollama_chat.provider import OllamaChat
from tests.dialects.collected import Answer, Exchange, alike, exchanges, of_reply, of_stream

FILE = "ollama.ollama-chat"
REQUEST = ChatRequest(model="m", messages=())
SIDE = OllamaChat()


def read_stream(parts: list[bytes]) -> Answer:
    return of_stream(SIDE.reader(REQUEST, "0-1"), parts, SIDE.framing)


def read_reply(data: bytes) -> Answer:
    reply = SIDE.read_reply(data, REQUEST, "0-1")
    assert isinstance(reply, ChatReply)
    return of_reply(reply)


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def said(content: str = "", **more: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", "content": content, **more}, "done": False}


LAST = {
    "model": "m",
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 3,
    "eval_count": 5,
}


def expected(exchange: Exchange) -> Answer:
    """What a recording says, read without the gateway's code."""
    values = [json.loads(line) for line in exchange.body.split("\n") if line.strip()]
    messages = [value["message"] for value in values]
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    last = values[-1]
    return Answer(
        text="".join(message.get("content") or "" for message in messages),
        thinking="".join(message.get("thinking") or "" for message in messages),
        calls=[
            (call.get("id") or f"call_01_{number}", call["function"]["name"], call["function"]["arguments"])
            for number, call in enumerate(calls)
        ],
        finish="tool_calls" if calls and last["done_reason"] == "stop" else last["done_reason"],
        raw=last["done_reason"],
        usage=Usage(input=last["prompt_eval_count"], output=last["eval_count"]) if "eval_count" in last else None,
    )


def test_recorded_streams_say_what_they_say() -> None:
    """Text, thoughts, calls, the end and usage of every recording, however its bytes come."""
    seen = 0
    for exchange in exchanges(FILE):
        if exchange.stream and exchange.status == 200:
            seen += 1
            answer = alike(read_stream, exchange.body.encode(), exchange.id)
            told = sum(len(json.loads(line).get("logprobs") or ()) for line in exchange.body.split("\n") if line)
            assert len(answer.logprobs) == told
            answer.logprobs.clear()
            answer.ended = False
            assert answer == expected(exchange), exchange.id
    assert seen >= 60


def test_recorded_answers_say_what_they_say() -> None:
    """The same of whole answers, with the likelihoods of tokens."""
    seen = 0
    for exchange in exchanges(FILE):
        if not exchange.stream and exchange.status == 200:
            seen += 1
            answer = read_reply(exchange.body.encode())
            wire = json.loads(exchange.body).get("logprobs") or []
            assert [(one.token, one.logprob) for one in answer.logprobs] == [(o["token"], o["logprob"]) for o in wire]
            tops = [[top["token"] for top in one.get("top_logprobs") or ()] for one in wire]
            assert [[top.token for top in one.top] for one in answer.logprobs] == tops
            answer.logprobs.clear()
            assert answer == expected(exchange), exchange.id
    assert seen >= 60


def test_recorded_failures_are_told_apart() -> None:
    """A model that is not there is the caller's; what broke in the server is the provider's."""
    found = {
        (exchange.status, SIDE.read_fault(exchange.status, exchange.body.encode(), None).code)
        for exchange in exchanges(FILE)
        if exchange.status != 200
    }
    assert found == {(404, "upstream_invalid_request"), (500, "upstream_error")}


def test_a_stream_from_its_first_line_to_its_last() -> None:
    """Thoughts, text, two calls, of which one has no id, and the end."""
    calls = [
        {"id": "call_x", "function": {"index": 0, "name": "look", "arguments": {"at": ["a", 1]}}},
        {"function": {"name": "go", "arguments": {}}},
    ]
    data = lines(said(thinking="Hm."), said("So"), said("!"), said(tool_calls=calls[:1]), said(tool_calls=calls[1:]))
    answer = read_stream([data + lines(LAST)])
    assert (answer.text, answer.thinking) == ("So!", "Hm.")
    assert answer.calls == [("call_x", "look", {"at": ["a", 1]}), ("call_01_1", "go", {})]
    assert (answer.finish, answer.raw, answer.usage) == ("tool_calls", "stop", Usage(input=3, output=5))
    assert answer.ended


def test_a_failure_in_a_stream_is_one() -> None:
    """A line with `error` ends the stream, whatever came before it."""
    answer = read_stream([lines(said("a"), {"error": "an error was encountered while running the model"})])
    assert answer.fault is not None and answer.fault.code == "upstream_error"
    assert "while running the model" in answer.fault.message
    with pytest.raises(Fault, match="upstream_error"):
        read_reply(lines({"error": "no"}))


def test_an_end_without_a_reason_is_no_end() -> None:
    """Ollama tells no reason where its runner broke off: nothing is made up."""
    answer = read_stream([lines(said("a"), {**LAST, "done_reason": ""})])
    assert answer.fault is not None and answer.fault.code == "upstream_bad_response"
    assert not read_stream([lines(said("a"))]).ended
    assert read_reply(lines({**LAST, "done": False})).finish is None


@pytest.mark.parametrize("reason", ["load", "unload", "something new"])
def test_reasons_without_a_word_elsewhere(reason: str) -> None:
    """They are told as they came, and as none of the others."""
    answer = read_stream([lines({**LAST, "done_reason": reason})])
    assert (answer.finish, answer.raw) == ("other", reason)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"message": 5}', b"{}", b'"x"'])
def test_what_is_no_answer_is_a_fault(body: bytes) -> None:
    """A whole answer that is not one of Ollama's."""
    with pytest.raises(Fault, match="upstream_bad_response"):
        read_reply(body)


def test_unbelievable_usage_is_none() -> None:
    """Negative numbers and those out of all bounds."""
    for wrong in (-1, 1 << 40, "x", 2.5):
        assert read_stream([lines({**LAST, "eval_count": wrong, "prompt_eval_count": wrong})]).usage is None


_NAMES = ["message", "content", "thinking", "tool_calls", "function", "name", "arguments", "id", "done"]
_NAMES += ["done_reason", "eval_count", "prompt_eval_count", "logprobs", "error", "model", "token"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_VALUES)
def test_wrong_types_break_nothing(value: Any) -> None:
    """Whatever JSON comes, only Faults come out; what is right beside something wrong is kept."""
    data = json.dumps(value).encode()
    reader = SIDE.reader(REQUEST, "0-1")
    reader.feed(data)
    try:
        SIDE.read_reply(data, REQUEST, "0-1")
    except Fault as fault:
        assert fault.code in ("upstream_bad_response", "upstream_error")
    SIDE.read_fault(500, data, None)
    if isinstance(value, dict) and reader.fault is None:
        odd = {**LAST, **{name: one for name, one in value.items() if name not in LAST and name != "error"}}
        odd["eval_count"] = [value]
        odd["message"] = {"content": "kept", "tool_calls": value}
        answer = read_stream([lines(odd)])
        assert (answer.text, answer.finish) == ("kept", "stop")
