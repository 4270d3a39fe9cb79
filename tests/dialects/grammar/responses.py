"""A stream of Responses: `ResponseStreamEvent` of OpenAI's OpenAPI document, and its guide on streaming.

Checked: the event's name is its type; sequence_number counts from 0; each type has its fields; created, in_progress,
then items one after the other, counted from 0, each added empty, filled, and done with what its deltas made; parts
likewise inside of an item; one of completed, incomplete, failed as the last word, with the items that were done, and
usage.
"""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.grammar.book import Book, is_count, is_name
from tests.dialects.grammar.frames import Frame, frames

_ITEM = frozenset({"item_id", "output_index"})
_PART = _ITEM | {"content_index"}
_SUMMARY = _ITEM | {"summary_index"}
# What each type has to have, beside `type` and `sequence_number`. The document also asks for `name` in
# function_call_arguments.done, which OpenAI itself does not send. Types that are not here are those of tools that
# OpenAI runs: only their numbers are looked at.
FIELDS: dict[str, frozenset[str]] = {
    "response.created": frozenset({"response"}),
    "response.in_progress": frozenset({"response"}),
    "response.queued": frozenset({"response"}),
    "response.completed": frozenset({"response"}),
    "response.incomplete": frozenset({"response"}),
    "response.failed": frozenset({"response"}),
    "response.output_item.added": frozenset({"output_index", "item"}),
    "response.output_item.done": frozenset({"output_index", "item"}),
    "response.content_part.added": _PART | {"part"},
    "response.content_part.done": _PART | {"part"},
    "response.output_text.delta": _PART | {"delta", "logprobs"},
    "response.output_text.done": _PART | {"text", "logprobs"},
    "response.output_text.annotation.added": _PART | {"annotation", "annotation_index"},
    "response.refusal.delta": _PART | {"delta"},
    "response.refusal.done": _PART | {"refusal"},
    "response.reasoning_text.delta": _PART | {"delta"},
    "response.reasoning_text.done": _PART | {"text"},
    "response.reasoning_summary_part.added": _SUMMARY | {"part"},
    "response.reasoning_summary_part.done": _SUMMARY | {"part"},
    "response.reasoning_summary_text.delta": _SUMMARY | {"delta"},
    "response.reasoning_summary_text.done": _SUMMARY | {"text"},
    "response.function_call_arguments.delta": _ITEM | {"delta"},
    "response.function_call_arguments.done": _ITEM | {"arguments"},
    "response.custom_tool_call_input.delta": _ITEM | {"delta"},
    "response.custom_tool_call_input.done": _ITEM | {"input"},
}
# What a finished response, and any other, has to have (`Response`, required), and items by their types.
RESPONSE = frozenset(
    {
        "id", "object", "created_at", "error", "incomplete_details", "instructions", "model", "tools", "output",
        "parallel_tool_calls", "metadata", "tool_choice", "temperature", "top_p",
    }
)  # fmt: skip
ITEMS: dict[str, frozenset[str]] = {
    "message": frozenset({"id", "role", "content", "status"}),
    "function_call": frozenset({"id", "call_id", "name", "arguments"}),
    "custom_tool_call": frozenset({"id", "call_id", "name", "input"}),
    "reasoning": frozenset({"id", "summary"}),
}
STATUSES = {
    "response.created": ("in_progress", "queued"),
    "response.in_progress": ("in_progress",),
    "response.queued": ("queued",),
    "response.completed": ("completed",),
    "response.incomplete": ("incomplete",),
    "response.failed": ("failed",),
}
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
REASONS = ("max_output_tokens", "content_filter")
# Deltas, and what tells their whole: the field, and which kind of part it belongs to.
TEXTS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "reasoning_summary_text": "text"}
CALLS = {
    "function_call": ("function_call_arguments", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "input"),
}


def check(data: bytes) -> Book:
    """Read a stream."""
    book = Book()
    checker = _Checker(book)
    for at, frame in enumerate(frames(data, book)):
        book.at = at
        checker.frame(frame)
    book.need(book.end, "responses.no_end")
    return book


