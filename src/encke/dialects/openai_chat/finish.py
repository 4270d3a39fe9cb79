"""Why an answer ended: this wire's words, and those of servers that translate from others, and the hub's."""

from __future__ import annotations

from typing import Any, Final

from encke.core.chat import Finish

_READ: Final[dict[str, Finish]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "completed": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "incomplete": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "sensitive": "content_filter",
    "repetition": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
    "error": "error",
    "insufficient_system_resource": "error",
    "network_error": "error",
    "abort": "error",
    "cancelled": "error",
}

# OpenAI has five words, and strict callers know no other. What they leave unsaid stands in `native_finish_reason`,
# which is OpenRouter's. An answer that broke is told as one that is cut off: it must not pass for a whole one.
_WRITTEN: Final[dict[Finish, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "error": "length",
    "other": "stop",
}
_UNSAID: Final = frozenset({"refusal", "pause", "error", "other"})


def read_finish(word: str, stop_sequence: str, calls: bool) -> Finish:
    """The hub's word. `calls`: the answer calls tools, which some servers end with "stop"."""
    found = _READ.get(word) or _READ.get(word.lower(), "other")
    if found == "stop" and calls:
        return "tool_calls"
    if found == "stop" and stop_sequence:
        return "stop_sequence"
    return found


def write_finish(finish: Finish, raw: str, stop_sequence: str, *, calls: bool, legacy: bool) -> dict[str, Any]:
    """The fields of a choice. `calls`: there are tool calls; `legacy`: the caller knows functions, and no tools.
    `stop_reason` is vLLM's."""
    word = _WRITTEN[finish]
    if word == "tool_calls" and not calls:
        word = "stop"
    made: dict[str, Any] = {"finish_reason": "function_call" if legacy and word == "tool_calls" else word}
    if finish in _UNSAID and raw:
        made["native_finish_reason"] = raw
    if stop_sequence:
        made["stop_reason"] = stop_sequence
    return made
