"""Streams of providers, in all the forms that they have."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from encke.core.chat import Audio, ChatRequest, Citation, Image, Message, Text, TokenLogprob
from encke.core.delta import CITATION, FINISH, LOGPROBS, MEDIA, REDACTED, START, TEXT
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_chat.reader import MAX_CHOICES, ChatReader
from tests.conftest import Size
from tests.dialects.openai_chat.gather import Gathered, gather
from tests.dialects.openai_chat.told import Told

ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
HEAD = {"id": "x", "object": "chat.completion.chunk", "created": 5, "model": "up"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def reader(asked: ChatRequest = ASKED) -> ChatReader:
    """A new one."""
    return ChatReader(asked, "0192-7e")


def choice(delta: Any, finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    """An event with one choice."""
    return {**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish, **fields}]}


def stream(*events: Any, mark: bool = True) -> bytes:
    """Events as they come."""
    lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return b"".join(b"data: %b\n\n" % line for line in lines) + (b"data: [DONE]\n\n" if mark else b"")


def read(*events: Any, asked: ChatRequest = ASKED) -> Gathered:
    """All of a stream that ends well."""
    found = reader(asked)
    gathered = gather(found, stream(*events))
    assert found.fault is None and found.ended and found.finished
    return gathered


def function(arguments: Any, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """A piece of a call."""
    return {**fields, "function": {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}}


def test_the_first_event_tells_id_and_model_once() -> None:
    """Azure's filter results, which come before, have neither."""
    found = read({**HEAD, "id": "", "model": "", "choices": []}, choice({"role": "assistant"}), choice({}, "stop"))
    started = [delta for delta in found.deltas if delta.kind == START]
    assert [(one.id, one.name, one.data) for one in started] == [("x", "up", 5)]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_under_both_names(name: str) -> None:
    """And content as a string, a list or null."""
    found = read(
        choice({name: "h", "content": None}),
        choice({name: "m"}),
        choice({"content": [{"type": "text", "text": "We"}]}),
        choice({"content": "ll"}),
        choice({}, "stop"),
    )
    assert found.told(0) == Told("Well", "hm", (), "stop")


def test_openrouters_details_are_signatures_and_their_text_is_read_once() -> None:
    """Text stands in `reasoning` too; a signature comes at the end; what is encrypted is of the summary before it, or
    stands alone."""

    def detail(**fields: Any) -> dict[str, Any]:
        return {"format": "anthropic-claude-v1", "index": 0, **fields}

    found = read(
        choice({"reasoning": "h", "reasoning_details": [detail(type="reasoning.text", text="h")]}),
        choice({"reasoning_details": [detail(type="reasoning.text", text="m")]}),
        choice({"reasoning_details": [detail(type="reasoning.text", signature="s1")]}),
        choice({"reasoning_details": [detail(type="reasoning.encrypted", data="xx", index=1, id="r")]}),
        choice({"content": "Well"}),
        choice({}, "stop"),
    )
    assert found.told(0) == Told("Well", "hm", (), "stop")
    ((_, signature, origin),) = found.signatures
    told = {"type": "reasoning.text", "signature": "s1", "format": "anthropic-claude-v1", "index": 0}
    assert json.loads(signature) == told and origin == "openai_chat"
    (hidden,) = [delta for delta in found.deltas if delta.kind == REDACTED]
    assert json.loads(hidden.text)["data"] == "xx" and (hidden.name, hidden.id) == ("openai_chat", "r")
    found = read(
        choice({"reasoning_content": "h"}),
        choice({"reasoning_content": "m"}),
        choice({"reasoning_details": [detail(type="reasoning.text", text="hm", signature="s")]}),
        choice({}, "stop"),
    )
    assert found.told(0).thought == "hm" and len(found.signatures) == 1
    found = read(
        choice({"reasoning_details": [{"type": "reasoning.summary", "summary": "so", "index": 0}]}),
        choice({"reasoning_details": [{"type": "reasoning.encrypted", "data": "yy", "index": 0, "id": "rs"}]}),
        choice({}, "stop"),
    )
    assert found.told(0).thought == "so" and json.loads(found.signatures[0][1])["data"] == "yy"


