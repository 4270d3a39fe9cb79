"""A whole answer as the stream that its provider would have sent for it, in pieces of chance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any


def pieces(text: str, chance: Random) -> list[str]:
    """A text in pieces; none of "" but the text itself."""
    found, at = [], 0
    while at < len(text):
        size = chance.randint(1, max(2, len(text) // 3))
        found.append(text[at : at + size])
        at += size
    return found


_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")


def chat(value: dict[str, Any], chance: Random) -> list[Any]:
    """Chunks: texts first, then the calls, which take turns."""
    head = {name: value[name] for name in ("id", "created", "model", "system_fingerprint") if name in value}
    found: list[Any] = []

    def say(index: int, delta: dict[str, Any], **more: Any) -> None:
        found.append({**head, "object": "chat.completion.chunk", "choices": [{"index": index, "delta": delta, **more}]})

    for at, choice in enumerate(value["choices"]):
        index = choice.get("index", at)
        message = dict(choice.get("message") or {})
        calls = message.pop("tool_calls", None) or []
        say(index, {"role": "assistant", "content": ""})
        # Thoughts under two names, or in details too, come together.
        together = {name: message.pop(name) for name in _THOUGHTS if message.get(name)}
        for name in (*together, "content", "refusal") if len(together) == 1 else ("content", "refusal"):
            text = together.get(name, message.get(name))
            for piece in pieces(text, chance) if isinstance(text, str) else (text,) if text else ():
                say(index, {name: piece})
            message.pop(name, None)
        if len(together) > 1:
            say(index, together)
        if message := {name: held for name, held in message.items() if held is not None and name != "role"}:
            say(index, message)
        _chat_calls(calls, index, say, chance)
        if choice.get("logprobs"):
            say(index, {}, logprobs=choice["logprobs"])
        rest = {name: held for name, held in choice.items() if name not in ("index", "message", "logprobs", "delta")}
        say(index, {}, **rest)
    beside = {name: value[name] for name in ("citations", "search_results", "x_groq") if value.get(name)}
    found.append({**head, "choices": [], "usage": value.get("usage"), **beside})
    return [*found, "[DONE]"]


def _chat_calls(calls: list[Any], index: int, say: Any, chance: Random) -> None:
    rest: list[tuple[int, str, list[str]]] = []
    for at, call in enumerate(calls):
        kind = "custom" if call.get("custom") else "function"
        field = "input" if kind == "custom" else "arguments"
        inner = dict(call.get(kind) or {})
        said = inner.pop(field, None)
        if not isinstance(said, str):
            say(index, {"tool_calls": [{**call, "index": at}]})
            continue
        say(index, {"tool_calls": [{**call, "index": at, kind: {**inner, field: ""}}]})
        rest.append((at, kind, pieces(said, chance)))
    while rest := [one for one in rest if one[2]]:
        at, kind, left = chance.choice(rest)
        field = "input" if kind == "custom" else "arguments"
        say(index, {"tool_calls": [{"index": at, kind: {field: left.pop(0)}}]})


def messages(value: dict[str, Any], chance: Random) -> list[Any]:
    """Events; blocks one after the other."""
    beginning = {**value, "content": [], "stop_reason": None, "stop_sequence": None}
    found: list[Any] = [{"type": "message_start", "message": beginning}]

    def more(at: int, kind: str, **fields: Any) -> None:
        found.append({"type": "content_block_delta", "index": at, "delta": {"type": kind, **fields}})

    for at, block in enumerate(value["content"]):
        kind = block["type"]
        empty = {
            "text": {**block, "text": "", "citations": None},
            "thinking": {**block, "thinking": "", "signature": ""},
            "tool_use": {**block, "input": {}},
        }.get(kind, block)
        found.append({"type": "content_block_start", "index": at, "content_block": empty})
        if kind == "text":
            for citation in block.get("citations") or ():
                more(at, "citations_delta", citation=citation)
            for piece in pieces(block["text"], chance):
                more(at, "text_delta", text=piece)
        elif kind == "thinking":
            for piece in pieces(block["thinking"], chance):
                more(at, "thinking_delta", thinking=piece)
            more(at, "signature_delta", signature=block.get("signature") or "")
        elif kind == "tool_use":
            more(at, "input_json_delta", partial_json="")
            for piece in pieces(json.dumps(block["input"]), chance) if block["input"] else ():
                more(at, "input_json_delta", partial_json=piece)
        found.append({"type": "content_block_stop", "index": at})
    stop = {name: value.get(name) for name in ("stop_reason", "stop_sequence", "stop_details")}
    found.append({"type": "message_delta", "delta": stop, "usage": value.get("usage") or {}})
    return [*found, {"type": "message_stop"}]


def generate(value: dict[str, Any], chance: Random) -> list[Any]:
    """A part an event; texts in pieces, of which the last has what stands beside the text."""
    found: list[Any] = []
    head = {name: value[name] for name in ("responseId", "modelVersion") if name in value}
    if not value.get("candidates"):
        return [value]
    for at, candidate in enumerate(value["candidates"]):
        index = candidate.get("index", at)
        for part in (candidate.get("content") or {}).get("parts") or ():
            for piece in _parts(part, chance):
                said = {"index": index, "content": {"role": "model", "parts": [piece]}}
                found.append({**head, "candidates": [said]})
        last = {name: held for name, held in candidate.items() if name != "content"}
        found.append({**head, "candidates": [{**last, "index": index}]})
    found[-1] = {**value, "candidates": found[-1]["candidates"]}
    return found


def _parts(part: dict[str, Any], chance: Random) -> Iterator[dict[str, Any]]:
    text = part.get("text")
    if not isinstance(text, str) or len(text) < 2:
        yield part
        return
    beside = {name: held for name, held in part.items() if name not in ("text", "thoughtSignature")}
    *first, last = pieces(text, chance)
    for piece in first:
        yield {**beside, "text": piece}
    yield {**part, "text": last}


# What items begin with.
_EMPTY: dict[str, dict[str, Any]] = {
    "message": {"content": []},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "reasoning": {"summary": [], "content": []},
}


def responses(value: dict[str, Any], chance: Random) -> list[Any]:
    """Events of items, with all that tells the whole again."""
    bare = {**value, "output": [], "status": "in_progress", "usage": None}
    found: list[Any] = [
        {"type": "response.created", "response": bare},
        {"type": "response.in_progress", "response": bare},
    ]

    def say(kind: str, **fields: Any) -> None:
        found.append({"type": f"response.{kind}", **fields})

    for at, item in enumerate(value.get("output") or ()):
        kind, place = item.get("type"), {"output_index": at, "item_id": item.get("id") or f"it_{at}"}
        say("output_item.added", output_index=at, item={**item, **_EMPTY.get(str(kind), {}), "status": "in_progress"})
        if kind == "message":
            for number, part in enumerate(item.get("content") or ()):
                where = {**place, "content_index": number}
                say("content_part.added", **where, part={**part, "text": "", "annotations": [], "logprobs": []})
                name = "refusal" if part.get("type") == "refusal" else "output_text"
                text = part.get("refusal") or part.get("text") or ""
                for piece in pieces(text, chance):
                    say(f"{name}.delta", **where, delta=piece)
                for annotation in part.get("annotations") or ():
                    say("output_text.annotation.added", **where, annotation=annotation)
                say(f"{name}.done", **where, text=text)
                say("content_part.done", **where, part=part)
        elif kind == "reasoning":
            for number, part in enumerate(item.get("summary") or ()):
                for piece in pieces(part["text"] if isinstance(part, dict) else part, chance):
                    say("reasoning_summary_text.delta", **place, summary_index=number, delta=piece)
            for number, part in enumerate(item.get("content") or ()):
                for piece in pieces(part["text"], chance):
                    say("reasoning_text.delta", **place, content_index=number, delta=piece)
        elif kind == "function_call":
            for piece in pieces(item["arguments"], chance):
                say("function_call_arguments.delta", **place, delta=piece)
            say("function_call_arguments.done", **place, arguments=item["arguments"])
        elif kind == "custom_tool_call":
            for piece in pieces(item["input"], chance):
                say("custom_tool_call_input.delta", **place, delta=piece)
        say("output_item.done", output_index=at, item=item)
    say("incomplete" if value.get("status") == "incomplete" else "completed", response=value)
    return found


def cohere_chat(value: dict[str, Any], chance: Random) -> list[Any]:
    """Events."""
    message = value["message"]
    found: list[Any] = [{"type": "message-start", "id": value.get("id"), "delta": {"message": {"role": "assistant"}}}]

    def say(kind: str, index: int | None, **fields: Any) -> None:
        found.append({"type": kind, "index": index, "delta": {"message": fields}})

    content = message.get("content") or []
    for piece in pieces(message.get("tool_plan") or "", chance):
        say("tool-plan-delta", None, tool_plan=piece)
    for at, block in enumerate(content):
        name = "thinking" if block.get("type") == "thinking" else "text"
        say("content-start", at, content={"type": name, name: ""})
        for piece in pieces(block.get(name) or "", chance):
            say("content-delta", at, content={name: piece})
        found.append({"type": "content-end", "index": at})
    for at, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        say("tool-call-start", at, tool_calls={**call, "function": {**function, "arguments": ""}})
        for piece in pieces(function.get("arguments") or "", chance):
            say("tool-call-delta", at, tool_calls={"function": {"arguments": piece}})
        found.append({"type": "tool-call-end", "index": at})
    for at, citation in enumerate(message.get("citations") or ()):
        say("citation-start", at, citations=citation)
        found.append({"type": "citation-end", "index": at})
    end = {"finish_reason": value.get("finish_reason"), "usage": value.get("usage")}
    return [*found, {"type": "message-end", "delta": end}]


def ollama_chat(value: dict[str, Any], chance: Random) -> list[Any]:
    """Lines."""
    message = value.get("message") or {}
    head = {"model": value.get("model"), "created_at": value.get("created_at"), "done": False}
    found: list[Any] = []
    for name in ("thinking", "content"):
        for piece in pieces(message.get(name) or "", chance):
            found.append({**head, "message": {"role": "assistant", "content": "", name: piece}})
    for call in message.get("tool_calls") or ():
        found.append({**head, "message": {"role": "assistant", "content": "", "tool_calls": [call]}})
    last = {name: held for name, held in value.items() if name != "message"}
    return [*found, {**last, "message": {"role": "assistant", "content": ""}}]


WAYS = {
    "chat": chat, "mistral_chat": chat, "messages": messages, "generate": generate, "responses": responses,
    "cohere_chat": cohere_chat, "ollama_chat": ollama_chat,
}  # fmt: skip
