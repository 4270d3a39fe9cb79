"""Answers for a caller, whole and as streams: nothing in an order that this wire does not have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    CountReply,
    File,
    Finish,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
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
from encke.dialects import carrier
from encke.dialects.anthropic_messages.client import AnthropicClient
from encke.dialects.request import Request
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.dialects.translate import Translator
from encke.framing.sse import SseSplitter
from tests.conftest import Count, Size
from tests.dialects.collected import exchanges
from tests.dialects.grammar.messages import check

CLIENT, SIDE = CLIENTS["messages"], PROVIDERS["messages"]
OWN = "anthropic_messages"
CALL_ID = "0192-ab"
USAGE_9 = Usage(input=3, cache_read=2, output=9)
WIRE_USAGE = {
    "input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 9,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
}  # fmt: skip


def request(**more: Any) -> Request:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **more}
    return CLIENT.read(json.dumps(body).encode(), "", {})


def events(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(found) for _, found in SseSplitter().feed(data) if found is not None]


def write(*deltas: Delta, asked: Request | None = None) -> bytes:
    """A stream of deltas, which keeps to the grammar. It ends with the usual reason where none is given."""
    writer = CLIENT.writer(asked or request(), CALL_ID, 0)
    for delta in deltas:
        writer.feed(delta)
    if all(delta.kind != FINISH or delta.choice for delta in deltas):
        writer.feed(Delta(FINISH, name="stop"))
    writer.finish(USAGE_9)
    data = b"".join(writer.out)
    assert check(data).breaches == []
    return data


def blocks(*deltas: Delta, asked: Request | None = None) -> list[dict[str, Any]]:
    """The blocks as a caller puts them together."""
    found: list[dict[str, Any]] = []
    for event in events(write(*deltas, asked=asked)):
        if event["type"] == "content_block_start":
            found.append(event["content_block"])
        elif event["type"] == "content_block_delta":
            delta, block = event["delta"], found[event["index"]]
            if delta["type"] == "input_json_delta":
                block["json"] = block.get("json", "") + delta["partial_json"]
            elif delta["type"] == "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])
            else:
                name = delta["type"].removesuffix("_delta")
                block[name] += delta[name]
    for block in found:
        if "json" in block:
            block["input"] = json.loads(block.pop("json"))
    return found


def reply(*parts: Part, finish: Finish | None = "stop", asked: Request | None = None, **more: Any) -> dict[str, Any]:
    """A whole answer."""
    made = ChatReply(choices=(Choice(parts, finish, **more),), usage=USAGE_9, model="claude")
    found = json.loads(CLIENT.render_reply(made, asked or request(), CALL_ID, 0))
    assert isinstance(found, dict)
    return found


def test_a_stream_of_text() -> None:
    """To the byte."""
    data = write(Delta(START, name="claude", id="x"), Delta(TEXT, text="Hi"), Delta(CLOSE), Delta(FINISH, name="stop"))
    assert data.decode() == (
        'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_0192ab","type":"message",'
        '"role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":'
        '{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"text","text":""}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"Hi"}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        '"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,'
        '"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":9}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def test_a_whole_answer() -> None:
    """All of it."""
    assert reply(Text("Hi"), finish="stop_sequence", stop_sequence="x") == {
        "id": "msg_0192ab", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "stop_sequence", "stop_sequence": "x", "usage": WIRE_USAGE,
    }  # fmt: skip
    assert CLIENTS["count_tokens"].render_reply(CountReply(7), request(), CALL_ID, 0) == b'{"input_tokens":7}'


def test_nothing_at_all() -> None:
    """Is an answer, too, and why it ended is not made up."""
    assert [event["type"] for event in events(write())] == ["message_start", "message_delta", "message_stop"]
    writer = CLIENT.writer(request(), CALL_ID, 0)
    writer.finish(None)
    found = events(b"".join(writer.out))
    assert found[1]["delta"]["stop_reason"] is None
    assert reply(finish=None)["stop_reason"] is None
    assert json.loads(CLIENT.render_reply(ChatReply(choices=()), request(), CALL_ID, 0))["content"] == []


def test_calls_that_come_in_turns_are_put_one_after_the_other() -> None:
    """And none of their arguments is lost."""
    found = blocks(
        Delta(TEXT, key=0, text="So"),
        Delta(TOOL, key=2, id="t1", name="f"),
        Delta(TOOL, key=3, id="t2", name="g"),
        Delta(ARGUMENTS, key=2, text='{"a":'),
        Delta(ARGUMENTS, key=3, text='{"b":'),
        Delta(ARGUMENTS, key=2, text="1}"),
        Delta(ARGUMENTS, key=3, text="2}"),
        Delta(TOOL, key=4, id="t3", name="h"),
        Delta(FINISH, name="tool_calls"),
    )
    assert found == [
        {"type": "text", "text": "So"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {"b": 2}},
        {"type": "tool_use", "id": "t3", "name": "h", "input": {}},
    ]


GOOGLE, RESPONSES = "google_generate", "openai_responses"


def test_no_turn_ends_with_a_thought() -> None:
    """The signature of the last text is left out: programs take the last block for the answer."""
    assert blocks(Delta(TEXT, text="so"), Delta(SIGNATURE, text="st", name=GOOGLE), Delta(FINISH, name="stop")) == [
        {"type": "text", "text": "so"}
    ]


def test_thoughts_and_signatures() -> None:
    """This dialect's own as they are, others' in carriers; a call's and a text's in thoughts of their own."""
    expected = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "thinking", "thinking": "", "signature": carrier.wrap(RESPONSES, "enc", "rs_1")},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "so"},
        {"type": "redacted_thinking", "data": carrier.wrap(GOOGLE, "st", "text:")},
        {"type": "redacted_thinking", "data": carrier.wrap(GOOGLE, "sc", "call:t1")},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    ]
    assert (
        blocks(
            Delta(THINKING, key=0, text="hm"),
            Delta(SIGNATURE, key=0, text="sig", name=OWN),
            Delta(CLOSE, key=0),
            Delta(THINKING, key=1, id="rs_1"),
            Delta(SIGNATURE, key=1, text="enc", name=RESPONSES),
            Delta(CLOSE, key=1),
            Delta(REDACTED, key=2, text="opaque", name=OWN),
            Delta(TEXT, key=3, text="so"),
            Delta(SIGNATURE, key=3, text="st", name=GOOGLE),
            Delta(TOOL, key=4, id="t1", name="f"),
            Delta(SIGNATURE, key=4, text="sc", name=GOOGLE),
            Delta(ARGUMENTS, key=4, text="{}"),
        )
        == expected
    )
    parts = (
        Thinking("hm", "sig", OWN),
        Thinking("", "enc", RESPONSES, id="rs_1"),
        Thinking("", "opaque", OWN, redacted=True),
        Text("so", signature="st", origin=GOOGLE),
        ToolCall("t1", "f", "{}", signature="sc", origin=GOOGLE),
    )
    assert reply(*parts)["content"] == expected
    # And all of it comes back with the next request.
    hub = CLIENT.to_hub(request(messages=[{"role": "assistant", "content": expected}]))
    assert isinstance(hub, ChatRequest) and hub.messages[0].parts == parts


def test_a_signature_that_comes_after_arguments() -> None:
    """Stands behind the call, in a block of its own, and still is the call's."""
    found = blocks(
        Delta(TOOL, key=4, id="t1", name="f"),
        Delta(ARGUMENTS, key=4, text="{}"),
        Delta(SIGNATURE, key=4, text="sc", name=GOOGLE),
        Delta(CLOSE, key=4),
        Delta(TEXT, key=5, text="x"),
    )
    assert [block["type"] for block in found] == ["tool_use", "redacted_thinking", "text"]


