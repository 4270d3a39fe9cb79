"""A provider's stream into deltas, and on into any writer: nothing is lost, nothing twice."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import Foreign, Image
from encke.core.delta import ARGUMENTS, FINISH, FOREIGN, LOGPROBS, MEDIA, REDACTED, START, TEXT, THINKING, TOOL, Delta
from encke.core.usage import Usage
from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.openai_responses.reader import ResponsesReader
from encke.dialects.port import END, ERROR
from encke.dialects.translate import Translator
from encke.framing.sse import SseSplitter
from tests.conftest import Size
from tests.dialects.grammar.responses import check
from tests.dialects.openai_responses.recorded import Exchange, streams
from tests.dialects.openai_responses.test_tap import JSON, KINDS
from tests.dialects.openai_responses.test_writer import client

SIDE = ResponsesClient()
CALL = "0190f3c2-7a6b-7c3d-8e4f-a1b2c3d4e5f6"
THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
BODY = b'{"model":"m","input":"Hi","stream":true}'


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "output_index": 0, "item_id": "it_1", **fields}


def read(*events: dict[str, Any]) -> tuple[ResponsesReader, list[Delta]]:
    reader = ResponsesReader(CALL)
    found: list[Delta] = []
    for at, one in enumerate(events):
        found += reader.feed(json.dumps({**one, "sequence_number": at}).encode())
    return reader, found


def joined(deltas: list[Delta], *kinds: int) -> str:
    return "".join(delta.text for delta in deltas if delta.kind in kinds)


def done(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def added(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def ended(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": "response." + status, "response": {"status": status, "output": [], **fields}}


FUNCTION = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}


def test_text() -> None:
    """Pieces of a text are told as they come, and not again from the whole."""
    reader, found = read(
        {"type": "response.created", "response": {"id": "resp_1", "model": "big", "created_at": 7}},
        added({"type": "message", "content": []}),
        event("response.output_text.delta", content_index=0, delta="Hel", logprobs=[]),
        event("response.output_text.delta", content_index=0, delta="lo", logprobs=[]),
        event("response.output_text.done", content_index=0, text="Hello"),
        done({"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}),
        ended(usage={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    )
    assert joined(found, TEXT) == "Hello"
    assert (found[0].kind, found[0].id, found[0].name, found[0].data) == (START, "resp_1", "big", 7)
    assert (found[-1].kind, found[-1].name, found[-1].id) == (FINISH, "stop", "completed")
    assert (reader.usage, reader.ended, reader.finish_reason) == (Usage(input=1, output=2), True, "completed")


@pytest.mark.parametrize("pieces", [[], ["{", '"a":1}']])
@pytest.mark.parametrize("begun", [True, False])
def test_calls(pieces: list[str], begun: bool) -> None:
    """A call comes in pieces, or whole, with a beginning or without."""
    whole = {**FUNCTION, "arguments": '{"a":1}'}
    events = [added(FUNCTION)] if begun else []
    events += [event("response.function_call_arguments.delta", delta=piece) for piece in pieces]
    events += [event("response.function_call_arguments.done", arguments='{"a":1}'), done(whole), ended()]
    _, found = read(*events)
    (call,) = [delta for delta in found if delta.kind == TOOL]
    assert (call.id, call.name) == ("call_1", "f")
    assert joined(found, ARGUMENTS) == '{"a":1}'
    assert found[-1].name == "tool_calls"


def test_arguments_that_are_told_before_their_time() -> None:
    """Arguments in an item that only begins are not told twice."""
    whole = {**FUNCTION, "arguments": '{"a":1}'}
    for pieces in ([], [event("response.function_call_arguments.delta", delta='{"a":1}')]):
        _, found = read(added(whole), *pieces, done(whole), ended())
        assert joined(found, ARGUMENTS) == '{"a":1}'


def test_calls_at_once() -> None:
    """Two calls that come in turns have keys of their own."""
    _, found = read(
        added(FUNCTION, 0),
        added({**FUNCTION, "call_id": "call_2", "name": "g"}, 1),
        event("response.function_call_arguments.delta", output_index=1, delta="[1"),
        event("response.function_call_arguments.delta", output_index=0, delta="[0"),
        event("response.function_call_arguments.delta", output_index=1, delta="]"),
        event("response.function_call_arguments.delta", output_index=0, delta="]"),
    )
    keys = [delta.key for delta in found if delta.kind == TOOL]
    told = {key: "".join(d.text for d in found if d.kind == ARGUMENTS and d.key == key) for key in keys}
    assert list(told.values()) == ["[0]", "[1]"]


def test_a_custom_call() -> None:
    """A custom tool's input is its arguments."""
    item = {"type": "custom_tool_call", "call_id": "c", "name": "run", "input": ""}
    _, found = read(
        added(item), event("response.custom_tool_call_input.delta", delta="ls"), done({**item, "input": "ls"}), ended()
    )
    assert (found[0].kind, found[0].data, joined(found, ARGUMENTS)) == (TOOL, True, "ls")