@pytest.mark.parametrize(
    "pieces",
    [
        [
            [function("", "f", index=0, id="c1", type="function")],
            [function('{"a"', index=0)],
            [function("", "g", index=1, id="c2")],
            [function(":1}", index=0), function("{}", index=1)],
        ],
        [[function('{"a":1}', "f", id="c1"), function("{}", "g", id="c2")]],
        [[function('{"a"', "f", id="c1")], [function(":1}", id="c1")], [function("{}", "g", id="c2")]],
        [[function('{"a"', "f", id="c1")], [function(":1}")], [function("{}", "g", id="c2")]],
        [[function('{"a":1}', "f", index=0, id="c1")], [function("{}", "g", index=0, id="c2")]],
        [
            [function('{"a"', "f", index=0, id="c1")],
            [function(":1}", "f", index=0, id="c1")],
            [function("{}", "g", index=4, id="c2")],
        ],
        [[function({"a": 1}, "f", index=0, id="c1")], [function({}, "g", index=1, id="c2")]],
        [
            [{"index": 0, "id": "c1", "function": {"arguments": '{"a":'}}],
            [function("1}", "f", index=0)],
            [function("{}", "g", index=1, id="c2")],
        ],
    ],
    ids=["by index", "whole", "by id", "by order", "index again", "name again", "objects", "name late"],
)
def test_tool_calls_in_all_their_forms(pieces: list[list[dict[str, Any]]]) -> None:
    """Interleaved by index, by id alone, in order, whole in one event, with an index that is used again."""
    found = read(*(choice({"tool_calls": calls}) for calls in pieces), choice({}, "tool_calls"))
    assert found.told(0).calls == (("f", '{"a": 1}'), ("g", "{}")) and found.ids == ["c1", "c2"]


def test_calls_without_ids_get_some_of_the_calls_own() -> None:
    """Google's compatible address writes ""; two calls are two."""
    calls = [function("{}", "f", id="", type="function"), function("{}", "g", id="", type="function")]
    found = read(choice({"tool_calls": calls}), choice({}, "stop"))
    assert found.ids == ["call_01927e_1", "call_01927e_2"]
    assert found.told(0).finish == "tool_calls", "a stop with calls is for the caller to run them"


def test_the_older_function_call_and_a_custom_tool() -> None:
    """One call without an id; free text."""
    found = read(
        choice({"function_call": {"name": "f", "arguments": ""}}),
        choice({"function_call": {"arguments": "{}"}}),
        choice({}, "function_call"),
    )
    assert found.told(0) == Told("", "", (("f", "{}"),), "tool_calls")
    custom = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "m", "input": "4 +"}}
    found = read(
        choice({"tool_calls": [custom]}),
        choice({"tool_calls": [{"index": 0, "custom": {"input": " 4"}}]}),
        choice({}, "tool_calls"),
    )
    assert found.told(0).calls == (("m", "4 + 4"),)


def test_googles_signature_on_a_call() -> None:
    """Kept for this dialect, since it goes back the same way."""
    call = function("{}", "f", index=0, id="c", extra_content={"google": {"thought_signature": "s"}})
    found = read(choice({"tool_calls": [call]}), choice({}, "stop"))
    ((_, signature, origin),) = found.signatures
    assert (signature, origin) == ("s", "openai_chat")


def test_the_reason_is_told_once_whatever_comes_again_or_after() -> None:
    """A repeated finish_reason, and text after it; the last word holds."""
    found = read(choice({"content": "We"}, "stop"), choice({"content": "ll"}, "length"), choice({}, "length"))
    assert found.told(0) == Told("Well", "", (), "length")
    assert [delta.id for delta in found.deltas if delta.kind == FINISH] == ["length"]


