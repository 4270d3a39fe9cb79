"""A stream of Anthropic's Messages: docs.anthropic.com, "Streaming messages", and the types of its SDK.

Checked: the event's name is its type; message_start first and once, with an empty message; blocks one after the other,
counted from 0, each opened, filled with deltas of its own kind, and closed; a tool's input is a JSON object; then what
the message as a whole has become, with one stop reason and usage; message_stop last, or an error.
"""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.grammar.book import Book, is_count, is_name
from tests.dialects.grammar.frames import Frame, frames

STOPS = (
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
    "compaction",
)  # fmt: skip
# What a block begins with, and the kinds of deltas it may have.
BLOCKS: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "text": ({"text": ""}, frozenset({"text_delta", "citations_delta"})),
    "thinking": ({"thinking": "", "signature": ""}, frozenset({"thinking_delta", "signature_delta"})),
    "redacted_thinking": ({}, frozenset()),
    "tool_use": ({"input": {}}, frozenset({"input_json_delta"})),
    "server_tool_use": ({"input": {}}, frozenset({"input_json_delta"})),
    "mcp_tool_use": ({"input": {}}, frozenset({"input_json_delta"})),
    "compaction": ({}, frozenset({"compaction_delta"})),
}
_NAMED = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
# What a delta holds, and of which type.
DELTAS: dict[str, tuple[str, type]] = {
    "text_delta": ("text", str),
    "thinking_delta": ("thinking", str),
    "signature_delta": ("signature", str),
    "input_json_delta": ("partial_json", str),
    "citations_delta": ("citation", dict),
    "compaction_delta": ("content", object),
}
ERRORS = (
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "timeout_error", "api_error", "overloaded_error",
)  # fmt: skip


def check(data: bytes) -> Book:
    """Read a stream."""
    book = Book()
    checker = _Checker(book)
    for at, frame in enumerate(frames(data, book)):
        book.at = at
        checker.frame(frame)
    checker.end()
    return book


