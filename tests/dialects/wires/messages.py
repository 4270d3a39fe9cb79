"""Anthropic's Messages: the answer is a list of blocks."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.wires.facts import Answer, Facts, count, events, json_of, label

STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}


def whole(body: bytes) -> Facts:
    """A message."""
    value = json.loads(body)
    return Facts([_answer(value.get("content") or (), value.get("stop_reason"))], _usage(value.get("usage")))


def stream(body: bytes) -> Facts:
    """Events."""
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, str] = {}
    usage: dict[str, Any] = {}
    stop, over = "", False
    for event in events(body):
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start":
            usage |= event["message"].get("usage") or {}
        elif kind == "content_block_start":
            blocks[index] = dict(event["content_block"])
        elif kind == "content_block_delta":
            _more(blocks[index], event["delta"], pieces, index)
        elif kind == "message_delta":
            stop = event["delta"].get("stop_reason") or stop
            usage |= {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
        elif kind == "message_stop":
            over = True
            break
        elif kind == "error":
            return Facts(whole=False, failed=True)
    for index, text in pieces.items():
        if text:
            blocks[index]["input"] = json_of(text)
    return Facts([_answer(blocks.values(), stop)], _usage(usage), whole=over and bool(stop))


def _more(block: dict[str, Any], delta: dict[str, Any], pieces: dict[int, str], index: int) -> None:
    if delta["type"] == "input_json_delta":
        pieces[index] = pieces.get(index, "") + delta["partial_json"]
    elif delta["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
    else:
        for name in ("text", "thinking", "signature"):
            if name in delta:
                block[name] = (block.get(name) or "") + delta[name]


def _answer(blocks: Any, stop: Any) -> Answer:
    answer = Answer(finish=STOPS.get(str(stop), "other") if stop else "")
    for block in blocks:
        kind = block["type"]
        if kind == "text":
            answer.text += block["text"]
            for one in block.get("citations") or ():
                title = one.get("title") or one.get("document_title")
                answer.cited |= label(one.get("url") or one.get("source"), title, one.get("cited_text"))
        elif kind == "thinking":
            answer.thinking += block["thinking"]
            answer.signed += bool(block.get("signature"))
        elif kind == "redacted_thinking":
            answer.signed += 1
        elif kind == "tool_use":
            answer.calls.append((block["name"], block.get("input")))
    return answer


def _usage(usage: Any) -> tuple[int, int] | None:
    if not usage:
        return None
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    read, written = sum(count(usage.get(name)) for name in names), count(usage.get("output_tokens"))
    # What compaction took is charged, and stands beside the sums.
    for part in usage.get("iterations") or ():
        if part.get("type") == "compaction":
            beside = _usage(part) or (0, 0)
            read, written = read + beside[0], written + beside[1]
    return read, written
