"""Responses: the answer is a list of items."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.wires.facts import Answer, Facts, count, events, json_of, label, likely

# Some recordings do not tell it, or not so.
_WHOLE = ("completed", "complete", None)
REASONS = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}


def whole(body: bytes) -> Facts:
    """A response."""
    return read(json.loads(body))


def read(response: dict[str, Any]) -> Facts:
    """A response that ended."""
    answer = Answer()
    for item in response.get("output") or ():
        _item(answer, item)
    status = response.get("status")
    if status == "incomplete":
        answer.finish = REASONS.get(str((response.get("incomplete_details") or {}).get("reason")), "other")
    elif status == "failed":
        answer.finish = "error"
    elif status in _WHOLE:
        answer.finish = "tool_calls" if answer.calls else "refusal" if answer.refusal else "stop"
    usage = response.get("usage")
    told = (count(usage.get("input_tokens")), count(usage.get("output_tokens"))) if usage else None
    return Facts(
        [answer], told, whole=status in (*_WHOLE, "incomplete") and "output" in response, failed=status == "failed"
    )


def _item(answer: Answer, item: dict[str, Any]) -> None:
    kind = item.get("type")
    if kind == "message":
        for part in item.get("content") or ():
            answer.text += part.get("text") or ""
            answer.refusal += part.get("refusal") or ""
            for one in part.get("annotations") or ():
                answer.cited |= label(one.get("url"), one.get("filename"))
            answer.logprobs += likely(part.get("logprobs"))
    elif kind == "reasoning":
        for part in [*(item.get("summary") or ()), *(item.get("content") or ())]:
            answer.thinking += part.get("text") or ""
        answer.signed += bool(item.get("encrypted_content"))
    elif kind in ("function_call", "custom_tool_call"):
        answer.calls.append((item["name"], json_of(item.get("input", item.get("arguments")))))
    elif kind == "image_generation_call":
        answer.media += bool(item.get("result"))


def stream(body: bytes) -> Facts:
    """Events: the last one has the whole response; without it, what the items were that were done. Of texts the deltas
    count, which are what a caller has seen."""
    done: list[dict[str, Any]] = []
    seen = Answer()
    for event in events(body):
        kind = event.get("type") if isinstance(event, dict) else None
        if kind == "response.output_text.delta":
            seen.text += event["delta"]
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            seen.thinking += event["delta"]
        elif kind == "response.output_item.done":
            done.append(event["item"])
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            response = event["response"]
            facts = read({**response, "output": response.get("output") or done})
            facts.answers[0].text = seen.text or facts.answers[0].text
            facts.answers[0].thinking = seen.thinking or facts.answers[0].thinking
            return facts
        elif kind == "error":
            return Facts(whole=False, failed=True)
    return Facts(read({"output": done}).answers, whole=False)
