"""Whole answers of providers into the hub, and from it to callers of this wire."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from encke.core.chat import (
    Audio,
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
)
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_chat.client import OpenAIClient
from encke.dialects.openai_chat.reply import MAX_CHOICES, read_reply
from tests.conftest import Size
from tests.dialects.openai_chat.test_reader import values

ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
CLIENT = OpenAIClient("chat")


def read(message: dict[str, Any], finish: Any = "stop", **fields: Any) -> Choice:
    """The only choice of an answer."""
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish, **fields}]}
    return read_reply(json.dumps(body).encode(), ASKED, "0192-7e").choices[0]


def rendered(*choices: Choice, reply: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The body that a caller gets whose request has these fields."""
    asked = {"model": "asked", "messages": [{"role": "user", "content": "Hi"}], **fields}
    request = CLIENT.read(json.dumps(asked).encode(), "", {})
    made = CLIENT.render_reply(ChatReply(choices=choices, **(reply or {})), request, "0192-7e", 7)
    return dict(json.loads(made))


def test_content_thoughts_calls_and_all_that_a_message_may_hold() -> None:
    """In the hub's order, whatever the wire's."""
    found = read(
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "m", "input": "4 + 4"}},
                {"id": "c3", "type": "function", "custom": {"name": "", "input": ""},
                 "function": {"name": "g", "arguments": {"a": 1}},
                 "extra_content": {"google": {"thought_signature": "s"}}},
            ],
            "reasoning_content": "hm",
            "content": "Well",
            "annotations": [
                {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 1, "end_index": 3}},
                {"type": "url_citation", "url": "v", "title": "w", "summary": "q"},
                {"type": "file", "file": {"name": "x"}},
            ],
            "images": [{"type": "image_url", "image_url": {"url": "https://x"}}],
            "refusal": "No.",
        },
        "tool_calls",
    )  # fmt: skip
    assert found.parts == (
        Thinking("hm"),
        Text("Well", citations=(Citation("u", "t", "", 1, 3), Citation("v", "w", "q"))),
        Refusal("No."),
        Image(url="https://x"),
        ToolCall("c1", "f", "{}"),
        ToolCall("c2", "m", "4 + 4", custom=True),
        ToolCall("c3", "g", '{"a": 1}', signature="s", origin="openai_chat"),
    )
    assert (found.finish, found.finish_raw) == ("tool_calls", "tool_calls")


