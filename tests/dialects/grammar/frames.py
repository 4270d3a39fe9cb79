"""The framing of a stream of server-sent events, as strict as the pickiest client reads it.

WHATWG HTML, section 9.2, with what SDKs of language models take for granted: one `data` line an event, with one JSON
value in it; no byte order mark, no `id` or `retry`, no event without data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.dialects.grammar.book import Book


@dataclass(frozen=True)
class Frame:
    """One event: its name, its data as text, and what that is as JSON (None if it is none)."""

    name: str
    text: str
    value: Any


def frames(data: bytes, book: Book, *, crlf: bool = False, comments: bool = True) -> list[Frame]:
    """The events of a stream. `crlf`: lines end so; `comments`: there may be some (keep-alives)."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        book.need(False, "frame.utf8", error)
        text = data.decode("utf-8", "replace")
    if not book.need(not text.startswith("\ufeff"), "frame.bom"):
        text = text[1:]
    eol = "\r\n" if crlf else "\n"
    book.need("\r" not in text.replace("\r\n", "") and (crlf or "\r" not in text), "frame.line_end", "a CR")
    book.need(text == "" or text.endswith((eol * 2, "\r\n\r\n")), "frame.blank_line", "the last event has not ended")
    found = []
    *parts, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    for part in [*parts, rest] if rest else parts:
        book.need(part.strip("\n") == part != "", "frame.blank_line", "more than one")
        frame = _frame(part.strip("\n"), book, comments)
        if frame is not None:
            found.append(frame)
    return found


def _frame(part: str, book: Book, comments: bool) -> Frame | None:
    names: list[str] = []
    texts: list[str] = []
    for line in filter(None, part.split("\n")):
        name, colon, value = line.partition(":")
        if name == "":
            book.need(comments, "frame.comment", line)
        elif not book.need(colon and name in ("event", "data"), "frame.field", line):
            continue
        elif book.need(value.startswith(" "), "frame.space", line):
            (names if name == "event" else texts).append(value[1:])
    if not texts:
        book.need(not names, "frame.no_data", part)
        return None
    book.need(len(texts) == 1 and len(names) <= 1, "frame.lines", part)
    return Frame(names[0] if names else "", texts[0], _value(texts[0]))


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
