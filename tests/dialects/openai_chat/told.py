"""What an answer of this wire says, read from the recording by nothing of the gateway: the oracle of the tests here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

FINISHES = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


class Told(NamedTuple):
    """One choice: text, thoughts, tool calls (name, arguments as JSON), and why it ended."""

    text: str
    thought: str
    calls: tuple[tuple[str, str], ...]
    finish: str | None


def arguments(text: Any) -> str:
    """Arguments, so that equal JSON is equal text."""
    if not isinstance(text, str):
        return json.dumps(text, sort_keys=True)
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def events(body: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream's events, up to its end mark."""
    for line in body.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            data = line[5:].strip()
            if data.startswith("[DONE]"):
                return
            try:
                value = json.loads(data)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def _content(content: Any) -> tuple[str, str]:
    if isinstance(content, str):
        return content, ""
    text = thought = ""
    for part in content or ():
        if part.get("type") == "thinking":
            inner = part["thinking"]
            thought += inner if isinstance(inner, str) else "".join(one.get("text", "") for one in inner)
        else:
            text += part.get("text") or ""
    return text, thought


def _plain(message: dict[str, Any]) -> str:
    return message.get("reasoning_content") or message.get("reasoning") or ""


def _detailed(message: dict[str, Any]) -> str:
    details = message.get("reasoning_details") or ()
    return "".join(one.get("text") or one.get("summary") or "" for one in details)


def _finish(word: str | None, calls: bool) -> str | None:
    if not word:
        return None
    found = FINISHES.get(word, "other")
    return "tool_calls" if calls and found == "stop" else found


def whole(choice: dict[str, Any]) -> Told:
    """A choice of a whole answer."""
    message = choice.get("message") or {}
    text, thought = _content(message.get("content"))
    calls = []
    if (message.get("function_call") or {}).get("name"):
        calls.append(message["function_call"])
    for call in message.get("tool_calls") or ():
        custom = call.get("custom") or {}
        calls.append({"name": custom["name"], "arguments": custom["input"]} if custom.get("name") else call["function"])
    named = tuple((call["name"], arguments(call.get("arguments") or "")) for call in calls)
    return Told(
        text,
        (_plain(message) or _detailed(message)) + thought,
        named,
        _finish(choice.get("finish_reason"), bool(named)),
    )


def streamed(body: str) -> dict[int, Told]:
    """The choices of a stream, by index."""
    texts: dict[int, str] = {}
    thoughts: dict[int, str] = {}
    details: dict[int, str] = {}
    calls: dict[int, list[dict[str, Any]]] = {}
    words: dict[int, str | None] = {}
    for event in events(body):
        for choice in event.get("choices") or ():
            index = choice.get("index", 0)
            words[index] = choice.get("finish_reason") or words.get(index)
            delta = choice.get("delta") or {}
            text, thought = _content(delta.get("content"))
            texts[index] = texts.get(index, "") + text
            thoughts[index] = thoughts.get(index, "") + _plain(delta) + thought
            details[index] = details.get(index, "") + _detailed(delta)
            mine = calls.setdefault(index, [])
            if delta.get("function_call"):
                _piece(mine, {"index": "function", "function": delta["function_call"]})
            for piece in delta.get("tool_calls") or ():
                _piece(mine, piece)
    return {
        index: Told(
            texts[index],
            thoughts[index] or details[index],
            tuple((call["name"], arguments(call["arguments"])) for call in calls[index]),
            _finish(word, bool(calls[index])),
        )
        for index, word in words.items()
    }


def _piece(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    function = piece.get("function") or {}
    at = piece.get("index")
    found = next((call for call in calls if call["index"] == at), None) if at is not None else None
    if found is None:
        found = {"index": at, "name": "", "arguments": ""}
        calls.append(found)
    found["name"] = found["name"] or function.get("name") or ""
    found["arguments"] += function.get("arguments") or ""
