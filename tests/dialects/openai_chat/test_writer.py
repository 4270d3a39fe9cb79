"""Streams for callers of this wire: whatever comes, what goes out keeps to the grammar, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from encke.dialects.openai_chat.client import OpenAIClient
from encke.dialects.openai_chat.writer import ChatWriter
from tests.conftest import Size
from tests.dialects.grammar.chat import check

CLIENT = OpenAIClient("chat")
ID = "0192a-b"


def writer(**fields: Any) -> ChatWriter:
    """For a request with these fields."""
    body = {"model": "asked", "messages": [{"role": "user", "content": "Hi"}], "stream": True, **fields}
    made = CLIENT.writer(CLIENT.read(json.dumps(body).encode(), "", {}), ID, 7)
    assert isinstance(made, ChatWriter)
    return made


def written(deltas: list[Delta], usage: Usage | None = None, **fields: Any) -> bytes:
    """The whole stream."""
    made = writer(**fields)
    for delta in deltas:
        made.feed(delta)
    made.finish(usage)
    return b"".join(made.out)


def chunks(data: bytes) -> list[dict[str, Any]]:
    """Its events but the end mark."""
    return [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: {")]


def deltas(data: bytes, index: int = 0) -> list[dict[str, Any]]:
    """The deltas of a choice."""
    return [choice["delta"] for one in chunks(data) for choice in one["choices"] if choice["index"] == index]


def test_role_first_then_text_one_reason_and_the_mark() -> None:
    """The order that every client expects; upstream's model, our id."""
    data = written(
        [Delta(START, id="up", name="gpt", data=5), Delta(TEXT, text="a\n"), Delta(TEXT, text='"b'),
         Delta(FINISH, name="stop", id="end_turn"), Delta(FINISH, name="length")]
    )  # fmt: skip
    assert data.endswith(b"data: [DONE]\n\n") and not check(data, usage=False, choices=1).breaches
    assert deltas(data) == [{"role": "assistant", "content": ""}, {"content": "a\n"}, {"content": '"b'}, {}]
    assert {(one["id"], one["model"], one["created"]) for one in chunks(data)} == {(f"chatcmpl-{ID}", "gpt", 5)}
    assert [one["choices"][0]["finish_reason"] for one in chunks(data)] == [None, None, None, "stop"]
    assert all("usage" not in one for one in chunks(data))


def test_usage_stands_in_a_chunk_of_its_own_if_it_was_asked_for() -> None:
    """Before the mark, beside no choice; null in the others."""
    usage = Usage(input=1, cache_read=2, cache_write_5m=3, cache_write_1h=4, output=5, reasoning=6)
    data = written([Delta(TEXT, text="a"), Delta(FINISH, name="stop")], usage, stream_options={"include_usage": True})
    assert not check(data, usage=True).breaches
    *others, last = chunks(data)
    assert all(one["usage"] is None for one in others) and last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 11,
        "total_tokens": 21,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "prompt_tokens_details": {"cached_tokens": 2, "cache_creation_tokens": 7, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 0},
    }


def test_calls_that_upstream_writes_at_once_keep_their_places() -> None:
    """An index each, id and name once, arguments piece by piece; a call without arguments gets empty ones."""
    data = written(
        [
            Delta(TOOL, key=5, name="f", id="c1"),
            Delta(TOOL, key=3, name="g", id="c2"),
            Delta(ARGUMENTS, key=5, text='{"a"'),
            Delta(TOOL, key=9, name="h", id=""),
            Delta(ARGUMENTS, key=3, text="{}"),
            Delta(ARGUMENTS, key=5, text=":1}"),
            Delta(ARGUMENTS, key=77, text="of nobody"),
            Delta(CLOSE, key=5),
            Delta(FINISH, name="tool_calls"),
        ]
    )
    assert not check(data, usage=False).breaches
    assert deltas(data)[0] == {"role": "assistant", "content": None}
    calls: dict[int, list[str]] = {}
    for delta in deltas(data):
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                calls[call["index"]] = [call["id"], call["function"]["name"], ""]
            calls[call["index"]][2] += call["function"]["arguments"]
    assert calls == {0: ["c1", "f", '{"a":1}'], 1: ["c2", "g", "{}"], 2: ["call_0192ab_2", "h", "{}"]}


