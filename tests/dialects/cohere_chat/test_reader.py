"""Streams and answers of Cohere's chat, against the recordings and by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.chat import ChatReply, ChatRequest
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.cohere_chat.provider import CohereChat
from encke.dialects.cohere_chat.reader import CohereReader
from tests.dialects.collected import Answer, Exchange, alike, exchanges, of_reply, of_stream

FILE = "cohere.cohere-chat_v2"
REQUEST = ChatRequest(model="m", messages=())
SIDE = CohereChat()
FINISHES = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop_sequence", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}


def read_stream(parts: list[bytes]) -> Answer:
    return of_stream(SIDE.reader(REQUEST, "0-1"), parts)


def read_reply(data: bytes) -> Answer:
    reply = SIDE.read_reply(data, REQUEST, "0-1")
    assert isinstance(reply, ChatReply)
    return of_reply(reply)


def event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()


def message(type: str, index: int | None = None, **fields: Any) -> bytes:
    place = {} if index is None else {"index": index}
    return event(type, **place, delta={"message": fields})


def end(reason: str | None = "COMPLETE", **fields: Any) -> bytes:
    return event("message-end", delta={"finish_reason": reason, **fields}) + b"data: [DONE]\n\n"


def billed(usage: dict[str, Any]) -> int:
    """What Cohere charges for, input and output together."""
    units = usage["billed_units"]
    return int(units["input_tokens"] + units["output_tokens"])


def told(usage: Usage) -> int:
    return usage.total_input + usage.total_output


def arguments(text: str) -> Any:
    value = json.loads(text or "{}")
    return {} if value is None else value


def expected_reply(exchange: Exchange) -> dict[str, Any]:
    """What a recorded answer says, read without the gateway's code."""
    reply = json.loads(exchange.body)
    said = reply["message"]
    blocks = said.get("content") or []
    calls = said.get("tool_calls") or []
    return {
        "text": "".join(block.get("text") or "" for block in blocks) + (said.get("tool_plan") or ""),
        "thinking": "".join(block.get("thinking") or "" for block in blocks),
        "calls": [(call["id"], call["function"]["name"], arguments(call["function"]["arguments"])) for call in calls],
        "finish": FINISHES[reply["finish_reason"]],
        "raw": reply["finish_reason"],
        "billed": billed(reply["usage"]),
        "cited": [cited["text"] for cited in said.get("citations") or () for _ in cited["sources"]],
        "logprobs": [(one["text"], one["logprobs"][0]) for one in reply.get("logprobs") or ()],
    }


def expected_stream(exchange: Exchange) -> dict[str, Any]:
    """The same of a recorded stream."""
    values = []
    for line in exchange.body.replace("\r\n", "\n").split("\n"):
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            values.append(json.loads(line[5:]))
    found: dict[str, Any] = {"text": "", "thinking": "", "finish": None, "raw": "", "billed": None, "cited": []}
    calls: dict[int, list[str]] = {}
    logprobs = []
    for value in values:
        delta = value.get("delta") or {}
        said = delta.get("message") or {}
        if value["type"] in ("content-start", "content-delta"):
            found["text"] += said["content"].get("text") or ""
            found["thinking"] += said["content"].get("thinking") or ""
            if "logprobs" in value:
                logprobs.append((value["logprobs"]["text"], value["logprobs"]["logprobs"][0]))
        elif value["type"] == "tool-plan-delta":
            found["text"] += said["tool_plan"]
        elif value["type"] == "tool-call-start":
            call = said["tool_calls"]
            calls[value["index"]] = [call["id"], call["function"]["name"], call["function"]["arguments"]]
        elif value["type"] == "tool-call-delta":
            calls[value["index"]][2] += said["tool_calls"]["function"]["arguments"]
        elif value["type"] == "citation-start":
            found["cited"] += [said["citations"]["text"]] * len(said["citations"]["sources"])
        elif value["type"] == "message-end" and delta["finish_reason"] != "ERROR":
            found["finish"], found["raw"] = FINISHES[delta["finish_reason"]], delta["finish_reason"]
            found["billed"] = billed(delta["usage"])
    ended = found["finish"] is not None
    found["calls"] = [(id, name, arguments(text)) for id, name, text in calls.values()] if ended else []
    return {**found, "logprobs": logprobs}


