"""Streams and whole answers of a provider, into the hub: by hand, and all that were recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.chat import ChatReply, ChatRequest, Citation, Foreign, Format, Refusal, Text, Thinking, Tool, ToolCall
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    FOREIGN,
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
from encke.dialects.table import PROVIDERS
from encke.framing.sse import SseSplitter
from tests.conftest import Count, Size
from tests.dialects.collected import Exchange, exchanges, ways

SIDE = PROVIDERS["messages"]
OWN = "anthropic_messages"
FILES = ("anthropic.anthropic-messages", "ollama.anthropic-messages")
PLAIN = ChatRequest(model="m", messages=())
FORMED = ChatRequest(model="m", messages=(), format=Format("json_schema", b"{}"))
ODD_TOOLS = ChatRequest(model="m", messages=(), tools=(Tool("g.h"), Tool("patch", custom=True)))


def read(*events: dict[str, Any], request: ChatRequest = PLAIN) -> list[tuple[Any, ...]]:
    """What events say: the deltas, each as its kind and what is set of it."""
    reader = SIDE.reader(request, "c1")
    return [shown(delta) for event in events for delta in reader.feed(json.dumps(event).encode())]


def shown(delta: Delta) -> tuple[Any, ...]:
    return delta.kind, delta.key, *(value for value in (delta.text, delta.name, delta.id, delta.data) if value)


def start(index: int = 0, /, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def more(kind: str, index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def stop(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: Any = "end_turn", **delta: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": {"output_tokens": 9}}


BEGIN = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}},
}


def test_a_stream_of_text() -> None:
    """Who answers, the text, why it ended, and usage."""
    reader = SIDE.reader(PLAIN, "c1")
    events = [BEGIN, {"type": "ping"}, start(type="text", text=""), more("text_delta", text="Hi"), stop(), end()]
    found = [shown(delta) for event in events for delta in reader.feed(json.dumps(event).encode())]
    assert found == [
        (START, 0, "claude", "msg_1"), (USAGE, 0), (TEXT, 0, "Hi"), (CLOSE, 0),
        (FINISH, 0, "stop", "end_turn"), (USAGE, 0),
    ]  # fmt: skip
    assert (reader.usage, reader.finish_reason, reader.finished, reader.ended) == (
        Usage(3, output=9),
        "end_turn",
        True,
        False,
    )
    assert reader.feed(b'{"type":"message_stop"}') == [] and reader.ended
    assert reader.feed(json.dumps(BEGIN).encode()) == [] and reader.fault is None


def test_thoughts() -> None:
    """With their signature; without text the signature alone; and those that are opaque."""
    assert read(
        start(type="thinking", thinking="", signature=""),
        more("thinking_delta", thinking="hm"),
        more("signature_delta", signature="sig"),
        stop(),
        start(1, type="thinking", thinking="", signature=""),
        more("signature_delta", 1, signature="sig2"),
        stop(1),
        start(2, type="redacted_thinking", data="opaque"),
        stop(2),
    ) == [
        (THINKING, 0, "hm"), (SIGNATURE, 0, "sig", OWN), (CLOSE, 0),
        (THINKING, 1), (SIGNATURE, 1, "sig2", OWN), (CLOSE, 1),
        (REDACTED, 2, "opaque", OWN), (CLOSE, 2),
    ]  # fmt: skip


def test_calls() -> None:
    """Their arguments in pieces, at once, or none at all, which is an empty object."""
    call: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    assert read(
        start(**call),
        more("input_json_delta", partial_json=""),
        more("input_json_delta", partial_json='{"a"'),
        more("input_json_delta", partial_json=":1}"),
        stop(),
        start(1, **call | {"id": "t2", "input": {"b": 2}}),
        stop(1),
        start(2, **call | {"id": "t3"}),
        stop(2),
        end("tool_use"),
    ) == [
        (TOOL, 0, "f", "t1"), (ARGUMENTS, 0, '{"a"'), (ARGUMENTS, 0, ":1}"), (CLOSE, 0),
        (TOOL, 1, "f", "t2"), (ARGUMENTS, 1, '{"b": 2}'), (CLOSE, 1),
        (TOOL, 2, "f", "t3"), (ARGUMENTS, 2, "{}"), (CLOSE, 2),
        (FINISH, 0, "tool_calls", "tool_use"), (USAGE, 0),
    ]  # fmt: skip


def test_tools_get_their_own_names_back() -> None:
    """And free text is free text again."""
    assert read(
        start(type="tool_use", id="t1", name="g_h", input={}),
        stop(),
        start(1, type="tool_use", id="t2", name="patch", input={}),
        more("input_json_delta", 1, partial_json='{"input": "***'),
        more("input_json_delta", 1, partial_json=' Begin"}'),
        stop(1),
        request=ODD_TOOLS,
    ) == [
        (TOOL, 0, "g.h", "t1"), (ARGUMENTS, 0, "{}"), (CLOSE, 0),
        (TOOL, 1, "patch", "t2", True), (ARGUMENTS, 1, "*** Begin"), (CLOSE, 1),
    ]  # fmt: skip
    body = {"content": [{"type": "tool_use", "id": "t2", "name": "patch", "input": {"input": "*** Begin"}}]}
    assert whole(body, ODD_TOOLS).choices[0].parts == (ToolCall("t2", "patch", "*** Begin", custom=True),)


def test_a_tool_that_stands_for_the_answer() -> None:
    """Its arguments are the text, and having called it is no reason to run one."""
    assert read(
        start(type="tool_use", id="t1", name="structured_answer", input={}),
        more("input_json_delta", partial_json='{"a":1}'),
        stop(),
        end("tool_use"),
        request=FORMED,
    ) == [(TEXT, 0, '{"a":1}'), (CLOSE, 0), (FINISH, 0, "stop", "tool_use"), (USAGE, 0)]
    call = {"type": "tool_use", "id": "t", "name": "structured_answer", "input": {"a": 1}}
    (choice,) = whole({"content": [call], "stop_reason": "tool_use"}, FORMED).choices
    assert (choice.parts, choice.finish, choice.finish_raw) == ((Text('{"a": 1}'),), "stop", "tool_use")


def test_citations() -> None:
    """They come before the text that they are of, which is begun for them."""
    cited = {"type": "web_search_result_location", "url": "https://x", "title": "T", "cited_text": "q"}
    raw = json.dumps(cited).encode()
    assert read(start(type="text", text="", citations=[]), more("citations_delta", citation=cited)) == [
        (TEXT, 0),
        (CITATION, 0, Citation(url="https://x", title="T", quote="q", raw=raw, origin=OWN)),
    ]


def test_what_only_this_dialect_has() -> None:
    """Comes whole, with what came in pieces in its place."""
    search: dict[str, Any] = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    result: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "x"}]}
    found = read(
        start(**search),
        more("input_json_delta", partial_json='{"query":'),
        more("input_json_delta", partial_json='"x"}'),
        stop(),
        start(1, **result),
        stop(1),
        start(2, type="compaction", content=None),
        more("compaction_delta", 2, content="so far"),
        stop(2),
        start(3, type="tomorrow", text=7),
        stop(3),
    )
    foreign = [one[2] for one in found]
    assert all(one[0] == FOREIGN and isinstance(one[2], Foreign) for one in found)
    assert [json.loads(one.raw) for one in foreign] == [
        {**search, "input": {"query": "x"}},
        result,
        {"type": "compaction", "content": "so far"},
        {"type": "tomorrow", "text": 7},
    ]
    assert [one.kind for one in foreign] == ["server_tool_use", "web_search_tool_result", "compaction", "tomorrow"]


@pytest.mark.parametrize(
    "reason, finish",
    [
        ("end_turn", "stop"), ("stop_sequence", "stop_sequence"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
        ("pause_turn", "pause"), ("refusal", "refusal"), ("model_context_window_exceeded", "length"), ("new", "other"),
    ],
)  # fmt: skip
def test_why_answers_end(reason: str, finish: str) -> None:
    """In the hub's words, in streams and whole answers."""
    assert read(end(reason, stop_sequence="x"))[0] == (FINISH, 0, "x", finish, reason)
    (choice,) = whole({"content": [], "stop_reason": reason, "stop_sequence": "x"}).choices
    assert (choice.finish, choice.finish_raw, choice.stop_sequence) == (finish, reason, "x")