def test_several_choices_and_the_stop_sequence_that_was_met() -> None:
    """Each has its own end; vLLM says which sequence it was."""
    found = reader()
    found.feed(json.dumps(choice({"content": "a"})).encode())
    found.feed(json.dumps(choice({"content": "b"}, index=1)).encode())
    found.feed(json.dumps(choice({}, "stop", stop_reason="END")).encode())
    before = found.finished
    found.feed(json.dumps(choice({}, "stop", index=1, stop_reason=128009)).encode())
    assert (before, found.finished, found.ended) == (False, True, False)
    ends = [(delta.choice, delta.name, delta.text) for delta in found.finish() if delta.kind == FINISH]
    assert ends == [(0, "stop_sequence", "END"), (1, "stop", "")]


@pytest.mark.parametrize(
    "last",
    [
        [choice({}, "stop"), {**HEAD, "choices": [], "usage": USAGE}],
        [{**choice({}, "stop"), "usage": USAGE}],
        [choice({}, "stop"), {**HEAD, "usage": USAGE}],
        [{**choice({}, "stop"), "x_groq": {"id": "r", "usage": USAGE}}],
        [{**choice({}, "stop"), "usage": {"prompt_tokens": 1, "completion_tokens": 1}}, {**HEAD, "usage": USAGE}],
    ],
    ids=["own event", "beside", "no choices", "x_groq", "twice"],
)
def test_usage_wherever_it_stands(last: list[Any]) -> None:
    """In an event of its own, beside the end, at Groq's place, or more than once: the last is right."""
    assert read(choice({"content": "a"}), *last).usage == Usage(input=3, output=2)


def test_logprobs_annotations_images_and_sources() -> None:
    """Logprobs before their text; Perplexity's sources once, at the end."""
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1}]}
    note = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    found = read(
        choice({"content": "a"}, logprobs={"content": [token]}),
        choice({"annotations": [note]}),
        choice({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]}),
        choice({}, "stop"),
    )
    kinds = [delta.kind for delta in found.deltas]
    assert kinds == [START, LOGPROBS, TEXT, CITATION, MEDIA, FINISH]
    assert found.deltas[1].data == (TokenLogprob("a", -0.5, (97,), (TokenLogprob("b", -1.0),)),)
    assert found.deltas[3].data == Citation("u", "t", "", 0, 1)
    assert found.deltas[4].data == Image(data="QUJD", media_type="image/png")
    beside = {"citations": ["https://a"], "search_results": [{"url": "https://a", "title": "A"}]}
    found = read({**choice({"content": "a"}), **beside}, {**choice({"content": "b"}, "stop"), **beside})
    assert [delta.data for delta in found.deltas if delta.kind == CITATION] == [Citation("https://a", "A")]
    old = {"tokens": ["a"], "token_logprobs": [-0.25]}
    found = read(choice({"content": "a"}, logprobs=old), choice({}, "stop"))
    assert found.deltas[1].data == (TokenLogprob("a", -0.25),)


def test_sound_is_put_together() -> None:
    """Pieces of data and transcript; in the form that was asked for."""
    asked = msgspec.structs.replace(ASKED, extra={"audio": b'{"voice":"alloy","format":"pcm16"}'})
    found = read(
        choice({"audio": {"id": "a1", "transcript": "h"}}),
        choice({"audio": {"data": "QU"}}),
        choice({"audio": {"data": "JD", "transcript": "i"}}),
        choice({"audio": {"expires_at": 9}}, "stop"),
        asked=asked,
    )
    assert [delta.data for delta in found.deltas if delta.kind == MEDIA] == [Audio("QUJD", "pcm16", "a1", "hi", 9)]