def test_thoughts_that_are_not_to_be_shown() -> None:
    """With `display` "omitted" there is the signature alone, and without one nothing."""
    asked = request(thinking={"type": "adaptive", "display": "omitted"})
    signed = [Delta(THINKING, text="hm"), Delta(SIGNATURE, text="sig", name=OWN), Delta(CLOSE)]
    assert blocks(*signed, asked=asked) == [{"type": "thinking", "thinking": "", "signature": "sig"}]
    assert blocks(Delta(THINKING, text="hm"), Delta(CLOSE), asked=asked) == []
    assert reply(Thinking("hm"), Text("x"), asked=asked)["content"] == [{"type": "text", "text": "x"}]


RESULT = b'{"type":"web_search_tool_result","tool_use_id":"s","content":[]}'
SEARCH = Foreign(OWN, "server_tool_use", b'{"type":"server_tool_use","id":"s","name":"n","input":{"a":1}}')
OWN_CITATION = {"type": "char_location", "cited_text": "q"}


@pytest.mark.parametrize(
    "delta, part, content",
    [
        (Delta(REFUSAL, text="No."), Refusal("No."), [{"type": "text", "text": "No."}]),
        (
            Delta(MEDIA, data=Image(url="https://x")),
            Image(url="https://x"),
            [{"type": "text", "text": "![image](https://x)"}],
        ),
        (
            Delta(MEDIA, data=Image(data="AAAA", media_type="image/gif")),
            Image(data="AAAA", media_type="image/gif"),
            [{"type": "text", "text": "![image](data:image/gif;base64,AAAA)"}],
        ),
        (
            Delta(MEDIA, data=Audio("AAAA", "wav", transcript="Hello.")),
            Audio("AAAA", "wav", transcript="Hello."),
            [{"type": "text", "text": "Hello."}],
        ),
        (Delta(MEDIA, data=File(data="AAAA")), File(data="AAAA"), []),
        (
            Delta(FOREIGN, data=Foreign(OWN, "x", RESULT)),
            Foreign(OWN, "x", RESULT),
            [json.loads(RESULT)],
        ),
        (
            Delta(FOREIGN, data=SEARCH),
            SEARCH,
            [{"type": "server_tool_use", "id": "s", "name": "n", "input": {"a": 1}}],
        ),
        (Delta(FOREIGN, data=Foreign("cohere_chat", "x", b"{}")), Foreign("cohere_chat", "x", b"{}"), []),
        (Delta(LOGPROBS, data=()), Text(""), []),
    ],
)  # fmt: skip
def test_what_this_wire_has_other_words_for(delta: Delta, part: Part, content: list[Any]) -> None:
    """Or none."""
    assert blocks(delta) == content
    assert reply(part)["content"] == content