def test_why_it_would_not() -> None:
    """The explanation is a refusal's text."""
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    assert read(end("refusal", stop_details=details))[0] == (REFUSAL, 0, "No.")
    body = {"content": [{"type": "text", "text": "I"}], "stop_reason": "refusal", "stop_details": details}
    assert whole(body).choices[0].parts == (Text("I"), Refusal("No."))


@pytest.mark.parametrize(
    "events, code",
    [
        ([{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}], "overloaded"),
        ([BEGIN, {"type": "error", "error": {"type": "api_error"}}], "upstream_error"),
        ([{"error": {"type": "rate_limit_error"}}], "upstream_rate_limited"),
        ([{"type": "error", "error": "text", "delta": 7}], "upstream_error"),
        ([BEGIN, {"type": "message_stop"}], "upstream_bad_response"),
        ([BEGIN, end(None), {"type": "message_stop"}], "upstream_bad_response"),
        ([BEGIN, start(type="text", text=""), BEGIN], "upstream_bad_response"),
        ([{"type": "content_block_delta", "delta": {"type": "text_delta", "text": 7}}], "upstream_bad_response"),
    ],
)
def test_streams_that_fail(events: list[dict[str, Any]], code: str) -> None:
    """What upstream says of it, or that it makes no sense."""
    reader = SIDE.reader(PLAIN, "c1")
    for event in events:
        reader.feed(json.dumps(event).encode())
    assert reader.fault is not None and reader.fault.code == code and not reader.ended