@pytest.mark.parametrize(
    ("event", "code", "verdict"),
    [
        ({"error": {"message": "no", "code": 429}}, "upstream_rate_limited", "again"),
        ({"error": {"message": "no", "type": "invalid_request_error"}}, "upstream_invalid_request", "stop"),
        ({**HEAD, "error": {"code": 502, "message": "x"}, "choices": [{"delta": {}}]}, "upstream_error", "again"),
        (choice({}, "error", error={"code": 503, "message": "x"}), "overloaded", "again"),
        ({"error": "busy"}, "upstream_error", "again"),
        ({"object": "error", "message": "no", "code": 400}, "upstream_invalid_request", "stop"),
    ],
)
def test_errors_inside_a_stream(event: Any, code: str, verdict: str) -> None:
    """Through the one table; nothing after is read."""
    found = reader()
    gather(found, stream(choice({"content": "a"}), event))
    assert found.fault is not None and (found.fault.code, found.fault.verdict) == (code, verdict)
    assert not found.ended


def test_a_mark_without_an_answer_is_no_end() -> None:
    """There has to be something that ends."""
    found = reader()
    gather(found, stream())
    assert found.fault is not None and found.fault.code == "upstream_bad_response" and found.fault.verdict == "next"


@pytest.mark.parametrize("events", [[choice({"content": "a"})], [choice({}, "stop"), choice({}, index=1)]])
def test_a_mark_is_an_end_without_a_reason(events: list[Any]) -> None:
    """OpenAI's own streams of sound have none: whoever is told the end mark has the whole answer; the reason is one
    that nobody has told."""
    found = reader()
    deltas = gather(found, stream(*events)).deltas
    assert found.fault is None and found.ended
    assert [one.name for one in deltas if one.kind == FINISH][-1] == "other"


def test_bounds() -> None:
    """Choices without number are a failure, and so is more than can be kept."""
    found = reader()
    for index in range(MAX_CHOICES + 1):
        found.feed(json.dumps(choice({"content": "a"}, index=index)).encode())
    assert found.fault is not None and found.fault.code == "upstream_bad_response"
    found = reader()
    with pytest.raises(Fault, match="tool calls"):
        for at in range(2000):
            found.feed(json.dumps(choice({"tool_calls": [function("", "f", index=at)]})).encode())
    found = reader()
    with pytest.raises(Fault, match="sound"):
        for _ in range(40):
            found.feed(json.dumps(choice({"audio": {"data": "A" * (1 << 20)}})).encode())


def test_what_is_no_event_is_passed_over() -> None:
    """Text, other JSON, null, unknown events and fields."""
    found = read(
        b"hello", b"[1]", b"null", b'{"choices":', {"object": "ping"}, choice({"content": "a", "zz": [1]}, "stop")
    )
    assert found.told(0) == Told("a", "", (), "stop")


def test_wrong_types_are_left_out_and_the_rest_is_read() -> None:
    """A number for a text, a text for a list: what can be used is."""
    found = read(
        {"id": 1, "created": "x", "choices": [{"index": 0, "delta": {"role": 5, "content": "a", "tool_calls": "no"}}]},
        choice({"content": "b", "reasoning": 7, "tool_calls": [5, function("{}", "f", index="x", id=9)]}),
        {"choices": [{"index": "0", "delta": {"content": "c"}, "finish_reason": 3}]},
        choice({"content": {"a": 1}, "refusal": []}, "stop"),
    )
    assert found.told(0) == Told("abc", "", (("f", "{}"),), "tool_calls")


def test_events_of_the_same_form_are_read_alike_with_and_without_a_look() -> None:
    """Quotes, escapes, other letters, an event that differs in one field: never the wrong text, never a lost one."""
    random.seed(1)
    words = ["a", " b", "ü", '"', "\\", "\n", "encke", "up", "x", "assistant", "😀", "}]", "chat"]
    events, text, thought = [choice({"role": "assistant", "content": ""})], "", ""
    for _ in range(400):
        word = random.choice(words)
        if random.random() < 0.2:
            events.append(choice({"reasoning_content": word}))
            thought += word
        else:
            extra = {"p": random.choice(words)} if random.random() < 0.1 else {}
            events.append({**choice({"content": word}, index=0), **extra})
            text += word
    assert read(*events, choice({}, "stop")).told(0) == Told(text, thought, (), "stop")
    raw = [json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() for event in events]
    assert read(*raw, choice({}, "stop")).told(0) == Told(text, thought, (), "stop")