def test_citations() -> None:
    """This dialect's own as they are, others' as of a page."""
    own = Citation(raw=json.dumps(OWN_CITATION).encode(), origin=OWN)
    other = Citation(url="https://x", title="T", quote="q")
    page = {"type": "web_search_result_location", "url": "https://x", "title": "T", "cited_text": "q"}
    page["encrypted_index"] = ""
    expected = [{"type": "text", "text": "see", "citations": [OWN_CITATION, page]}]
    assert (
        blocks(Delta(TEXT), Delta(CITATION, data=own), Delta(CITATION, data=other), Delta(TEXT, text="see")) == expected
    )
    assert reply(Text("see", citations=(own, other)))["content"] == expected


def test_free_text_for_a_tool_is_put_into_an_object() -> None:
    """This wire knows no other arguments."""
    expected = [{"type": "tool_use", "id": "t", "name": "patch", "input": {"input": "*** Begin"}}]
    assert (
        blocks(
            Delta(TOOL, id="t", name="patch", data=True), Delta(ARGUMENTS, text="*** "), Delta(ARGUMENTS, text="Begin")
        )
        == expected
    )
    assert reply(ToolCall("t", "patch", "*** Begin", custom=True))["content"] == expected


@pytest.mark.parametrize(
    "finish, reason",
    [
        ("stop", "end_turn"), ("stop_sequence", "stop_sequence"), ("length", "max_tokens"), ("tool_calls", "tool_use"),
        ("content_filter", "refusal"), ("refusal", "refusal"), ("pause", "pause_turn"), ("error", "end_turn"),
        ("other", "end_turn"),
    ],
)  # fmt: skip
def test_why_answers_end(finish: Finish, reason: str) -> None:
    """In this wire's words; nobody waits for tools that were not called."""
    called = [ToolCall("t", "f", "{}")] if finish == "tool_calls" else []
    assert reply(Text("x"), *called, finish=finish)["stop_reason"] == reason
    assert reply(Text("x"), finish="tool_calls")["stop_reason"] == "end_turn"
    call = [Delta(TOOL, id="t", name="f")] if finish == "tool_calls" else []
    by = "x" if finish == "stop_sequence" else ""
    assert events(write(*call, Delta(FINISH, name=finish, text=by)))[-2]["delta"]["stop_reason"] == reason


