"""The checker of streamGenerateContent: good streams, and one stream for each rule that breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialects.grammar.broken import Events, drop, insert, put, rules_of, sse
from tests.dialects.grammar.generate import check, check_array


def chunk(*parts: Any, finish: str | None = None, written: int = 0, index: int = 0) -> dict[str, Any]:
    """A chunk with one candidate."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 3, "totalTokenCount": 3 + written}
    if written:
        usage["candidatesTokenCount"] = written
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}


TEXT: Events = [
    chunk({"text": "Hm.", "thought": True}, written=1),
    chunk({"text": "Hello"}, written=2),
    chunk({"text": "", "thoughtSignature": "YWJj"}, finish="STOP", written=4),
]
TOOLS: Events = [
    chunk({"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}, "thoughtSignature": "YWJj"}),
    chunk({"functionCall": {"name": "g"}}, {"inlineData": {"mimeType": "image/png", "data": "YWJj"}}, finish="STOP"),
]
BLOCKED: Events = [{"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m", "responseId": "r"}]
ERROR = {"error": {"code": 503, "message": "It broke.", "status": "UNAVAILABLE"}}
_PART = "candidates.0.content.parts.0"
BROKEN: dict[str, list[Events]] = {
    "frame.json": [insert(TEXT, 1, "[DONE]")],
    "generate.after_error": [[*TEXT[:1], ERROR, TEXT[2]], [ERROR, ERROR]],
    "generate.error": [[drop([ERROR], 0, "error.status")[0]], [{**TEXT[0], **ERROR}]],
    "generate.fields": [put(TEXT, 1, "choices", [])],
    "generate.head": [drop(TEXT, 1, "responseId"), put(TEXT, 1, "modelVersion", "")],
    "generate.same": [put(TEXT, 1, "responseId", "other")],
    "generate.block_word": [put(BLOCKED, 0, "promptFeedback.blockReason", "BAD")],
    "generate.index": [
        put(TEXT, 1, "candidates.0.index", "0"),
        [put([e], 0, "candidates.0.index", 1)[0] for e in TEXT],
    ],
    "generate.after_finish": [[*TEXT, TEXT[2]], [*TEXT, TEXT[1]]],
    "generate.role": [put(TEXT, 1, "candidates.0.content.role", "assistant")],
    "generate.empty": [put(TEXT, 1, "candidates.0.content.parts", [])],
    "generate.finish_word": [put(TEXT, 2, "candidates.0.finishReason", "stop")],
    "generate.part": [put(TEXT, 1, _PART, {}), put(TEXT, 1, _PART + ".functionCall", {"name": "f"})],
    "generate.text": [put(TEXT, 1, _PART + ".text", None)],
    "generate.thought": [put(TEXT, 0, _PART + ".thought", "yes")],
    "generate.call": [put(TOOLS, 0, _PART + ".functionCall.args", "{}"), drop(TOOLS, 0, _PART + ".functionCall.name")],
    "generate.call_id": [
        put(TOOLS, 1, _PART + ".functionCall.id", "c1"),
        put(TOOLS, 1, _PART + ".functionCall.id", ""),
    ],
    "generate.blob": [drop(TOOLS, 1, "candidates.0.content.parts.1.inlineData.mimeType")],
    "generate.signature": [put(TEXT, 2, _PART + ".thoughtSignature", "a!")],
    "generate.usage": [put(TEXT, 2, "usageMetadata", 1), put(TEXT, 2, "usageMetadata.promptTokenCount", "3")],
    "generate.usage_sum": [
        put(TEXT, 2, "usageMetadata.totalTokenCount", 5),
        put(TEXT, 2, "usageMetadata.cachedContentTokenCount", 4),
    ],
    "generate.usage_shrinks": [
        put(put(TEXT, 2, "usageMetadata.promptTokenCount", 0), 2, "usageMetadata.totalTokenCount", 4)
    ],
    "generate.no_end": [TEXT[:-1], []],
}


@pytest.mark.parametrize("events", [TEXT, TOOLS, BLOCKED])
def test_good_streams_are_taken_in_both_forms(events: Events) -> None:
    """Text, tools, a blocked prompt; as events, with either end of line, and as an array."""
    assert check(sse(events)).end == "whole" and not check(sse(events)).breaches
    assert not check(sse(events).replace(b"\n", b"\r\n"), crlf=True).breaches
    assert check_array(json.dumps(events).encode()).end == "whole"


def test_a_failure_is_an_end() -> None:
    """In both forms."""
    for book in (check(sse([*TEXT[:2], ERROR])), check_array(json.dumps([*TEXT[:2], ERROR]).encode())):
        assert not book.breaches and book.end == "error"


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_stream_is_found(rule: str) -> None:
    """Each rule has streams that break it, in both forms."""
    for events in BROKEN[rule]:
        assert rule in check(sse(events)).rules, events
        assert rule in check_array(json.dumps(events).encode()).rules


def test_what_breaks_only_one_form() -> None:
    """Names of events and comments, which Google's SDKs fail on; an array that is none."""
    assert check(b"event: x\n" + sse(TEXT)).rules == {"generate.event_name"}
    assert check(b": hm\n\n" + sse(TEXT)).rules == {"frame.comment"}
    assert check_array(b"{}").rules >= {"generate.array"}
    assert check_array(json.dumps(TEXT).encode()[:-1]).rules == {"generate.array"}


def test_every_rule_is_tested() -> None:
    """No rule without a stream that breaks it."""
    alone = {"generate.event_name", "generate.array"}
    assert rules_of("generate") == set(BROKEN) - {"frame.json"} | alone