def shown(answer: Answer) -> dict[str, Any]:
    """What was read, in the same shape. A citation is of the text that its place says."""
    return {
        "text": answer.text,
        "thinking": answer.thinking,
        "calls": answer.calls,
        "finish": answer.finish,
        "raw": answer.raw,
        "billed": None if answer.usage is None else told(answer.usage),
        "cited": [answer.text[citation.start : citation.end] for citation in answer.citations],
        "logprobs": [(one.token, one.logprob) for one in answer.logprobs],
    }


def test_recorded_streams_say_what_they_say() -> None:
    """Text, thoughts, plans, calls, citations, the end and usage of every recording, however its bytes come."""
    seen = failed = 0
    for exchange in exchanges(FILE):
        if exchange.stream and exchange.status == 200:
            seen += 1
            answer = alike(read_stream, exchange.body.encode(), exchange.id)
            assert shown(answer) == expected_stream(exchange), exchange.id
            failed += answer.fault is not None
            assert (answer.fault is not None) == ('"ERROR"' in exchange.body) and answer.ended != bool(answer.fault)
    assert seen >= 45 and failed >= 3


def test_recorded_answers_say_what_they_say() -> None:
    """The same of whole answers."""
    seen = 0
    for exchange in exchanges(FILE):
        if not exchange.stream and exchange.status == 200:
            seen += 1
            assert shown(read_reply(exchange.body.encode())) == expected_reply(exchange), exchange.id
    assert seen >= 100


def test_recorded_failures_are_told_apart() -> None:
    """Too long a prompt, the gateway's own bad key, and what is wrong with the request."""
    found = {}
    for exchange in exchanges(FILE):
        if exchange.status != 200:
            fault = SIDE.read_fault(exchange.status, exchange.body.encode(), None)
            found[exchange.status, "TOO_MANY" in exchange.body] = (fault.code, fault.status)
    assert found == {
        (400, False): ("upstream_invalid_request", 400),
        (400, True): ("context_length_exceeded", 400),
        (401, False): ("upstream_auth", 502),
        (404, False): ("upstream_invalid_request", 404),
        (422, False): ("upstream_invalid_request", 422),
    }


def test_a_stream_from_its_first_event_to_its_last() -> None:
    """A thought, a plan, two calls whose arguments come in turns, and the end."""
    call = {"id": "a_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    data = (
        event("message-start", id="m", delta={"message": {"role": "assistant", "content": [], "tool_calls": []}})
        + message("content-start", 0, content={"type": "thinking", "thinking": "H"})
        + message("content-delta", 0, content={"thinking": "m."})
        + event("content-end", index=0)
        + message("tool-plan-delta", tool_plan="I look.")
        + message("tool-call-start", 0, tool_calls=call)
        + message("tool-call-start", 1, tool_calls={"type": "function", "function": {"name": "go", "arguments": ""}})
        + message("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"at"'}})
        + message("tool-call-delta", 1, tool_calls={"function": {"arguments": '{"to":2}'}})
        + message("tool-call-delta", 0, tool_calls={"function": {"arguments": ":1}"}})
        + event("tool-call-end", index=0)
        + event("tool-call-end", index=1)
        + end("TOOL_CALL", usage={"billed_units": {"input_tokens": 3.0, "output_tokens": 5.0}})
    )
    answer = alike(read_stream, data, "plan")
    assert (answer.thinking, answer.text) == ("Hm.", "I look.")
    assert answer.calls == [("a_1", "look", {"at": 1}), ("call_01_1", "go", {"to": 2})]
    assert (answer.finish, answer.usage) == ("tool_calls", Usage(input=3, output=5))


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [([], {}), (["null"], {}), (["n", "ul", "l"], {}), (["{}"], {}), ([" ", '{"a"', ":null}"], {"a": None})],
)
@pytest.mark.parametrize("closed", [True, False])
def test_a_call_without_arguments_has_none(pieces: list[str], arguments: dict[str, Any], closed: bool) -> None:
    """Cohere writes nothing at all, or null, where others write an empty object; it is not lost if its end is not
    told."""
    call = {"id": "a", "function": {"name": "now", "arguments": ""}}
    data = message("tool-call-start", 0, tool_calls=call)
    for piece in pieces:
        data += message("tool-call-delta", 0, tool_calls={"function": {"arguments": piece}})
    data += event("tool-call-end", index=0) if closed else b""
    assert read_stream([data + end("TOOL_CALL")]).calls == [("a", "now", arguments)]
    call["function"] = {"name": "now", "arguments": "".join(pieces)}
    whole = {"message": {"tool_calls": [call]}, "finish_reason": "TOOL_CALL"}
    assert read_reply(json.dumps(whole).encode()).calls == [("a", "now", arguments)]