@pytest.mark.parametrize(
    "given, told, shown",
    [(["a"], "", "a"), (["a", "b"], "", None), (["a", "b"], "b", "b"), (7, "", None)],
)
def test_which_sequence_ended_it(given: Any, told: str, shown: str | None) -> None:
    """Upstream's word, or the only one that there is."""
    asked = request(stop_sequences=given)
    assert reply(Text("x"), finish="stop_sequence", stop_sequence=told, asked=asked)["stop_sequence"] == shown
    writer = CLIENT.writer(asked, CALL_ID, 0)
    writer.feed(Delta(FINISH, name="stop_sequence", text=told))
    writer.finish(None)
    assert events(b"".join(writer.out))[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": shown}
    assert reply(Text("x"), asked=asked)["stop_sequence"] is None


def test_who_calls_tools_waits_for_them() -> None:
    """Whatever upstream says of it; and a refusal is one."""
    call = [Delta(TOOL, id="t", name="f"), Delta(FINISH, name="stop")]
    assert events(write(*call))[-2]["delta"]["stop_reason"] == "tool_use"
    refusal = events(write(Delta(REFUSAL, text="No."), Delta(FINISH, name="stop")))
    assert refusal[-2]["delta"]["stop_reason"] == "refusal"
    assert reply(ToolCall("t", "f", "{}"))["stop_reason"] == "tool_use"
    assert (
        events(write(Delta(REFUSAL, text="No."), Delta(FINISH, name="stop")))[-2]["delta"]["stop_reason"] == "refusal"
    )
    assert reply(Refusal("No."))["stop_reason"] == "refusal"


def test_usage_that_is_known_at_the_start() -> None:
    """Stands in the first event."""
    found = events(write(Delta(USAGE, data=USAGE_9), Delta(TEXT, text="x")))
    assert found[0]["message"]["usage"] == WIRE_USAGE == found[-2]["usage"]


def test_of_several_answers_there_is_one() -> None:
    """The first."""
    assert blocks(Delta(TEXT, 1, text="b"), Delta(TEXT, 0, text="a"), Delta(FINISH, 1, name="length")) == [
        {"type": "text", "text": "a"}
    ]
    made = ChatReply(choices=(Choice((Text("a"),)), Choice((Text("b"),))))
    assert len(json.loads(CLIENT.render_reply(made, request(), CALL_ID, 0))["content"]) == 1


def test_a_failure_in_the_middle() -> None:
    """Is an error event, and no end."""
    writer = CLIENT.writer(request(), CALL_ID, 0)
    writer.feed(Delta(TEXT, text="x"))
    data = b"".join(writer.out) + writer.break_off(Fault("upstream_idle", "silence"), "r1")
    assert check(data).breaches == [] and events(data)[-1]["error"]["type"] == "timeout_error"


KEYS = st.integers(0, 4)
TEXTS = st.sampled_from(["", " ", "x", "{", '{"a":1}', "}", '\u2028é\n"'])
ORIGINS = st.sampled_from([OWN, GOOGLE])
# A key is of one block, and a block of one kind; ends, signatures and citations come for any, and for none.
DELTAS = st.one_of(
    st.builds(Delta, st.just(TEXT), st.integers(0, 1), KEYS, TEXTS),
    st.builds(Delta, st.just(THINKING), st.just(0), KEYS.map((10).__add__), TEXTS),
    st.builds(Delta, st.just(REFUSAL), st.just(0), KEYS.map((20).__add__), TEXTS),
    st.builds(lambda key, free: Delta(TOOL, key=30 + key, id=f"t{key}", name="f", data=free), KEYS, st.booleans()),
    st.builds(Delta, st.just(ARGUMENTS), st.just(0), KEYS.map((30).__add__), TEXTS),
    st.builds(Delta, st.just(SIGNATURE), st.just(0), st.integers(0, 40), TEXTS, ORIGINS),
    st.builds(Delta, st.just(REDACTED), st.just(0), KEYS.map((40).__add__), TEXTS, ORIGINS),
    st.builds(Delta, st.sampled_from([CLOSE, START, USAGE]), st.just(0), st.integers(0, 40)),
    st.builds(Delta, st.just(CITATION), st.just(0), KEYS, data=st.just(Citation(url="https://x"))),
    st.builds(Delta, st.just(MEDIA), st.just(0), KEYS.map((50).__add__), data=st.just(Image(url="https://x"))),
    st.builds(Delta, st.just(FOREIGN), st.just(0), KEYS.map((60).__add__), data=st.just(Foreign(OWN, "x", RESULT))),
)


@given(st.lists(DELTAS, max_size=25))
@settings(deadline=None, max_examples=150)
def test_no_order_is_broken(deltas: list[Delta]) -> None:
    """Whatever comes, in whatever order: blocks one after the other, and no text lost."""
    writer = CLIENT.writer(request(), CALL_ID, 0)
    try:
        for delta in deltas:
            writer.feed(delta)
    except Fault as fault:
        assert fault.kind.owner == "upstream"
        return
    writer.feed(Delta(FINISH, name="stop"))
    writer.finish(USAGE_9)
    data = b"".join(writer.out)
    assert [one for one in check(data).breaches if one.rule != "messages.tool_json"] == []  # what upstream wrote
    found = "".join(event["delta"].get("text", "") for event in events(data) if event["type"] == "content_block_delta")
    for delta in deltas:
        if delta.kind == TEXT and delta.choice == 0:
            assert delta.text in found


@pytest.mark.recordings
def test_recorded_streams_there_and_back(size: Size, count: Count) -> None:
    """Through the hub and out again: the grammar is kept, and every block comes out as it went in."""
    looked = 0
    for exchange in exchanges("anthropic.anthropic-messages")[:: size(4, soak=1)]:
        if not exchange.stream or exchange.status != 200 or "msg_second" in exchange.body:
            continue
        if (
            '"explanation":"' in exchange.body
        ):  # told in a place of its own, and as the answer's text where there is none
            continue
        looked += 1
        hub = ChatRequest(model="m", messages=())
        tap, out = Translator(SIDE.reader(hub, CALL_ID), CLIENT.writer(request(), CALL_ID, 0)), b""
        sent = []
        for _, data in SseSplitter().feed(exchange.body.encode()):
            if data is not None and not out.endswith(b'{"type":"message_stop"}\n\n'):
                sent.append(json.loads(data))
                tap.feed(data)
                out += tap.take()
        assert check(out).breaches == [], exchange.id
        assert put_together(events(out)) == put_together(sent), exchange.id
    assert looked > 100
    count(f"anthropic_messages streams: {looked} recorded, through the hub and back to the same blocks")


def put_together(found: list[dict[str, Any]]) -> list[Any]:
    """All texts of all blocks that have any, by type and name."""
    blocks: dict[int, list[Any]] = {}
    reason = None
    for event in found:
        if event["type"] == "content_block_start":
            block = event["content_block"]
            said = block.get("text") or block.get("thinking") or block.get("data") or ""
            blocks[event["index"]] = [block["type"], block.get("name"), said]
            if block.get("input"):
                blocks[event["index"]][2] = json.dumps(block["input"])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            piece = (
                delta.get("text") or delta.get("thinking") or delta.get("partial_json") or delta.get("content") or ""
            )
            blocks[event["index"]][2] += delta.get("signature") or piece
            blocks[event["index"]] += [delta["citation"]] if "citation" in delta else []
        elif event["type"] == "message_delta":
            reason = event["delta"]["stop_reason"]
    for block in blocks.values():
        if block[0].endswith("_use"):
            block[2] = json.loads(block[2] or "{}")
    return [reason, *(one for one in blocks.values() if one[2] or one[0] not in ("text", "thinking"))]


def test_the_sole_stop_sequence_is_told_when_the_body_is_let_go_of() -> None:
    """A call lets go of its body with the first content: what the end needs of it is known before."""
    client = AnthropicClient("messages")
    request = client.read(
        b'{"model":"m","max_tokens":9,"stop_sequences":["END"],"stream":true,"messages":[{"role":"user","content":"a"}]}',
        "",
        {},
    )
    writer = client.writer(request, "0192-7e", 7)
    request.body = {}
    writer.feed(Delta(TEXT, text="a"))
    writer.feed(Delta(FINISH, name="stop_sequence"))
    writer.finish(None)
    assert b'"stop_sequence":"END"' in b"".join(writer.out)
