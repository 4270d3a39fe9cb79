"""A stream of Gemini's streamGenerateContent, as server-sent events (`alt=sse`) or as one JSON array: Google's
`GenerateContentResponse` (ai.google.dev/api/generate-content) and the types of the google-genai SDK.

Checked: no comments and no event names (Google's SDKs fail on them), no end mark; responseId and modelVersion are the
same in all chunks; parts have one kind each; one finishReason per candidate and nothing of it after that; usage never
shrinks, and adds up; an error is the last word.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from tests.dialects.grammar.book import Book, is_count, is_name
from tests.dialects.grammar.frames import frames

FINISHES = (
    "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
    "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE",
    "IMAGE_RECITATION", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE", "MODEL_ARMOR",
)  # fmt: skip
BLOCKS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK")
KINDS = frozenset(
    {
        "text", "inlineData", "functionCall", "functionResponse", "fileData", "executableCode", "codeExecutionResult",
        "toolCall", "toolResponse",
    }
)  # fmt: skip
_TOP = frozenset(
    {"candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId", "createTime", "modelStatus"}
)
_COUNTS = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")


def check(data: bytes, *, crlf: bool = False) -> Book:
    """Read a stream of events."""
    book = Book()
    checker = _Checker(book)
    for at, frame in enumerate(frames(data, book, crlf=crlf, comments=False)):
        book.at = at
        book.need(frame.name == "", "generate.event_name", frame.name)
        checker.chunk(frame.value, frame.text)
    checker.end()
    return book


def check_array(data: bytes) -> Book:
    """Read a stream that is one JSON array. One that was broken off need not be closed."""
    book = Book()
    checker = _Checker(book)
    try:
        values = json.loads(data)
    except ValueError as error:
        book.need(False, "generate.array", error)
        return book
    if book.need(isinstance(values, list), "generate.array", type(values)):
        for at, value in enumerate(values):
            book.at = at
            checker.chunk(value, str(value))
    checker.end()
    return book


class _Checker:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.same: dict[str, Any] = {}
        self.finishes: dict[int, str | None] = {}
        self.blocked = self.failed = False
        self.usage: dict[str, Any] = {}
        self.ids: list[tuple[int, str]] = []

    def chunk(self, chunk: Any, text: str) -> None:
        need = self.book.need
        if not need(isinstance(chunk, dict), "frame.json", text):
            return
        need(not self.failed, "generate.after_error", text)
        if "error" in chunk:
            self.failed = True
            error = chunk["error"]
            holds = isinstance(error, dict) and is_count(error.get("code")) and is_name(error.get("message"))
            need(holds and is_name(error.get("status")) and chunk.keys() == {"error"}, "generate.error", chunk)
            return
        need(chunk.keys() <= _TOP, "generate.fields", sorted(chunk.keys() - _TOP))
        for name in ("responseId", "modelVersion"):
            if need(is_name(chunk.get(name)), "generate.head", f"no {name}"):
                need(self.same.setdefault(name, chunk[name]) == chunk[name], "generate.same", name)
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and "blockReason" in feedback:
            need(feedback["blockReason"] in BLOCKS, "generate.block_word", feedback)
            self.blocked = True
        for candidate in chunk.get("candidates") or ():
            self.candidate(candidate)
        if "usageMetadata" in chunk:
            self.metadata(chunk["usageMetadata"])

    def candidate(self, candidate: dict[str, Any]) -> None:
        need = self.book.need
        index = candidate.get("index", 0)
        if not need(is_count(index), "generate.index", index):
            return
        content, finish = candidate.get("content") or {}, candidate.get("finishReason")
        parts = content.get("parts") or []
        need(self.finishes.get(index) is None, "generate.after_finish", candidate)
        need(not content or content.get("role") == "model", "generate.role", content)
        need(parts or finish is not None or candidate.keys() - {"index", "content"}, "generate.empty", candidate)
        for part in parts:
            self.part(part, index)
        if finish is not None:
            need(finish in FINISHES, "generate.finish_word", finish)
        self.finishes[index] = finish

    def part(self, part: Any, index: int) -> None:
        need = self.book.need
        kinds = KINDS & part.keys() if isinstance(part, dict) else set()
        if not need(len(kinds) == 1, "generate.part", part):
            return
        if "text" in kinds:
            need(isinstance(part["text"], str), "generate.text", part)
        need(isinstance(part.get("thought", False), bool), "generate.thought", part)
        if "functionCall" in kinds:
            call = part["functionCall"]
            need(is_name(call.get("name")) and isinstance(call.get("args", {}), dict), "generate.call", call)
            if "id" in call:
                need(is_name(call["id"]) and (index, call["id"]) not in self.ids, "generate.call_id", call)
                self.ids.append((index, call["id"]))
        if "inlineData" in kinds:
            blob = part["inlineData"]
            need(is_name(blob.get("mimeType")) and _is_base64(blob.get("data")), "generate.blob", blob.keys())
        if "thoughtSignature" in part:
            need(_is_base64(part["thoughtSignature"]), "generate.signature", part["thoughtSignature"])

    def metadata(self, usage: Any) -> None:
        need = self.book.need
        if not need(isinstance(usage, dict), "generate.usage", usage):
            return
        counts = {k: v for k, v in usage.items() if k.endswith("TokenCount")}
        if need(all(map(is_count, counts.values())), "generate.usage", usage):
            # What a model had not thought or written yet is not told: the sum holds at every time.
            total = sum(usage.get(name, 0) for name in _COUNTS)
            need("totalTokenCount" not in usage or usage["totalTokenCount"] == total, "generate.usage_sum", usage)
            need(usage.get("cachedContentTokenCount", 0) <= usage.get("promptTokenCount", 0), "generate.usage_sum")
            for name, count in counts.items():
                need(self.usage.get(name, 0) <= count, "generate.usage_shrinks", f"{name}: {self.usage} {usage}")
            self.usage = usage

    def end(self) -> None:
        need, book = self.book.need, self.book
        if self.failed:
            book.end = "error"
            return
        finished = bool(self.finishes) and all(self.finishes.values())
        if need(finished or (self.blocked and not self.finishes), "generate.no_end", self.finishes):
            book.end = "whole"
        need(sorted(self.finishes) == list(range(len(self.finishes))), "generate.index", sorted(self.finishes))


def _is_base64(value: Any) -> bool:
    if not is_name(value):
        return False
    try:
        base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return False
    return True