class _Checker:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.began = self.over = False
        self.stop: str | None = None
        self.told = False
        self.open: dict[str, Any] | None = None
        self.pieces: list[str] = []
        self.signed = False
        self.count = 0
        self.ids: list[str] = []
        self.unfinished = False

    def frame(self, frame: Frame) -> None:
        need, event = self.book.need, frame.value
        if not need(isinstance(event, dict), "frame.json", frame.text):
            return
        kind = event.get("type")
        need(frame.name == kind, "messages.event_name", f"{frame.name!r} for {kind!r}")
        need(not self.over, "messages.after_end", kind)
        if kind == "ping":
            need(event == {"type": "ping"}, "messages.ping", event)
        elif kind == "error":
            self.error(event)
        elif kind == "message_start":
            need(not self.began, "messages.start_once")
            self.start(event)
        else:
            need(self.began, "messages.start_first", kind)
            known = {
                "content_block_start": self.block_start,
                "content_block_delta": self.block_delta,
                "content_block_stop": self.block_stop,
                "message_delta": self.message_delta,
                "message_stop": self.message_stop,
            }.get(str(kind))
            if need(known, "messages.type", kind) and known is not None:
                known(event)

    def start(self, event: dict[str, Any]) -> None:
        need = self.book.need
        self.began = True
        message: Any = event.get("message")
        if not need(isinstance(message, dict), "messages.start", event):
            return
        fixed: dict[str, Any] = {
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }
        for name, value in fixed.items():
            need(name in message and message[name] == value, "messages.start", f"{name}: {message.get(name)!r}")
        need(is_name(message.get("id")) and is_name(message.get("model")), "messages.start", message)
        self.usage(message.get("usage"), ("input_tokens", "output_tokens"))

    def block_start(self, event: dict[str, Any]) -> None:
        need, block = self.book.need, event.get("content_block")
        need(self.open is None, "messages.one_block", event)
        need(not self.told, "messages.after_delta", event)
        need(event.get("index") == self.count, "messages.index", f"{event.get('index')}, not {self.count}")
        self.count += 1
        self.pieces, self.signed = [], False
        self.open = block if isinstance(block, dict) else {}
        if not need(isinstance(block, dict) and is_name(block.get("type")), "messages.block", event):
            return
        kind = self.open["type"]
        first, _ = BLOCKS.get(kind, ({}, frozenset()))
        need(kind in BLOCKS or kind.endswith("_tool_result") or kind == "fallback", "messages.block_type", kind)
        for name, value in first.items():
            need(self.open.get(name) == value, "messages.block", f"{kind}.{name}: {self.open.get(name)!r}")
        if kind in _NAMED:
            need(is_name(self.open.get("id")) and is_name(self.open.get("name")), "messages.tool", block)
            need(self.open.get("id") not in self.ids, "messages.tool_id", block)
            self.ids.append(str(self.open.get("id")))
        if kind == "redacted_thinking":
            need(is_name(self.open.get("data")), "messages.block", block)

    def block_delta(self, event: dict[str, Any]) -> None:
        need = self.book.need
        delta: Any = event.get("delta")
        if not need(self.open is not None, "messages.no_block", event) or self.open is None:
            return
        need(event.get("index") == self.count - 1, "messages.index", event)
        if not need(isinstance(delta, dict), "messages.delta", event):
            return
        kind, block = delta.get("type"), self.open.get("type", "")
        _, allowed = BLOCKS.get(block, ({}, frozenset()))
        need(kind in allowed, "messages.delta_type", f"{kind} in {block}")
        name, of = DELTAS.get(str(kind), ("type", str))
        need(isinstance(delta.get(name), of), "messages.delta", delta)
        need(not self.signed, "messages.after_signature", kind)
        if kind == "signature_delta":
            self.signed = True
        if kind == "input_json_delta":
            self.pieces.append(str(delta.get("partial_json")))

    def block_stop(self, event: dict[str, Any]) -> None:
        need = self.book.need
        need(event.get("index") == self.count - 1, "messages.index", event)
        if not need(self.open is not None, "messages.no_block", event) or self.open is None:
            return
        if self.open.get("type") in _NAMED:
            self.unfinished |= not _is_object("".join(self.pieces))
        self.open = None

    def message_delta(self, event: dict[str, Any]) -> None:
        need = self.book.need
        delta: Any = event.get("delta")
        need(self.open is None, "messages.open_block", event)
        self.told = True
        if not need(isinstance(delta, dict), "messages.message_delta", event):
            return
        need({"stop_reason", "stop_sequence"} <= delta.keys(), "messages.message_delta", delta)
        if delta.get("stop_reason") is not None:
            need(self.stop is None, "messages.stop_once", delta)
            need(delta["stop_reason"] in STOPS, "messages.stop_word", delta)
            self.stop = delta["stop_reason"]
            said = delta.get("stop_sequence")
            # Which it was need not be known: the field may be null.
            need(said is None or self.stop == "stop_sequence", "messages.stop_sequence", delta)
            need(self.stop != "tool_use" or self.ids, "messages.stop_tools", "tool_use without any")
        # A tool's input that the limit of length has cut off need not be whole.
        need(not self.unfinished or self.stop in ("max_tokens", "model_context_window_exceeded"), "messages.tool_json")
        self.usage(event.get("usage"), ("output_tokens",))

    def message_stop(self, event: dict[str, Any]) -> None:
        self.over, self.book.end = True, "whole"
        self.book.need(self.told, "messages.no_message_delta")
        self.book.need(self.stop is not None, "messages.no_stop_reason")

    def error(self, event: dict[str, Any]) -> None:
        self.over, self.book.end = True, "error"
        error: Any = event.get("error")
        if self.book.need(isinstance(error, dict), "messages.error", event):
            self.book.need(error.get("type") in ERRORS and is_name(error.get("message")), "messages.error", error)

    def usage(self, usage: Any, names: tuple[str, ...]) -> None:
        if self.book.need(isinstance(usage, dict), "messages.usage", usage):
            counts = {k: v for k, v in usage.items() if k.endswith("_tokens") and v is not None}
            self.book.need(all(is_count(v) for v in counts.values()) and set(names) <= counts.keys(), "messages.usage")

    def end(self) -> None:
        self.book.need(self.over, "messages.no_end")
        if self.book.end == "whole":
            self.book.need(self.open is None, "messages.open_block")


def _is_object(text: str) -> bool:
    try:
        return text == "" or isinstance(json.loads(text), dict)
    except ValueError:
        return False