def test_openrouters_details_keep_what_has_to_go_back() -> None:
    """The entry without its text is the signature; text that stands only in `reasoning` is the first thought's."""
    details = [
        {"type": "reasoning.summary", "summary": "so", "format": "openai-responses-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "xx", "id": "rs", "format": "openai-responses-v1", "index": 0},
    ]
    (thought,) = read({"content": None, "reasoning": "so", "reasoning_details": details}).parts
    assert isinstance(thought, Thinking) and thought.summary and thought.text == "so" and thought.id == "rs"
    assert json.loads(thought.signature) == details[1] and thought.origin == "openai_chat"
    details = [{"type": "reasoning.text", "signature": "s", "format": "google-gemini-v1", "index": 0}]
    (thought,) = read({"content": None, "reasoning": "hm", "reasoning_details": details}).parts
    assert isinstance(thought, Thinking) and thought.text == "hm" and json.loads(thought.signature) == details[0]


def test_ends_logprobs_usage_and_what_stands_beside() -> None:
    """Several choices in the order of their indexes; Perplexity's sources; no reason is none."""
    token = {"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    body = {
        "id": "x", "created": 5, "model": "up", "service_tier": "flex", "system_fingerprint": "fp",
        "citations": ["https://a"],
        "choices": [
            {"index": 1, "message": {"content": "b"}, "finish_reason": "stop", "stop_reason": "END"},
            {"index": 0, "message": {"content": "a"}, "finish_reason": None, "logprobs": {"content": [token]}},
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }  # fmt: skip
    assert read_reply(json.dumps(body).encode(), ASKED, "c") == ChatReply(
        choices=(
            Choice((Text("a", citations=(Citation("https://a"),)),), logprobs=(TokenLogprob("a", -0.5),)),
            Choice((Text("b", citations=(Citation("https://a"),)),), "stop_sequence", "stop", "END"),
        ),
        id="x", created=5, model="up", service_tier="flex", fingerprint="fp", usage=Usage(input=3, output=2),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "finish"),
    [("end_turn", "stop"), ("max_tokens", "length"), ("function_call", "tool_calls"), ("SAFETY", "content_filter"),
     ("something", "other"), ("error", "error")],
)  # fmt: skip
def test_words_for_the_end(word: str, finish: str) -> None:
    """Those of this wire, and of servers that translate from others."""
    found = read({"content": "a"}, word)
    assert (found.finish, found.finish_raw) == (finish, word)


def test_the_older_call_and_calls_without_ids() -> None:
    """Ids of the gateway's own, one for each."""
    found = read({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call")
    assert found.parts == (ToolCall("call_01927e_1", "f", "{}"),) and found.finish == "tool_calls"
    found = read({"content": "4", "function_call": {"name": "", "arguments": ""}})
    assert found.parts == (Text("4"),) and found.finish == "stop"
    found = read({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}] * 2})
    assert [part.id for part in found.parts if isinstance(part, ToolCall)] == ["call_01927e_1", "call_01927e_2"]


def test_sound_has_the_form_that_was_asked_for() -> None:
    """An answer does not repeat it."""
    asked = msgspec.structs.replace(ASKED, extra={"audio": b'{"format":"mp3"}'})
    body = {"choices": [{"message": {"audio": {"id": "a", "data": "QUJD", "transcript": "hi", "expires_at": 9}}}]}
    (choice,) = read_reply(json.dumps(body).encode(), asked, "c").choices
    assert choice.parts == (Audio("QUJD", "mp3", "a", "hi", 9),)


def test_too_many_choices() -> None:
    """A bound, as in streams."""
    body: dict[str, Any] = {"choices": [{}] * (MAX_CHOICES + 1)}
    with pytest.raises(Fault, match="choices"):
        read_reply(json.dumps(body).encode(), ASKED, "c")


def test_nothing_but_faults_comes_out_of_anything(size: Size) -> None:
    """Answers of any shape."""

    @settings(
        max_examples=size(150, soak=20_000), deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(values, values)
    def examples(body: Any, message: Any) -> None:
        for one in (body, {"choices": [{"message": message, "finish_reason": "stop"}]}):
            try:
                read_reply(json.dumps(one).encode(), ASKED, "c")
            except Fault:
                pass

    examples()


def test_an_answer_for_a_caller() -> None:
    """What is told, and what is made where it was not."""
    token = TokenLogprob("a", -0.5, (97,))
    made = rendered(
        Choice((Text("Well"),), "stop", "end_turn", logprobs=(token,)),
        reply={"usage": Usage(input=3, output=2), "model": "up", "created": 5, "service_tier": "flex"},
    )
    assert made["id"] == "chatcmpl-0192-7e" and made["object"] == "chat.completion"
    assert (made["model"], made["created"], made["service_tier"]) == ("up", 5, "flex")
    assert made["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Well", "refusal": None},
            "logprobs": {
                "content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}],
                "refusal": None,
            },
            "finish_reason": "stop",
        }
    ]
    assert made["usage"]["total_tokens"] == 5
    made = rendered(Choice((), None))
    assert (made["model"], made["created"]) == ("asked", 7)
    assert made["choices"][0]["message"]["content"] == "" and made["choices"][0]["finish_reason"] is None


