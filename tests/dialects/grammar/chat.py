"""A stream of chat completions: `CreateChatCompletionStreamResponse` of OpenAI's OpenAPI document, and its guide on
streaming; `reasoning_content` as DeepSeek documents it, `reasoning_details` as OpenRouter does.

Checked: object, id, created and model are the same in all chunks; a choice begins with its role and tells it once; one
finish_reason per choice and nothing of the choice after it; tool calls are counted from 0, begin with id, type and name
and tell them once; where usage stands, and that it adds up; `[DONE]` is the last word, or an error is.
"""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.grammar.book import Book, is_count, is_name
from tests.dialects.grammar.frames import Frame, frames

FINISHES = ("stop", "length", "tool_calls", "content_filter", "function_call")
_CHUNK = {"id", "object", "created", "model", "choices"}
_TEXTS = ("content", "refusal", "reasoning_content")


class _Choice:
    def __init__(self) -> None:
        self.began = False
        self.finish: str | None = None
        self.calls: dict[int, list[str]] = {}
        self.custom: set[int] = set()


def check(data: bytes, *, usage: bool | None = None, choices: int | None = None) -> Book:
    """Read a stream. `usage`: the caller has asked for it (None: nobody knows); `choices`: how many there must be."""
    book = Book()
    checker = _Checker(book, usage)
    for at, frame in enumerate(frames(data, book)):
        book.at = at
        checker.frame(frame)
    checker.end(choices)
    return book


class _Checker:
    def __init__(self, book: Book, usage: bool | None) -> None:
        self.book = book
        self.asked = usage
        self.same: dict[str, Any] = {}
        self.choices: dict[int, _Choice] = {}
        self.usages = 0
        self.over = False

    def frame(self, frame: Frame) -> None:
        need = self.book.need
        need(not self.over, "chat.after_end", frame.text)
        need(frame.name == "", "chat.event_name", frame.name)
        if frame.text == "[DONE]":
            self.over, self.book.end = True, "whole"
            return
        chunk = frame.value
        if not need(isinstance(chunk, dict), "frame.json", frame.text):
            return
        if chunk.get("error") is not None:
            self.over, self.book.end = True, "error"
            need(chunk.keys() <= {"error", "request_id"}, "chat.error", chunk)
            error = chunk["error"]
            need(isinstance(error, dict) and is_name(error.get("message")) and "type" in error, "chat.error", error)
            return
        self.chunk(chunk)

    def chunk(self, chunk: dict[str, Any]) -> None:
        need = self.book.need
        if not need(chunk.keys() >= _CHUNK, "chat.fields", sorted(_CHUNK - chunk.keys())):
            return
        need(chunk["object"] == "chat.completion.chunk", "chat.object", chunk["object"])
        need(is_name(chunk["id"]) and is_name(chunk["model"]) and is_count(chunk["created"]), "chat.head", chunk)
        for name in ("id", "created", "model"):
            need(self.same.setdefault(name, chunk[name]) == chunk[name], "chat.same", f"{name}: {chunk[name]}")
        if not need(isinstance(chunk["choices"], list), "chat.choices", chunk["choices"]):
            return
        need(not self.usages, "chat.usage_place", "a chunk after the one with usage")
        need(chunk["choices"] or chunk.get("usage") is not None, "chat.empty", chunk)
        for choice in chunk["choices"]:
            if need(isinstance(choice, dict) and is_count(choice.get("index")), "chat.index", choice):
                self.choice(choice, self.choices.setdefault(choice["index"], _Choice()))
        if chunk.get("usage") is not None:
            self.usages += 1
            need(chunk["choices"] == [], "chat.usage_place", "usage beside choices")
            need(self.asked is not False, "chat.usage_unasked")
            _usage(chunk["usage"], self.book)

    def choice(self, choice: dict[str, Any], state: _Choice) -> None:
        need = self.book.need
        delta: Any = choice.get("delta")
        if not need(isinstance(delta, dict) and "finish_reason" in choice, "chat.choice", choice):
            return
        need(state.finish is None, "chat.after_finish", choice)
        if state.began:
            need("role" not in delta, "chat.role_once", delta)
        else:
            need(delta.get("role") == "assistant", "chat.role_first", delta)
        state.began = True
        for name in _TEXTS:
            need(delta.get(name) is None or isinstance(delta[name], str), "chat.text", f"{name}: {delta.get(name)!r}")
        for call in delta.get("tool_calls") or ():
            self.call(call, state)
        for detail in delta.get("reasoning_details") or ():
            need(isinstance(detail, dict) and is_name(detail.get("type")), "chat.reasoning_details", detail)
        logprobs = choice.get("logprobs")
        if logprobs is not None:
            need(isinstance(logprobs, dict) and all(map(_is_logprob, logprobs.get("content") or ())), "chat.logprobs")
        finish = choice["finish_reason"]
        if finish is not None:
            need(finish in FINISHES, "chat.finish_word", finish)
            need(finish != "tool_calls" or state.calls, "chat.finish_calls", "tool_calls without any")
            state.finish = finish

    def call(self, call: Any, state: _Choice) -> None:
        need = self.book.need
        if not need(isinstance(call, dict) and is_count(call.get("index")), "chat.call_index", call):
            return
        index, kind = call["index"], "custom" if "custom" in call else "function"
        inner = call.get(kind)
        if not need(isinstance(inner, dict), "chat.call", call):
            return
        piece = inner.get("input" if kind == "custom" else "arguments", "")
        need(isinstance(piece, str), "chat.call_arguments", call)
        if index in state.calls:
            need("id" not in call and "name" not in inner, "chat.call_once", call)
            state.calls[index].append(str(piece))
            return
        need(index == len(state.calls), "chat.call_index", f"{index} after {sorted(state.calls)}")
        need(is_name(call.get("id")) and is_name(inner.get("name")), "chat.call_begin", call)
        need(call.get("type") == kind, "chat.call_begin", call)
        state.calls[index] = [str(piece)]
        if kind == "custom":
            state.custom.add(index)

    def end(self, choices: int | None) -> None:
        need, book = self.book.need, self.book
        need(self.over, "chat.no_end")
        if book.end != "whole":
            return
        need(self.choices, "chat.no_choice")
        need(sorted(self.choices) == list(range(len(self.choices))), "chat.index", sorted(self.choices))
        need(choices in (None, len(self.choices)), "chat.index", f"{len(self.choices)}, not {choices}")
        for index, state in self.choices.items():
            need(state.finish is not None, "chat.no_finish", index)
            # A call that was cut off by the limit of length need not be whole.
            for number, pieces in state.calls.items():
                if state.finish != "length" and number not in state.custom:
                    need(_is_json("".join(pieces)), "chat.call_json", "".join(pieces))
        need(self.asked is not True or self.usages == 1, "chat.no_usage")


def _usage(usage: Any, book: Book) -> None:
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    if not book.need(isinstance(usage, dict) and all(is_count(usage.get(n)) for n in names), "chat.usage", usage):
        return
    read, written, total = (usage[name] for name in names)
    book.need(read + written == total, "chat.usage_sum", usage)
    for name, whole in (("prompt_tokens_details", read), ("completion_tokens_details", written)):
        details = usage.get(name) or {}
        book.need(all(v is None or (is_count(v) and v <= whole) for v in details.values()), "chat.usage_sum", details)


def _is_logprob(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("token"), str) and "logprob" in value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