def test_thoughts() -> None:
    """A summary's parts are one thought, with what is sealed of it; without a summary all of it is sealed."""
    sealed = {"type": "reasoning", "id": "rs_1", "encrypted_content": "xx"}
    summary = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    _, streamed = read(
        event("response.reasoning_summary_text.delta", summary_index=0, delta="a"),
        event("response.reasoning_summary_text.delta", summary_index=1, delta="b"),
        done({**sealed, "summary": summary}),
    )
    _, at_once = read(done({**sealed, "summary": summary}))
    _, silent = read(done({**sealed, "summary": []}))
    assert joined(streamed, THINKING) == joined(at_once, THINKING) == "a\n\nb"
    assert [delta.text for delta in streamed if delta.name == "openai_responses"] == ["xx"]
    assert [delta.text for delta in at_once if delta.name == "openai_responses"] == ["xx"]
    assert (silent[0].kind, silent[0].text, silent[0].id) == (REDACTED, "xx", "rs_1")


def test_thoughts_in_full() -> None:
    """Who tells all that was thought has a thought that is no summary."""
    item = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    _, found = read(event("response.reasoning_text.delta", content_index=0, delta="hm"), done(item))
    assert [(delta.text, delta.name) for delta in found if delta.kind == THINKING] == [("hm", "")]


def test_only_the_end() -> None:
    """Who tells everything in the last event is understood."""
    item = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "no"}]}
    _, found = read(ended(output=[item, FUNCTION]))
    assert joined(found, TEXT) == "Hi"
    assert found[-1].name == "tool_calls"


def test_what_the_provider_did_itself() -> None:
    """Searches are foreign, pictures are pictures."""
    picture = {"type": "image_generation_call", "result": "AA", "output_format": "webp"}
    _, found = read(done({"type": "web_search_call", "id": "ws_1"}), done(picture, 1))
    assert [delta.kind for delta in found] == [FOREIGN, MEDIA]
    assert isinstance(found[0].data, Foreign)
    assert found[1].data == Image(data="AA", media_type="image/webp")


def test_logprobs_and_citations() -> None:
    """They come with their text, from the pieces or from the whole, once."""
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2}]}
    link = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 2}
    whole = {"type": "output_text", "text": "Hi", "annotations": [link], "logprobs": [token]}
    _, at_once = read(done({"type": "message", "content": [whole]}))
    _, streamed = read(
        event("response.output_text.delta", content_index=0, delta="Hi", logprobs=[token]),
        event("response.output_text.annotation.added", content_index=0, annotation_index=0, annotation=link),
        done({"type": "message", "content": [whole]}),
    )
    for found in (at_once, streamed):
        (told,) = [delta.data for delta in found if delta.kind == LOGPROBS]
        assert (told[0].token, told[0].top[0].token) == ("Hi", "Ho")
        assert [delta.data.url for delta in found if delta.kind == 9] == ["https://a.test"]