def test_white_space_before_arguments_is_not_kept_for_ever() -> None:
    """Any amount of it costs what its bytes cost, and what follows is not lost."""
    reader = SIDE.reader(REQUEST, "0-1")
    blank = json.dumps({"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {}}}})
    start = {
        "type": "tool-call-start",
        "index": 0,
        "delta": {"message": {"tool_calls": {"id": "a", "function": {"name": "f"}}}},
    }
    reader.feed(json.dumps(start).encode())
    deltas = []
    for text in [" "] * 1000 + ["{}"]:
        piece = blank.replace('"tool_calls": {}', f'"tool_calls": {{"function": {{"arguments": "{text}"}}}}')
        deltas += reader.feed(piece.encode())
    assert len(deltas) > 900 and json.loads("".join(delta.text for delta in deltas)) == {}


def test_citations_say_where_a_text_is_from() -> None:
    """Title, text and address of each source; the first holds the citation as it came, to be sent back."""
    wire = {
        "start": 0,
        "end": 2,
        "text": "So",
        "sources": [
            {"type": "document", "id": "d", "document": {"title": "T", "snippet": "S", "url": "u"}},
            {"type": "tool", "id": "t:0", "tool_output": {"content": "C"}},
        ],
        "type": "TEXT_CONTENT",
    }
    data = message("content-delta", 0, content={"text": "So"}) + message("citation-start", 0, citations=wire)
    first, second = read_stream([data + event("citation-end", index=0) + end()]).citations
    assert (first.title, first.quote, first.url, first.start, first.end) == ("T", "S", "u", 0, 2)
    assert (second.title, second.quote, second.url, second.raw) == ("t:0", "C", "", b"")
    assert json.loads(first.raw) == wire and first.origin == second.origin == "cohere_chat"
    whole = {"message": {"content": [{"text": "So"}], "citations": [wire]}, "finish_reason": "COMPLETE"}
    assert len(read_reply(json.dumps(whole).encode()).citations) == 2


@pytest.mark.parametrize(
    ("reason", "code", "verdict"), [("ERROR", "upstream_error", "again"), ("TIMEOUT", "upstream_timeout", "next")]
)
def test_a_stream_that_ends_in_failure(reason: str, code: str, verdict: str) -> None:
    """It has failed, and says why; a whole answer that ends so has too."""
    answer = read_stream([message("content-delta", 0, content={"text": "So"}) + end(reason, error="It broke.")])
    assert answer.fault is not None and (answer.fault.code, answer.fault.verdict) == (code, verdict)
    assert ("It broke." in answer.fault.message) == (reason == "ERROR")
    with pytest.raises(Fault, match=code):
        read_reply(json.dumps({"message": {}, "finish_reason": reason}).encode())


def test_an_end_without_a_reason_is_no_end() -> None:
    """No reason is made up, neither in a stream nor in a whole answer; a stream that breaks off has not ended."""
    answer = read_stream([end(None)])
    assert answer.fault is not None and answer.fault.code == "upstream_bad_response"
    assert not read_stream([message("content-delta", 0, content={"text": "So"})]).ended
    assert read_reply(b'{"message":{"content":[{"text":"a"}]}}').finish is None


def test_a_failure_in_place_of_an_event() -> None:
    """An object that has a message and no type."""
    answer = read_stream([b'data: {"message":"too many requests"}\n\n'])
    assert answer.fault is not None and "too many requests" in answer.fault.message


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"message": 5}', b"{}", b'{"message":{"content":7}}'])
def test_what_is_no_answer_is_a_fault(body: bytes) -> None:
    """A whole answer that is not one of Cohere's."""
    with pytest.raises(Fault, match="upstream_bad_response"):
        read_reply(body)


_NAMES = ["type", "index", "delta", "message", "content", "text", "thinking", "tool_plan", "tool_calls", "function"]
_NAMES += ["arguments", "name", "id", "citations", "sources", "start", "finish_reason", "usage", "billed_units"]
_NAMES += ["input_tokens", "logprobs", "error"]
_TYPES = ["content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start", "tool-call-delta"]
_TYPES += ["tool-call-end", "citation-start", "message-start", "message-end", "debug", ""]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_VALUES, st.sampled_from(_TYPES))
def test_wrong_types_break_nothing(value: Any, type: str) -> None:
    """Whatever JSON comes, only Faults come out."""
    reader = SIDE.reader(REQUEST, "0-1")
    for data in (value, {"type": type, "delta": value}, {"type": type, "delta": {"message": value}, "index": value}):
        reader.feed(json.dumps(data).encode())
    reader.finish()
    try:
        SIDE.read_reply(json.dumps(value).encode(), REQUEST, "0-1")
    except Fault as fault:
        assert fault.code == "upstream_bad_response"
    SIDE.read_fault(500, json.dumps(value).encode(), None)


