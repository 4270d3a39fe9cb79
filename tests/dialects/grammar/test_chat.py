"""The checker of chat completions: good streams, and one stream for each rule that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.grammar.broken import Events, drop, insert, put, rules_of, sse
from tests.dialects.grammar.chat import check


def chunk(
    choice: dict[str, Any] | None, usage: Any = None, finish: str | None = None, index: int = 0
) -> dict[str, Any]:
    """A chunk with one choice, or with none."""
    choices = [] if choice is None else [{"index": index, "delta": choice, "finish_reason": finish, "logprobs": None}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": choices, "usage": usage}


def call(index: int, **inner: Any) -> dict[str, Any]:
    """The beginning of a tool call."""
    return {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": "f", **inner}}


USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
TEXT: Events = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}),
    chunk({"content": "Hello"}),
    chunk({}, finish="stop"),
    chunk(None, USAGE),
    "[DONE]",
]
TOOLS: Events = [
    chunk({"role": "assistant", "content": None, "tool_calls": [call(0, arguments="")]}),
    chunk({"tool_calls": [call(1, arguments='{"a"')]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
    chunk({"tool_calls": [{"index": 1, "function": {"arguments": ":1}"}}]}),
    chunk({}, finish="tool_calls"),
    "[DONE]",
]
TWO: Events = [
    chunk({"role": "assistant", "content": "a"}),
    chunk({"role": "assistant", "content": "b"}, index=1),
    chunk({}, finish="length", index=1),
    chunk({"refusal": "No."}),
    chunk({}, finish="stop"),
    "[DONE]",
]
ERROR = {"error": {"message": "It broke.", "type": "upstream_error", "param": None, "code": "upstream_error"}}
CUSTOM: Events = [
    chunk({"role": "assistant", "tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "f"}}]}),
    chunk({"tool_calls": [{"index": 0, "custom": {"input": "free text"}}]}),
    chunk({}, finish="tool_calls"),
    "[DONE]",
]
BROKEN: dict[str, list[Events]] = {
    "frame.json": [insert(TEXT, 2, "{")],
    "chat.after_end": [[*TEXT, TEXT[2]], [*TEXT, "[DONE]"]],
    "chat.error": [[*TEXT[:3], {"error": "It broke."}], [*TEXT[:3], {**TEXT[2], **ERROR}]],
    "chat.fields": [drop(TEXT, 1, "id")],
    "chat.object": [put(TEXT, 0, "object", "chat.completion")],
    "chat.head": [put(TEXT, 5 - 1, "created", None)],
    "chat.same": [put(TEXT, 1, "id", "other"), put(TEXT, 2, "created", 2)],
    "chat.choices": [put(TEXT, 1, "choices", None)],
    "chat.empty": [insert(TEXT, 1, chunk(None))],
    "chat.index": [
        put(TEXT, 1, "choices.0.index", None),
        [put([e], 0, "choices.0.index", 1)[0] for e in TEXT[:4]] + TEXT[4:],
    ],
    "chat.usage_place": [put(TEXT, 3, "usage", USAGE), insert(TEXT, 3, chunk(None, USAGE))],
    "chat.choice": [drop(TEXT, 2, "choices.0.finish_reason"), drop(TEXT, 2, "choices.0.delta")],
    "chat.after_finish": [insert(TEXT, 4, TEXT[2]), insert(TEXT, 4, TEXT[3])],
    "chat.role_once": [put(TEXT, 2, "choices.0.delta.role", "assistant")],
    "chat.role_first": [drop(TEXT, 0), put(TEXT, 0, "choices.0.delta.role", "user")],
    "chat.text": [put(TEXT, 2, "choices.0.delta.content", ["Hello"])],
    "chat.reasoning_details": [put(TEXT, 1, "choices.0.delta.reasoning_details", [{"text": "Hm."}])],
    "chat.logprobs": [put(TEXT, 2, "choices.0.logprobs", {"content": [{"token": "a"}]})],
    "chat.finish_word": [put(TEXT, 3, "choices.0.finish_reason", "end_turn")],
    "chat.finish_calls": [put(TEXT, 3, "choices.0.finish_reason", "tool_calls")],
    "chat.call_index": [
        put(TOOLS, 1, "choices.0.delta.tool_calls.0.index", 2),
        put(TOOLS, 2, "choices.0.delta.tool_calls.0.index", None),
    ],
    "chat.call": [drop(TOOLS, 2, "choices.0.delta.tool_calls.0.function")],
    "chat.call_arguments": [put(TOOLS, 2, "choices.0.delta.tool_calls.0.function.arguments", {})],
    "chat.call_once": [put(TOOLS, 2, "choices.0.delta.tool_calls.0.id", "call_0")],
    "chat.call_begin": [
        drop(TOOLS, 0, "choices.0.delta.tool_calls.0.id"),
        put(TOOLS, 0, "choices.0.delta.tool_calls.0.type", 1),
    ],
    "chat.call_json": [drop(TOOLS, 3)],
    "chat.no_end": [TEXT[:-1]],
    "chat.no_choice": [["[DONE]"]],
    "chat.no_finish": [drop(TEXT, 3)],
    "chat.usage": [put(TEXT, 4, "usage", {"prompt_tokens": 1})],
    "chat.usage_sum": [
        put(TEXT, 4, "usage.total_tokens", 8),
        put(TEXT, 4, "usage.prompt_tokens_details.cached_tokens", 9),
    ],
}


@pytest.mark.parametrize("events", [TEXT, TOOLS, TWO, CUSTOM])
def test_good_streams_are_taken(events: Events) -> None:
    """Text, parallel tool calls in turns, several choices, custom tools."""
    book = check(sse(events))
    assert not book.breaches and book.end == "whole"


def test_a_failure_is_an_end() -> None:
    """An error as the last word; the choice need not have finished."""
    book = check(sse([*TEXT[:3], ERROR]))
    assert not book.breaches and book.end == "error"


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_stream_is_found(rule: str) -> None:
    """Each rule has streams that break it."""
    for events in BROKEN[rule]:
        assert rule in check(sse(events)).rules, events


def test_what_was_asked_for_is_there() -> None:
    """Usage if it was asked for and not else; as many choices as were asked for; no name for events."""
    assert check(sse(TEXT), usage=False).rules == {"chat.usage_unasked"}
    assert check(sse(TOOLS), usage=True).rules == {"chat.no_usage"}
    assert not check(sse(TWO), choices=2).rules
    assert check(sse(TEXT), choices=2).rules == {"chat.index"}
    assert check(b"event: message\n" + sse(TEXT)).rules == {"chat.event_name"}


def test_every_rule_is_tested() -> None:
    """No rule without a stream that breaks it."""
    assert rules_of("chat") == set(BROKEN) - {"frame.json"} | {"chat.usage_unasked", "chat.no_usage", "chat.event_name"}
