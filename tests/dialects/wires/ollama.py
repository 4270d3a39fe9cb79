"""Ollama's own chat: one JSON value, or one a line."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.wires.facts import Answer, Facts, count, json_lines, likely

FINISHES = {"stop": "stop", "length": "length"}


def whole(body: bytes) -> Facts:
    """An answer."""
    return read([json.loads(body)])


def stream(body: bytes) -> Facts:
    """Lines."""
    return read(json_lines(body))


def read(lines: list[Any]) -> Facts:
    """Lines, of which a whole answer has one."""
    answer = Answer()
    facts = Facts([answer], whole=False)
    for line in lines:
        if line.get("error"):
            facts.failed = True
            break
        message = line.get("message") or {}
        answer.text += message.get("content") or ""
        answer.thinking += message.get("thinking") or ""
        for call in message.get("tool_calls") or ():
            answer.calls.append((call["function"]["name"], call["function"].get("arguments") or {}))
        answer.logprobs += likely(line.get("logprobs"))
        if line.get("done"):
            answer.finish = FINISHES.get(str(line.get("done_reason")), "other") if line.get("done_reason") else ""
            facts.whole = bool(answer.finish)
            if "prompt_eval_count" in line or "eval_count" in line:
                facts.usage = count(line.get("prompt_eval_count")), count(line.get("eval_count"))
    if answer.finish == "stop" and answer.calls:
        answer.finish = "tool_calls"
    return facts