def test_what_is_right_beside_something_wrong_is_kept() -> None:
    """An index that is no number, arguments that are an object, likelihoods that are none."""
    wrong = [
        {"type": "content-delta", "index": "0", "delta": {"message": {"content": {"text": "So"}}}, "logprobs": "?"},
        {
            "type": "tool-call-start",
            "index": 0,
            "delta": {"message": {"tool_calls": {"id": 7, "function": {"name": "f"}}}},
        },
        {
            "type": "tool-call-delta",
            "index": 0,
            "delta": {"message": {"tool_calls": {"function": {"arguments": {"a": 1}}}}},
        },
    ]
    data = b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in wrong)
    answer = read_stream([data + end("TOOL_CALL", usage="none")])
    assert (answer.text, answer.calls, answer.usage) == ("So", [("call_01_0", "f", {"a": 1})], None)


def test_an_end_mark_without_a_reason_is_no_end() -> None:
    """A stream of nothing but its end mark has failed, as one that just stops."""
    reader = CohereReader("call")
    assert reader.feed(b"[DONE]") == []
    assert reader.fault is not None and reader.fault.code == "upstream_bad_response" and not reader.ended


def test_calls_in_other_forms() -> None:
    """In a list as in a whole answer, or without a beginning of their own; without a name nobody can run them."""
    call = {"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}
    for events in (
        [message("tool-call-start", 0, tool_calls=[call])],
        [message("tool-call-delta", 0, tool_calls=call)],
        [message("tool-call-start", 0, tool_calls=call), message("tool-call-end", 0)],
    ):
        answer = read_stream([*events, end("TOOL_CALL")])
        assert answer.calls == [("a", "f", {"x": 1})]
    answer = read_stream([message("tool-call-start", 0, tool_calls={"id": "a"}), end("TOOL_CALL")])
    assert answer.fault is not None and answer.fault.code == "upstream_bad_response"