def whole(body: dict[str, Any], request: ChatRequest = PLAIN) -> ChatReply:
    reply = SIDE.read_reply(json.dumps(body).encode(), request, "c1")
    assert isinstance(reply, ChatReply)
    return reply


def test_a_whole_answer() -> None:
    """All that it says."""
    usage = {"input_tokens": 3, "output_tokens": 4, "service_tier": "standard"}
    reply = whole({"id": "msg_1", "model": "claude", "content": [{"type": "text", "text": "Hi"}], "usage": usage})
    assert (reply.id, reply.model, reply.service_tier, reply.usage) == (
        "msg_1",
        "claude",
        "default",
        Usage(3, output=4),
    )
    assert reply.choices[0].parts == (Text("Hi"),) and reply.choices[0].finish is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"content":7}', b'{"content":[7]}', b'{"content":[{"type":"text"}]}', b'{"content":[{}]}',
        b'{"content":[{"type":"tool_use","id":"t","name":"f","input":7}]}', b'{"content":[],"stop_reason":7}', b"\xff",
        b'{"content":[{"type":"tool_result","tool_use_id":"t"}]}',
    ],
)  # fmt: skip
def test_no_answer(body: bytes) -> None:
    """Makes no sense, and is no mistake of the caller's."""
    with pytest.raises(Fault) as found:
        SIDE.read_reply(body, PLAIN, "c1")
    assert (found.value.code, found.value.verdict) == ("upstream_bad_response", "next")


NAMES = ["type", "index", "delta", "content_block", "message", "usage", "error", "text", "stop_reason", "partial_json"]
KINDS = [
    "message_start",
    "message_delta",
    "content_block_start",
    "content_block_delta",
    "text_delta",
    "text",
    "tool_use",
]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(ANY, max_size=6), st.binary(max_size=20))
@settings(deadline=None)
def test_nothing_breaks_it(events: list[Any], noise: bytes) -> None:
    """Whatever comes: deltas, a Fault, or nothing."""
    reader = SIDE.reader(ODD_TOOLS, "c1")
    for event in events:
        reader.feed(json.dumps(event).encode())
    reader.feed(noise)
    reader.finish()
    for event in events:
        try:
            SIDE.read_reply(json.dumps({"content": [event], "usage": event}).encode(), PLAIN, "c1")
        except Fault as fault:
            assert fault.kind.owner == "upstream"


