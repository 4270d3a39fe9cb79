"""Cohere's chat, version 2."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.wires.facts import Answer, Facts, count, events, json_of, label, likely

FINISHES = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
    "TIMEOUT": "error",
    "ERROR_TOXIC": "content_filter",
    "ERROR_LIMIT": "length",
}


def whole(body: bytes) -> Facts:
    """An answer."""
    value = json.loads(body)
    message = value.get("message") or {}
    answer = Answer(finish=FINISHES.get(str(value.get("finish_reason")), "other"))
    for part in message.get("content") or ():
        answer.text += part.get("text") or ""
        answer.thinking += part.get("thinking") or ""
    # The plan is what the model says beside its calls.
    answer.text = (message.get("tool_plan") or "") + answer.text
    answer.calls = [
        (call["function"]["name"], json_of(call["function"].get("arguments")))
        for call in message.get("tool_calls") or ()
    ]
    for one in message.get("citations") or ():
        answer.cited |= _sources(one)
    answer.logprobs = _likely(value.get("logprobs"))
    return Facts([answer], _usage(value.get("usage")))


def stream(body: bytes) -> Facts:
    """Events."""
    answer, calls = Answer(), dict[int, list[str]]()
    facts = Facts([answer], whole=False)
    for event in events(body):
        if not isinstance(event, dict):
            continue
        delta = event.get("delta") or {}
        message = delta.get("message") or {}
        kind = event.get("type")
        if kind in ("content-start", "content-delta"):
            content = message.get("content") or {}
            answer.text += content.get("text") or ""
            answer.thinking += content.get("thinking") or ""
            answer.logprobs += _likely([event["logprobs"]] if event.get("logprobs") else ())
        elif kind == "tool-plan-delta":
            answer.text += message.get("tool_plan") or ""
        elif kind in ("tool-call-start", "tool-call-delta"):
            function = message["tool_calls"]["function"]
            call = calls.setdefault(event.get("index", 0), ["", ""])
            call[0] += function.get("name") or ""
            call[1] += function.get("arguments") or ""
        elif kind == "citation-start":
            answer.cited |= _sources(message.get("citations") or {})
        elif kind == "message-end":
            answer.finish = FINISHES.get(str(delta.get("finish_reason")), "other")
            facts.whole = bool(delta.get("finish_reason"))
            facts.failed = bool(delta.get("error"))
            facts.usage = _usage(delta.get("usage"))
    answer.calls = [(name, json_of(text)) for name, text in calls.values()]
    return facts


def _sources(citation: dict[str, Any]) -> set[str]:
    """What a citation names. (Citations of thoughts are of what is not shown.)"""
    found: set[str] = set()
    if citation.get("type") != "THINKING_CONTENT":
        for source in citation.get("sources") or ():
            document = source.get("document") or source.get("tool_output") or {}
            quote = next((document[name] for name in ("snippet", "text", "content", "output") if name in document), "")
            found |= label(document.get("url"), document.get("title") or source.get("id"), quote)
    return found


def _likely(tokens: Any) -> list[tuple[str, float]]:
    return likely([{"token": one.get("text"), "logprob": sum(one.get("logprobs") or ())} for one in tokens or ()])


def _usage(usage: Any) -> tuple[int, int] | None:
    # What is billed: `tokens` has Cohere's own preamble in it.
    told = (usage or {}).get("billed_units") or (usage or {}).get("tokens")
    return (count(told.get("input_tokens")), count(told.get("output_tokens"))) if told else None