def test_a_custom_tools_call_has_free_text() -> None:
    """In `custom.input`."""
    data = written([Delta(TOOL, name="c", id="x", data=True), Delta(ARGUMENTS, text="4 + 4"),
                    Delta(FINISH, name="tool_calls")])  # fmt: skip
    assert not check(data).breaches
    assert deltas(data)[1:3] == [
        {"tool_calls": [{"index": 0, "id": "x", "type": "custom", "custom": {"name": "c", "input": ""}}]},
        {"tool_calls": [{"index": 0, "custom": {"input": "4 + 4"}}]},
    ]


def test_who_knows_functions_alone_gets_one_function_call() -> None:
    """The older form, and its word for the end."""
    data = written(
        [Delta(TOOL, key=2, name="f", id="c"), Delta(ARGUMENTS, key=2, text="{}"), Delta(TOOL, key=3, name="g", id="d"),
         Delta(ARGUMENTS, key=3, text="{}"), Delta(FINISH, name="tool_calls")],
        functions=[{"name": "f"}],
    )  # fmt: skip
    assert deltas(data)[1:3] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]
    assert len(deltas(data)) == 4 and chunks(data)[-1]["choices"][0]["finish_reason"] == "function_call"


def test_thoughts_are_reasoning_content_and_signed_ones_are_details_too() -> None:
    """A signature comes with all of its thought's text; opaque thoughts are entries alone."""
    data = written(
        [
            Delta(THINKING, key=1, text="h"),
            Delta(THINKING, key=1, text="m"),
            Delta(SIGNATURE, key=1, text="s1", name="anthropic_messages"),
            Delta(REDACTED, key=2, text="xx", name="anthropic_messages"),
            Delta(THINKING, key=3, text="so", name="summary", id="rs_1"),
            Delta(SIGNATURE, key=3, text="s2", name="openai_responses"),
            Delta(SIGNATURE, key=4, text="s3", name="google_generate"),
            Delta(TEXT, key=0, text="Well"),
            Delta(SIGNATURE, key=0, text="s4", name="google_generate"),
            Delta(FINISH, name="stop"),
        ]
    )
    assert not check(data).breaches
    found = deltas(data)
    assert "".join(delta.get("reasoning_content", "") for delta in found) == "hmso"
    assert [entry for delta in found for entry in delta.get("reasoning_details", ())] == [
        {"type": "reasoning.text", "text": "hm", "signature": "s1", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "xx", "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.summary", "summary": "so", "format": "openai-responses-v1", "index": 2, "id": "rs_1"},
        {"type": "reasoning.encrypted", "data": "s2", "format": "openai-responses-v1", "index": 3, "id": "rs_1"},
        {"type": "reasoning.text", "text": "", "signature": "s3", "format": "google-gemini-v1", "index": 4},
    ]
    assert found[-2] == {"extra_content": {"google": {"thought_signature": "s4"}}}


def test_who_excludes_reasoning_sees_none() -> None:
    """OpenRouter's switch."""
    data = written(
        [Delta(THINKING, key=1, text="hm"), Delta(SIGNATURE, key=1, text="s", name="anthropic_messages"),
         Delta(REDACTED, key=2, text="x", name="anthropic_messages"), Delta(TEXT, text="a"),
         Delta(FINISH, name="stop")],
        reasoning={"exclude": True},
    )  # fmt: skip
    assert deltas(data) == [{"role": "assistant", "content": ""}, {"content": "a"}, {}]