def told(exchange: Exchange) -> dict[str, Any] | None:
    """What a recorded stream says, put together here and by nothing of the gateway; None if it does not end."""
    found: dict[str, Any] = {"text": "", "thinking": "", "calls": [], "signatures": [], "cited": 0, "foreign": 0}
    for event in events(exchange.body):
        kind, delta = event.get("type"), event.get("delta", {})
        if kind == "content_block_start":
            block = event["content_block"]
            if block["type"] == "tool_use":
                found["calls"].append([block["id"], block["name"], ""])
                if block["input"]:
                    found["calls"][-1][2] = json.dumps(block["input"])
            elif block["type"] not in ("text", "thinking", "redacted_thinking"):
                found["foreign"] += 1
            found["last"] = block["type"]
        elif kind == "content_block_delta":
            found["text"] += delta.get("text", "")
            found["thinking"] += delta.get("thinking", "")
            found["cited"] += "citation" in delta
            if "signature" in delta:
                found["signatures"].append(delta["signature"])
            if "partial_json" in delta and found["last"] == "tool_use":
                found["calls"][-1][2] += delta["partial_json"]
        elif kind == "message_start":
            usage = event["message"]["usage"]
        elif kind == "message_delta":
            found["reason"] = delta["stop_reason"]
            usage = {**usage, **{name: value for name, value in event["usage"].items() if value is not None}}
            beside = [one for one in usage.get("iterations") or () if one["type"] == "compaction"]
            found["read"] = sum(one.get(name) or 0 for one in (usage, *beside) for name in INPUTS)
        elif kind == "message_stop":
            found["calls"] = [(id, name, parsed(text or "{}")) for id, name, text in found["calls"]]
            return found
    return None


def parsed(arguments: str) -> Any:
    """Arguments, which are not whole where the answer was too long."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def events(body: str) -> list[dict[str, Any]]:
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:")]


def heard(parts: list[bytes]) -> dict[str, Any]:
    """What the reader says, in the same form."""
    reader, splitter = SIDE.reader(PLAIN, "c1"), SseSplitter()
    deltas: list[Delta] = []
    for part in parts:
        for _, data in splitter.feed(part):
            if data is not None and not reader.ended and reader.fault is None:
                deltas += reader.feed(data)
    if reader.fault is not None:
        raise reader.fault
    assert reader.ended and reader.usage is not None
    calls: dict[int, list[str]] = {}
    found: dict[str, Any] = {"text": "", "thinking": "", "signatures": [], "cited": 0, "foreign": 0}
    closed: set[int] = set()
    for delta in deltas:
        assert delta.key not in closed or delta.kind in (FINISH, USAGE, START), delta
        if delta.kind in (TEXT, THINKING):
            found["text" if delta.kind == TEXT else "thinking"] += delta.text
        elif delta.kind == TOOL:
            calls[delta.key] = [delta.id, delta.name, ""]
        elif delta.kind == ARGUMENTS:
            calls[delta.key][2] += delta.text
        elif delta.kind == SIGNATURE:
            found["signatures"].append(delta.text)
        elif delta.kind == CLOSE:
            closed.add(delta.key)
        elif delta.kind == FINISH:
            found["reason"] = delta.id
        found["cited"] += delta.kind == CITATION
        found["foreign"] += delta.kind == FOREIGN
    found["calls"] = [(id, name, parsed(text)) for id, name, text in calls.values()]
    found["read"] = reader.usage.total_input
    return found


@pytest.mark.recordings
def test_recorded_streams(size: Size, count: Count) -> None:
    """All of them say what they say, however their bytes come."""
    looked = failed = 0
    step = size(4, soak=1)
    for file in FILES:
        for exchange in exchanges(file)[::step]:
            if not exchange.stream or exchange.status != 200:
                continue
            looked += 1
            expected = told(exchange)
            data = exchange.body.encode()
            try:
                for name, parts in ways(data, exchange.id).items():
                    if name == "bytes" and looked % 4:
                        continue  # one by one costs most
                    found = heard(parts)
                    assert expected is not None
                    assert found == {name: expected[name] for name in found}, exchange.id
            except Fault as fault:
                failed += 1
                assert "began anew" in fault.message, exchange.id  # an answer spliced into another one's middle
    assert looked > 100 and failed <= 1
    count(
        f"anthropic_messages streams: {looked} recorded, read whole, byte by byte and cut at random; {failed} senseless"
    )


@pytest.mark.recordings
def test_recorded_answers(size: Size, count: Count) -> None:
    """All whole ones say what they say."""
    looked = 0
    for exchange in [one for file in FILES for one in exchanges(file)][:: size(3, soak=1)]:
        if exchange.stream or exchange.status != 200:
            continue
        looked += 1
        body = json.loads(exchange.body)
        reply = SIDE.read_reply(exchange.body.encode(), PLAIN, "c1")
        assert isinstance(reply, ChatReply)
        (choice,) = reply.choices
        texts = "".join(part.text for part in choice.parts if isinstance(part, Text))
        thoughts = "".join(part.text for part in choice.parts if isinstance(part, Thinking))
        calls = [(one.id, one.name, json.loads(one.arguments)) for one in choice.parts if isinstance(one, ToolCall)]
        blocks = body["content"]
        assert texts == "".join(one["text"] for one in blocks if one["type"] == "text"), exchange.id
        assert thoughts == "".join(one["thinking"] for one in blocks if one["type"] == "thinking"), exchange.id
        assert calls == [(one["id"], one["name"], one["input"]) for one in blocks if one["type"] == "tool_use"]
        assert choice.finish_raw == (body["stop_reason"] or "")
        assert reply.usage is not None and reply.usage.total_output >= body["usage"]["output_tokens"]
    assert looked > 100
    count(f"anthropic_messages answers: {looked} recorded, read")


def test_blocks_at_a_time_are_told_apart() -> None:
    """Servers that translate from others write several calls at once, and may count every block 0."""
    calls = [start(0, type="tool_use", id="a", name="f"), start(1, type="tool_use", id="b", name="g")]
    pieces = [more("input_json_delta", index, partial_json=piece) for piece in ('{"x":', "1}") for index in (0, 1)]
    found = read(*calls, *pieces, stop(0), stop(1))
    said = {key: "".join(one[2] for one in found if one[:2] == (ARGUMENTS, key)) for key in (0, 1)}
    assert said == {0: '{"x":1}', 1: '{"x":1}'}
    assert [one[:2] for one in found if one[0] == CLOSE] == [(CLOSE, 0), (CLOSE, 1)]
    again = read(start(type="text", text="a"), stop(), start(type="text", text="b"), more("text_delta", text="c"))
    assert again == [(TEXT, 0, "a"), (CLOSE, 0), (TEXT, 1, "b"), (TEXT, 1, "c")]


def test_it_ends_once_and_calls_have_ids() -> None:
    """A second reason says nothing; an id that is missing is made of the call's."""
    found = read(start(type="tool_use", name="f"), stop(), end("tool_use"), end("end_turn"))
    assert [one[2:] for one in found if one[0] == FINISH] == [("tool_calls", "tool_use")]
    assert (TOOL, 0, "f", "call_c1_0") in found