@pytest.mark.parametrize(
    ("last", "name", "raw"),
    [
        (ended("incomplete", incomplete_details={"reason": "max_output_tokens"}), "length", "max_output_tokens"),
        (ended("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter", "content_filter"),
        (ended("incomplete", incomplete_details={"reason": "later"}), "other", "later"),
    ],
)
def test_why_it_ended(last: dict[str, Any], name: str, raw: str) -> None:
    """An answer that is not complete says why."""
    _, found = read(last)
    assert (found[-1].name, found[-1].id) == (name, raw)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"type":"error","code":"server_error","message":"x"}', "upstream_error"),
        (b'{"type":"error","error":{"code":"rate_limit_exceeded","message":"x"}}', "upstream_rate_limited"),
        (b'{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"x"}}}',
         "upstream_invalid_request"),
        (b'{"type":"response.failed","response":null}', "upstream_error"),
        (b'{"type":"response.completed","response":3}', "upstream_bad_response"),
    ],
)  # fmt: skip
def test_failures(data: bytes, code: str) -> None:
    """A failure in a stream is a Fault, in any of its forms; an end that tells nothing is none."""
    reader = ResponsesReader(CALL)
    assert reader.feed(data) == []
    assert reader.fault is not None
    assert reader.fault.code == code
    assert not reader.ended


FIELDS = ("output_index", "content_index", "delta", "response", "item", "error", "logprobs")
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call"])},
    optional=dict.fromkeys(("content", "summary", "name", "arguments"), JSON),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": KINDS | st.sampled_from(["response.function_call_arguments.delta", "response.output_item.added"])},
            optional=dict.fromkeys(FIELDS, JSON | ITEMS),
        )
        | JSON,
        max_size=6,
    )
)  # fmt: skip
def test_wrong_types_do_no_harm(events: list[Any]) -> None:
    """Whatever comes, what goes out keeps to the grammar, and nothing but a Fault comes about."""
    tap = Translator(ResponsesReader(CALL), SIDE.writer(SIDE.read(BODY, "", {}), CALL, 7))
    data = b""
    for value in events:
        flags = tap.feed(json.dumps(value).encode())
        data += tap.take()
        if flags & ERROR:
            assert tap.fault is not None
            data += tap.break_off(tap.fault, "req_1") or b""
        if flags & (END | ERROR):
            break
    assert not [breach for breach in check(data).breaches if breach.rule != "responses.no_end"]


def translated(chunks: list[bytes]) -> tuple[Translator, bytes, int]:
    tap = Translator(ResponsesReader(CALL), SIDE.writer(SIDE.read(BODY, "", {}), CALL, 7))
    splitter, data, flags = SseSplitter(), b"", 0
    for chunk in [*chunks, b"\n\n"]:  # some lack the last blank line
        for _, told in splitter.feed(chunk):
            if told is not None and not flags & (END | ERROR):
                flags = tap.feed(told)
                data += tap.take()
    return tap, data, flags


def expected(one: Exchange) -> tuple[str, str, list[tuple[str, str]]]:
    """Text, thoughts and calls of a recorded stream, by its last event; the text by its pieces if there are any: some
    recordings were shortened by hand, in one place and not in the other."""
    events = one.events()
    last = events[-1]
    items = (last.get("response") or {}).get("output") or [
        event["item"] for event in events if event["type"] == "response.output_item.done"
    ]
    text, thoughts, calls = "", "", []
    for item in items:
        if item["type"] == "message":
            text += "".join(part.get("text") or "" for part in item["content"] if part["type"] == "output_text")
        elif item["type"] == "reasoning":
            summary = "\n\n".join(part["text"] for part in item.get("summary") or [])
            thoughts += summary + "\n\n".join(part["text"] for part in item.get("content") or [])
        elif item["type"] == "function_call":
            calls.append((item["name"], item["arguments"]))
    pieces = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    return pieces or text, thoughts, calls