class _Part:
    """A part of an item that is open: what its deltas have made so far."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pieces: list[str] = []
        self.told: str | None = None
        self.annotations: list[Any] = []


class _Item:
    def __init__(self, index: int, item: dict[str, Any]) -> None:
        self.index, self.item = index, item
        self.contents: list[Any] = []
        self.summaries: list[Any] = []
        self.part: _Part | None = None
        self.pieces: list[str] = []
        self.told: str | None = None


class _Checker:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.count = 0
        self.id = ""
        self.began: list[str] = []
        self.items: dict[int, dict[str, Any]] = {}
        self.open: _Item | None = None
        self.ids: set[str] = set()

    def frame(self, frame: Frame) -> None:
        need, event = self.book.need, frame.value
        if not need(isinstance(event, dict), "frame.json", frame.text):
            return
        kind = str(event.get("type"))
        need(frame.name == kind, "responses.event_name", f"{frame.name!r} for {kind!r}")
        need(
            event.get("sequence_number") == self.count, "responses.sequence", f"{kind}: {event.get('sequence_number')}"
        )
        self.count += 1
        need(
            self.book.end in ("", "error") and (not self.book.end or kind == "response.failed"),
            "responses.after_end",
            kind,
        )
        if kind == "error":
            self.book.end = "error"
            need("message" in (event.get("error") or event), "responses.error", event)
            return
        if kind == "keepalive":
            return
        missing = FIELDS.get(kind, frozenset()) - event.keys()
        if not need(not missing, "responses.fields", f"{kind}: {sorted(missing)}"):
            return
        if kind in STATUSES:
            self.response(kind, event["response"])
            return
        need(self.began[:1] == ["response.created"] and "response.in_progress" in self.began, "responses.begin", kind)
        self.inside(kind, event)

    def response(self, kind: str, response: Any) -> None:
        need = self.book.need
        if not need(isinstance(response, dict) and response.keys() >= RESPONSE, "responses.response", response):
            return
        need(response["object"] == "response" and is_name(response["id"]), "responses.response", response["object"])
        need(self.id in ("", response["id"]), "responses.same", response["id"])
        self.id = response["id"]
        need(response.get("status") in STATUSES[kind], "responses.status", f"{kind}: {response.get('status')}")
        if kind in ENDS:
            self.ended(kind, response)
            return
        self.began.append(kind)
        order = [name for name in ("response.created", "response.queued", "response.in_progress") if name in self.began]
        need(self.began == order, "responses.begin", self.began)
        need(response["output"] == [] and not self.items and self.open is None, "responses.begin", "output before")

    def ended(self, kind: str, response: dict[str, Any]) -> None:
        need = self.book.need
        # A failure may come at any time, in the middle of an item too.
        self.book.end = "error" if kind == "response.failed" else "whole"
        if kind == "response.failed":
            error = response["error"]
            need(
                isinstance(error, dict) and is_name(error.get("code")) and is_name(error.get("message")),
                "responses.failed",
            )
            return
        need("response.in_progress" in self.began, "responses.begin", kind)
        need(response["error"] is None, "responses.response", "an error")
        need(self.open is None, "responses.open_item", self.open and self.open.item)
        details = response["incomplete_details"]
        if kind == "response.incomplete":
            need(isinstance(details, dict) and details.get("reason") in REASONS, "responses.reason", details)
        else:
            need(details is None, "responses.reason", details)
        done = [_bare(self.items[index]) for index in sorted(self.items)]
        need([_bare(item) for item in response["output"]] == done, "responses.output", response["output"])
        self.usage(response.get("usage"))

    def usage(self, usage: Any) -> None:
        need, names = self.book.need, ("input_tokens", "output_tokens", "total_tokens")
        if usage is None or not need(all(is_count(usage.get(name)) for name in names), "responses.usage", usage):
            return
        read, written, total = (usage[name] for name in names)
        need(read + written == total, "responses.usage_sum", usage)
        for name, inside, whole in (("input", "cached_tokens", read), ("output", "reasoning_tokens", written)):
            details = usage.get(f"{name}_tokens_details")
            if need(isinstance(details, dict) and is_count(details.get(inside)), "responses.usage", usage):
                need(details[inside] <= whole, "responses.usage_sum", usage)

    def inside(self, kind: str, event: dict[str, Any]) -> None:
        name = kind.removeprefix("response.")
        if name == "output_item.added":
            self.added(event)
            return
        item = self.open
        if name not in ("output_item.done",) and kind not in FIELDS:
            return  # of a tool that OpenAI runs
        if not self.book.need(item is not None, "responses.no_item", kind) or item is None:
            return
        self.book.need(event["output_index"] == item.index, "responses.output_index", event)
        if name == "output_item.done":
            self.done(item, event["item"])
            return
        self.book.need(event["item_id"] == item.item.get("id"), "responses.item_id", event)
        what, _, verb = name.rpartition(".")
        if what in ("content_part", "reasoning_summary_part"):
            (self.part_added if verb == "added" else self.part_done)(item, event, what)
        elif what == "output_text.annotation":
            self.annotation(item, event)
        elif what in TEXTS:
            self.text(item, event, what, verb)
        else:
            self.arguments(item, event, what, verb)

    def added(self, event: dict[str, Any]) -> None:
        need, item = self.book.need, event["item"]
        need(self.open is None, "responses.one_item", event)
        need(event["output_index"] == len(self.items) + (self.open is not None), "responses.output_index", event)
        if not need(isinstance(item, dict) and is_name(item.get("type")), "responses.item", event):
            return
        self.open = _Item(event["output_index"], item)
        missing = ITEMS.get(item["type"], frozenset()) - item.keys()
        need(not missing, "responses.item", f"{item['type']}: {sorted(missing)}")
        if item["type"] in ITEMS:
            need(is_name(item.get("id")) and item["id"] not in self.ids, "responses.item_id", item)
            self.ids.add(str(item.get("id")))
            empty = {"content": [], "arguments": "", "input": "", "summary": []}
            for name, value in empty.items():
                need(item.get(name, value) in (value, None), "responses.item_empty", f"{name}: {item.get(name)}")
            need(item.get("status", "in_progress") in ("in_progress", None), "responses.item_status", item)
            need(item.get("role", "assistant") == "assistant", "responses.item", item)
        if item["type"] in CALLS:
            need(is_name(item.get("call_id")) and is_name(item.get("name")), "responses.call", item)

    def part_added(self, item: _Item, event: dict[str, Any], what: str) -> None:
        need, part = self.book.need, event["part"]
        need(item.part is None, "responses.one_part", event)
        summary = what == "reasoning_summary_part"
        need(item.item["type"] == ("reasoning" if summary or part.get("type") == "reasoning_text" else "message"),
             "responses.part", event)  # fmt: skip
        parts = item.summaries if summary else item.contents
        need(event["summary_index" if summary else "content_index"] == len(parts), "responses.part_index", event)
        kind = "reasoning_summary_text" if summary else str(part.get("type"))
        need(kind in TEXTS and part.get(TEXTS.get(kind, "text")) == "", "responses.part", part)
        if kind == "output_text":
            need(part.get("annotations") == [] and isinstance(part.get("logprobs", []), list), "responses.part", part)
        item.part = _Part(kind)

    def text(self, item: _Item, event: dict[str, Any], what: str, verb: str) -> None:
        need, part = self.book.need, item.part
        summary = what == "reasoning_summary_text"
        at = len(item.summaries if summary else item.contents)
        if not need(part is not None and part.kind == what, "responses.no_part", event) or part is None:
            return
        need(event["summary_index" if summary else "content_index"] == at, "responses.part_index", event)
        need(part.told is None, "responses.after_done", event)
        if "logprobs" in FIELDS[event["type"]]:
            need(isinstance(event["logprobs"], list), "responses.logprobs", event)
        if verb == "delta":
            if need(isinstance(event["delta"], str), "responses.delta", event):
                part.pieces.append(event["delta"])
            return
        part.told = event[TEXTS[what]]
        need(part.told == "".join(part.pieces), "responses.done_value", part.told)

    def annotation(self, item: _Item, event: dict[str, Any]) -> None:
        need, part = self.book.need, item.part
        if need(part is not None and part.kind == "output_text", "responses.no_part", event) and part is not None:
            need(event["annotation_index"] == len(part.annotations), "responses.annotation", event)
            need(is_name(event["annotation"].get("type")), "responses.annotation", event)
            part.annotations.append(event["annotation"])

    def part_done(self, item: _Item, event: dict[str, Any], what: str) -> None:
        need, told, part = self.book.need, event["part"], item.part
        summary = what == "reasoning_summary_part"
        parts = item.summaries if summary else item.contents
        need(event["summary_index" if summary else "content_index"] == len(parts), "responses.part_index", event)
        parts.append(told)
        item.part = None
        if not need(part is not None, "responses.no_part", event) or part is None:
            return
        need(part.told is not None, "responses.no_done", event)
        need(told.get(TEXTS.get(part.kind, "text")) == "".join(part.pieces), "responses.done_value", told)
        if part.annotations:
            need(told.get("annotations") == part.annotations, "responses.annotation", told)

    def arguments(self, item: _Item, event: dict[str, Any], what: str, verb: str) -> None:
        need = self.book.need
        kind, (_, field) = next((k, v) for k, v in CALLS.items() if v[0] == what)
        need(item.item["type"] == kind, "responses.call", event)
        need(item.told is None, "responses.after_done", event)
        if verb == "delta":
            if need(isinstance(event["delta"], str), "responses.delta", event):
                item.pieces.append(event["delta"])
            return
        item.told = event[field]
        need(item.told == "".join(item.pieces), "responses.done_value", event)

    def done(self, item: _Item, told: dict[str, Any]) -> None:
        need, first = self.book.need, item.item
        need(item.part is None, "responses.open_part", told)
        self.open, self.items[item.index] = None, told
        for name in ("type", "id", "call_id", "name", "role"):
            need(told.get(name) == first.get(name), "responses.item_same", f"{name}: {told.get(name)}")
        if told.get("type") in ITEMS:
            need(told.get("status", "completed") in ("completed", "incomplete", None), "responses.item_status", told)
        if told.get("type") == "message":
            need(_texts(told.get("content")) == _texts(item.contents), "responses.item_value", told)
        if told.get("type") == "reasoning":
            need(told.get("summary") == item.summaries, "responses.item_value", told)
            need((told.get("content") or []) == item.contents, "responses.item_value", told)
        if told.get("type") in CALLS:
            field = CALLS[told["type"]][1]
            need(item.told is not None, "responses.no_done", told)
            need(told.get(field) == "".join(item.pieces), "responses.item_value", told)
            whole = told.get("status") == "incomplete" or field == "input" or _is_json(str(told.get(field)))
            need(whole, "responses.call_json", told)


def _bare(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what OpenAI itself tells in other words each time."""
    return {name: value for name, value in item.items() if name not in ("encrypted_content", "status")}


def _texts(contents: Any) -> list[Any]:
    """Parts without logprobs, which OpenAI tells in the item and not in the part that is done."""
    return [{name: value for name, value in part.items() if name != "logprobs"} for part in contents or ()]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