def test_an_event_that_only_begins_and_ends_alike_is_read_in_full() -> None:
    """Another field between the same ends, a text that is cut, bytes that are no text: never taken for content."""
    form = b'{"choices":[{"index":0,"delta":{"content":"%b"}}]}'
    found = reader()
    for word in (b"a", b"b", b"c"):
        found.feed(form % word)
    said = [
        delta.text
        for data in (b'x","refusal":"no', b"y\\", b'q\\"q', b"\xff", b"z")
        for delta in found.feed(form % data)
    ]
    assert said == ["x", "no", 'q"q', "z"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "choices", "index", "delta", "message", "content", "reasoning_details", "tool_calls", "function",
                "name",
                "arguments", "id", "type", "text", "audio", "data", "images", "image_url", "url", "annotations",
                "url_citation", "logprobs", "tokens", "token_logprobs", "usage", "prompt_tokens", "error", "message",
                "finish_reason", "stop_reason", "extra_content", "google", "custom", "input", "function_call",
                "refusal", "x_groq", "search_results", "citations", "created", "thinking",
            ]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


def test_nothing_but_faults_comes_out_of_anything(size: Size) -> None:
    """Events of any shape, as events and as whole answers."""
    from_shape = st.builds(
        lambda delta, finish: {"choices": [{"index": 0, "delta": delta, "message": delta, "finish_reason": finish}]},
        values,
        st.sampled_from(["stop", None, "length"]),
    )

    @settings(
        max_examples=size(150, soak=20_000), deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(values | from_shape, max_size=4))
    def examples(events: list[Any]) -> None:
        found = reader()
        try:
            gather(found, stream(*events))
        except Fault:
            return
        except AssertionError as error:
            assert "after the end" not in str(error)

    examples()


def test_an_only_answer_is_the_first_wherever_its_count_begins() -> None:
    """Index 1 alone, where one answer is asked for; of those who ask for several each keeps its own."""
    events = [choice({"content": "a"}, index=1), choice({}, "stop", index=1)]
    assert read(*events).told(0).text == "a"
    several = msgspec.structs.replace(ASKED, n=2)
    assert read(*events, asked=several).told(1).text == "a"


def test_another_name_at_the_same_index_is_another_call() -> None:
    """Where no ids tell them apart."""
    pieces = [function("{}", "f", index=0), function('{"b":1}', "g", index=0)]
    found = read(*(choice({"tool_calls": [piece]}) for piece in pieces), choice({}, "tool_calls"))
    assert found.told(0).calls == (("f", "{}"), ("g", '{"b": 1}'))


def test_thoughts_and_refusals_in_rarer_places() -> None:
    """`thinking` beside the content, a refusal among its parts."""
    events = [
        choice({"thinking": "t"}),
        choice({"content": [{"type": "refusal", "refusal": "No."}]}),
        choice({}, "stop"),
    ]
    found = read(*events)
    assert (found.thoughts, found.refusals) == ({0: "t"}, {0: "No."})


def test_calls_are_the_reason_of_an_end_that_has_none() -> None:
    """With the end mark the answer is whole, and its calls are to be run."""
    found = gather(reader(), stream(choice({"tool_calls": [function("{}", "f", index=0, id="a")]})))
    assert found.finishes == {0: ["tool_calls"]}


def test_what_is_cited_before_there_is_a_text_is_bounded() -> None:
    """In number and in size; what a text cites that has begun is told at once."""
    for title, most in (("t", 1000), ("t" * 10_000, 104)):
        cited = {"type": "url_citation", "url_citation": {"url": "https://a/", "title": title}}
        many = [choice({"annotations": [cited] * 50}) for _ in range(25)]
        found = read(*many, choice({"content": "x"}), choice({"annotations": [cited]}, "stop"))
        assert len([delta for delta in found.deltas if delta.kind == CITATION]) == most + 1