def test_numbers_of_other_writers_are_numbers() -> None:
    """12.0 and "12" are 12, in usage too; half a surrogate pair is U+FFFD, and what stands beside it stays."""
    reader = SIDE.reader(PLAIN, "c1")
    for data in (
        b'{"type":"message_start","message":{"usage":{"input_tokens":"3","output_tokens":1.0}}}',
        b'{"type":"content_block_start","index":0.0,"content_block":{"type":"text","text":""}}',
    ):
        reader.feed(data)
    (delta,) = reader.feed(b'{"type":"content_block_delta","index":"0","delta":{"text":"a\\ud83d"}}')
    assert (delta.text, reader.usage) == ("a\ufffd", Usage(input=3, output=1))
    assert whole({"content": [], "usage": {"input_tokens": 5.0, "output_tokens": "2"}}).usage == Usage(
        input=5, output=2
    )


def test_input_that_is_a_text_is_its_json() -> None:
    """In a stream and in a whole answer."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": '{"a":1}'}
    assert (ARGUMENTS, 0, '{"a":1}') in read(start(**block), stop())
    assert whole({"content": [block], "stop_reason": "tool_use"}).choices[0].parts == (ToolCall("t", "f", '{"a":1}'),)


def test_what_stays_until_blocks_are_whole_is_bounded() -> None:
    """In what they begin with and in pieces, of all that are open together; not of those that have been."""
    large = "x" * 650_000
    for opened, piece in (
        ("web_x", {}),
        ("web_x", more("input_json_delta", partial_json=large)),
        ("web_x", more("compaction_delta", content=large)),
        ("tool_use", more("input_json_delta", partial_json=large)),
    ):
        for closed in (True, False):
            reader = SIDE.reader(ODD_TOOLS, "c1")
            for at in range(7):
                block = start(at, type=opened, name="patch", **({} if piece else {"a": large}))
                assert reader.fault is None
                for event in (block, *([{**piece, "index": at}] if piece else ()), *([stop(at)] if closed else ())):
                    reader.feed(json.dumps(event).encode())
            assert closed if reader.fault is None else reader.fault.code == "upstream_too_large" and not closed