def test_a_signed_call() -> None:
    """In Google's own place for it."""
    data = written(
        [Delta(TOOL, key=2, name="f", id="c"), Delta(SIGNATURE, key=2, text="s", name="google_generate"),
         Delta(ARGUMENTS, key=2, text="{}"), Delta(FINISH, name="tool_calls")]
    )  # fmt: skip
    assert not check(data).breaches
    content = {"google": {"thought_signature": "s"}}
    assert {"tool_calls": [{"index": 0, "function": {"arguments": ""}, "extra_content": content}]} in deltas(data)


def test_logprobs_go_with_the_text_that_follows_and_are_never_lost() -> None:
    """In OpenAI's form, beside the delta."""
    token = TokenLogprob("a", -0.5, (97,), (TokenLogprob("b", -1.0),))
    data = written([Delta(LOGPROBS, data=(token,)), Delta(TEXT, text="a"), Delta(LOGPROBS, data=(token,)),
                    Delta(FINISH, name="stop")])  # fmt: skip
    assert not check(data).breaches
    told = {
        "content": [
            {
                "token": "a",
                "logprob": -0.5,
                "bytes": [97],
                "top_logprobs": [{"token": "b", "logprob": -1.0, "bytes": None}],
            }
        ],
        "refusal": None,
    }
    assert [one["choices"][0]["logprobs"] for one in chunks(data)] == [None, told, told]


def test_citations_images_sound_and_refusals() -> None:
    """Each in the place that callers know."""
    data = written(
        [
            Delta(TEXT, key=0, text="one"),
            Delta(TEXT, key=4, text="two"),
            Delta(CITATION, key=4, data=Citation("https://x", "X", "quoted", 0, 2)),
            Delta(CITATION, key=4, data=Citation(title="a.pdf")),
            Delta(MEDIA, key=5, data=Image(data="QUJD", media_type="image/png")),
            Delta(MEDIA, key=6, data=Audio("UklG", "wav", "audio_1", "hey", 9)),
            Delta(REFUSAL, key=7, text="No."),
            Delta(FOREIGN, key=8, data=None),
            Delta(FINISH, name="refusal", id="refusal"),
        ]
    )
    assert not check(data).breaches
    found = {name: delta[name] for delta in deltas(data) for name in delta}
    assert [delta["annotations"][0]["url_citation"] for delta in deltas(data) if "annotations" in delta] == [
        {"start_index": 3, "end_index": 5, "url": "https://x", "title": "X", "content": "quoted"},
        {"start_index": 3, "end_index": 6, "url": "", "title": "a.pdf"},
    ]
    # OpenAI's client for Python puts lists together by it, and refuses entries that have none.
    lists = ("annotations", "images", "reasoning_details", "tool_calls")
    numbers = [(name, entry["index"]) for delta in deltas(data) for name in lists for entry in delta.get(name, ())]
    assert numbers[:2] == [("annotations", 0), ("annotations", 1)] and len(numbers) > 2
    assert found["images"][0]["image_url"] == {"url": "data:image/png;base64,QUJD"}
    assert found["audio"] == {"id": "audio_1", "data": "UklG", "transcript": "hey", "expires_at": 9}
    assert found["refusal"] == "No."
    last = chunks(data)[-1]["choices"][0]
    assert last["finish_reason"] == "content_filter" and last["native_finish_reason"] == "refusal"


def test_reasons_for_the_end() -> None:
    """OpenAI's five words; what they leave unsaid stands beside them, and tool_calls without any is none."""
    for name, raw, word in (
        ("stop_sequence", "stop_sequence", "stop"), ("length", "max_tokens", "length"), ("pause", "pause_turn", "stop"),
        ("error", "MALFORMED_FUNCTION_CALL", "length"), ("other", "OTHER", "stop"), ("tool_calls", "tool_use", "stop"),
        ("content_filter", "SAFETY", "content_filter"),
    ):  # fmt: skip
        last = chunks(written([Delta(TEXT, text="a"), Delta(FINISH, name=name, id=raw, text="END")]))[-1]["choices"][0]
        assert last["finish_reason"] == word and last["stop_reason"] == "END"
        assert last.get("native_finish_reason") == (raw if name in ("pause", "error", "other") else None)