def test_parts_for_a_caller() -> None:
    """Each in the place that callers know; arguments are always JSON."""
    made = rendered(
        Choice(
            (
                Thinking("hm", "s", "anthropic_messages"),
                Thinking("", "xx", "anthropic_messages", redacted=True),
                Text("one"),
                Text("two", citations=(Citation("u", "t", "q", 0, 3),), signature="gs", origin="google_generate"),
                Image(data="QUJD", media_type="image/png"),
                Audio("QUJD", "mp3", "a", "hi", 9),
                ToolCall("c", "f", ""),
                ToolCall("d", "m", "free", custom=True),
                ToolCall("e", "g", "{}", signature="cs", origin="google_generate"),
            ),
            "tool_calls",
            "tool_use",
        )
    )
    message = made["choices"][0]["message"]
    assert message["content"] == "onetwo" and message["reasoning_content"] == "hm"
    assert [entry["format"] for entry in message["reasoning_details"]] == ["anthropic-claude-v1"] * 2
    assert message["annotations"][0]["url_citation"] == {
        "start_index": 3, "end_index": 6, "url": "u", "title": "t", "content": "q",
    }  # fmt: skip
    assert message["extra_content"] == {"google": {"thought_signature": "gs"}}
    assert message["images"][0]["image_url"]["url"] == "data:image/png;base64,QUJD"
    assert message["audio"] == {"id": "a", "data": "QUJD", "transcript": "hi", "expires_at": 9}
    assert message["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "d", "type": "custom", "custom": {"name": "m", "input": "free"}},
        {"id": "e", "type": "function", "function": {"name": "g", "arguments": "{}"},
         "extra_content": {"google": {"thought_signature": "cs"}}},
    ]  # fmt: skip
    assert "native_finish_reason" not in made["choices"][0]


def test_a_refusal_and_calls_in_the_older_way() -> None:
    """Content is null where there is only a refusal, or a call."""
    made = rendered(Choice((Refusal("No."),), "refusal", "refusal"))["choices"][0]
    assert made["message"] == {"role": "assistant", "content": None, "refusal": "No."}
    assert (made["finish_reason"], made["native_finish_reason"]) == ("content_filter", "refusal")
    made = rendered(Choice((ToolCall("c", "f", "{}"),), "tool_calls"), functions=[{"name": "f"}])["choices"][0]
    assert made["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert made["finish_reason"] == "function_call" and "tool_calls" not in made["message"]
    made = rendered(Choice((Thinking("hm"), Text("a")), "stop"), reasoning={"exclude": True})["choices"][0]
    assert set(made["message"]) == {"role", "content", "refusal"}


@pytest.mark.parametrize(
    "usage",
    [
        Usage(),
        Usage(input=1, cache_read=2, output=3, reasoning=4),
        Usage(input=1, cache_write_5m=2, output=3),
        Usage(input=1, cache_write_5m=2, cache_write_1h=5, output=3),
        Usage(input=1, audio_input=2, image_input=3, output=4, audio_output=5, image_output=6),
    ],
)
def test_usage_that_is_read_again_has_the_same_buckets(usage: Usage) -> None:
    """Through a caller's body and back."""
    body = rendered(Choice((Text("a"),), "stop"), reply={"usage": usage})
    assert read_reply(json.dumps(body).encode(), ASKED, "c").usage == usage


def test_an_answer_that_comes_back_as_a_message_is_the_same_again() -> None:
    """Thoughts with signatures of all dialects, calls, text: through a caller and back."""
    parts: tuple[Part, ...] = (
        Thinking("hm", "s", "anthropic_messages"),
        Thinking("", "xx", "anthropic_messages", redacted=True),
        Thinking("so", "ee", "openai_responses", summary=True, id="rs"),
        Thinking("", "ff", "openai_responses", redacted=True, id="rt"),
        Thinking("plain"),
        Thinking("g", "gg", "google_generate"),
        Thinking("c", "cc", "cohere_chat"),
        Text("Well"),
        ToolCall("c", "f", "{}", signature="cs", origin="google_generate"),
        ToolCall("d", "f", "{}", signature="ds", origin="ollama_chat"),
    )
    message = rendered(Choice(parts, "tool_calls"))["choices"][0]["message"]
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}, message]}
    again = CLIENT.to_hub(CLIENT.read(json.dumps(asked).encode(), "", {}))
    assert isinstance(again, ChatRequest) and again.messages[1].parts == parts