def test_recorded_streams(size: Size) -> None:
    """Each recorded stream, whole and cut at random, is a valid stream for a caller, with the same in it."""
    rng = random.Random(7)
    whole = 0
    for one in streams():
        raw = one.reply.encode()
        cuts = sorted(rng.sample(range(1, len(raw)), min(40, len(raw) - 1)))
        chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
        _, data, flags = translated(chunks)
        if not flags & END:
            last = one.events()[-1]["type"]
            assert flags & ERROR or last not in ("response.completed", "response.incomplete"), one.id
            continue
        book = check(data)
        assert not book.breaches, (one.id, str(book))
        whole += 1
        told = json.loads(data.rstrip(b"\n").rpartition(b"\ndata: ")[2])["response"]
        text, thoughts, calls = expected(one)
        items = told["output"]
        found = "".join(p["text"] for i in items if i["type"] == "message" for p in i["content"] if "text" in p)
        assert found == text, one.id
        thought = "".join(p["text"] for i in items if i["type"] == "reasoning" for p in i["summary"])
        pieces = "".join(event["delta"] for event in one.events() if event["type"] in THOUGHTS)
        assert thought == thoughts or "".join(thought.split()) == "".join(pieces.split()), one.id
        assert [(i["name"], i["arguments"]) for i in items if i["type"] == "function_call"] == calls, one.id
        usage = (one.events()[-1].get("response") or {}).get("usage")
        if usage:
            assert told["usage"]["input_tokens"] == usage["input_tokens"], one.id
    assert whole > 400


def test_the_sdk_reads_recorded_streams(size: Size) -> None:
    """OpenAI's SDK gathers from what we write what stands in the recording."""
    for one in streams()[:: size(12, soak=1)]:
        _, data, flags = translated([one.reply.encode()])
        if not flags & END:
            continue
        with client(data).responses.stream(model="m", input="Hi") as stream:
            *_, last = stream
        if last.type == "response.completed":
            assert last.response.output_text == expected(one)[0], one.id
        else:
            assert last.type == "response.incomplete", one.id


def test_recorded_streams_byte_by_byte(size: Size) -> None:
    """Cut at every byte a stream reads the same."""
    for one in streams()[:: size(25, soak=1)]:
        raw = one.reply.encode()
        assert translated([raw])[1] == translated([raw[at : at + 1] for at in range(len(raw))])[1], one.id


def test_arguments_that_are_an_object_are_its_json() -> None:
    """As some servers write them: the call is not lost."""
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}}
    _, found = read(done(item), ended())
    assert json.loads(joined(found, ARGUMENTS)) == {"a": 1}
    _, found = read(ended(output=[item], usage={"input_tokens": 7.0, "output_tokens": "2"}))
    assert json.loads(joined(found, ARGUMENTS)) == {"a": 1}


def test_an_index_may_be_a_float() -> None:
    """Two texts stay two."""
    _, found = read(*(event("response.output_text.delta", output_index=at, delta="a") for at in (0.0, 1.0)), ended())
    assert len({delta.key for delta in found if delta.kind == TEXT}) == 2


def test_what_came_in_no_pieces_is_read_from_its_whole() -> None:
    """Texts, thoughts, refusals and arguments; once, and from what a call began with if nothing else tells them."""
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    _, found = read(
        event("response.reasoning_summary_text.done", summary_index=0, text="t"),
        event("response.output_text.done", output_index=1, content_index=0, text="a"),
        added(call, 2),
        event("response.function_call_arguments.done", output_index=2, arguments='{"x":1}'),
        done({**call, "arguments": '{"x":1}'}, 2),
        added({**call, "call_id": "d", "arguments": '{"y":1}'}, 3),
        ended(),
    )
    assert (joined(found, THINKING), joined(found, TEXT)) == ("t", "a")
    assert [delta.text for delta in found if delta.kind == ARGUMENTS] == ['{"x":1}', '{"y":1}']
    _, found = read(
        event("response.output_text.delta", content_index=0, delta="a"),
        event("response.output_text.done", content_index=0, text="a"),
        done({"type": "message", "content": [{"type": "output_text", "text": "a"}]}),
        done({"type": "message", "content": "b"}, 1),
        ended(),
    )
    assert joined(found, TEXT) == "ab"