def test_a_choice_without_a_reason_for_its_end_does_not_end() -> None:
    """No reason is made up, and no mark is written; nor for a stream of nothing."""
    data = written([Delta(TEXT, text="a"), Delta(TEXT, 1, text="b"), Delta(FINISH, 1, name="stop")])
    assert b"[DONE]" not in data and data.count(b'"finish_reason":"stop"') == 1
    assert written([]) == b"" and written([Delta(START), Delta(USAGE), Delta(CLOSE)]) == b""


def test_a_failure_is_an_error_event() -> None:
    """With the request's id, and without a mark."""
    made = writer().break_off(Fault("upstream_reset", "It broke."), "r1")
    assert made.startswith(b'data: {"error":') and b'"request_id":"r1"' in made


def any_deltas() -> st.SearchStrategy[list[Delta]]:
    """Anything in any order."""
    text = st.sampled_from(["", "a", "é\n", '"', "{}", "\x00\u2028"])
    data = st.sampled_from([None, 0, 5])
    plain = st.builds(
        Delta,
        st.sampled_from([START, TEXT, THINKING, SIGNATURE, REDACTED, CLOSE, REFUSAL, USAGE, FOREIGN]),
        st.integers(0, 2),
        st.integers(0, 4),
        text,
        st.sampled_from(["", "anthropic_messages", "openai_chat", "summary"]),
        text,
        data,
    )
    tools = st.builds(
        Delta, st.just(TOOL), st.integers(0, 2), st.integers(2, 4), text, st.sampled_from(["f", "g"]),
        st.sampled_from(["", "c"]), st.booleans(),
    )  # fmt: skip
    arguments = st.builds(Delta, st.just(ARGUMENTS), st.integers(0, 2), st.integers(2, 4), st.sampled_from(["1", ""]))
    finishes = st.builds(
        Delta, st.just(FINISH), st.integers(0, 2), st.just(0), text,
        st.sampled_from(["stop", "length", "tool_calls", "refusal", "other", "pause", "error"]), text,
    )  # fmt: skip
    odd = st.sampled_from(
        [
            Delta(CITATION, data=Citation("u")),
            Delta(LOGPROBS, data=(TokenLogprob("a", -1.0),)),
            Delta(MEDIA, data=Audio("A", "wav")),
        ]
    )
    return st.lists(st.one_of(plain, tools, arguments, finishes, odd), max_size=30)


def test_any_deltas_give_a_stream_that_keeps_to_the_grammar(size: Size) -> None:
    """In any order: role first, one reason, calls in their places; and all text is there."""

    @settings(max_examples=size(150, soak=20_000), deadline=None, suppress_health_check=list(HealthCheck),
              database=None)  # fmt: skip
    @given(any_deltas(), st.booleans())
    def examples(given_deltas: list[Delta], asked: bool) -> None:
        chosen = sorted({delta.choice for delta in given_deltas})
        renumbered = {choice: at for at, choice in enumerate(chosen)}
        fed = [Delta(d.kind, renumbered[d.choice], d.key, d.text, d.name, d.id, d.data) for d in given_deltas] + [
            Delta(FINISH, at, name="length") for at in range(len(chosen))
        ]
        data = written(fed, Usage(input=1), stream_options={"include_usage": asked})
        if not chosen:
            assert data == b""
            return
        book = check(data, usage=asked)
        rules = book.rules - {"chat.call_json"}  # pieces are of no JSON here
        assert not rules, (str(book), fed)
        for at in range(len(chosen)):
            for kind, name in ((TEXT, "content"), (THINKING, "reasoning_content"), (REFUSAL, "refusal")):
                said = "".join(delta.text for delta in fed if delta.kind == kind and delta.choice == at)
                assert "".join(delta.get(name) or "" for delta in deltas(data, at)) == said

    examples()
