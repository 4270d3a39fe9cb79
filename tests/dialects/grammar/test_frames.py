"""The checker of framing: what it takes, and what it does not."""

from __future__ import annotations

import pytest

from tests.dialects.grammar.book import Book
from tests.dialects.grammar.broken import rules_of
from tests.dialects.grammar.frames import Frame, frames

GOOD = b'event: a\ndata: {"x": 1}\n\n: keep-alive\n\ndata: [DONE]\n\n'
BROKEN = {
    "frame.utf8": b'data: "\xff"\n\n',
    "frame.bom": b"\xef\xbb\xbfdata: 1\n\n",
    "frame.line_end": b"data: 1\r\n\r\n",
    "frame.blank_line": b"data: 1\n",
    "frame.field": b"id: 4\ndata: 1\n\n",
    "frame.space": b"data:1\n\n",
    "frame.no_data": b"event: ping\n\n",
    "frame.lines": b"data: 1\ndata: 2\n\n",
}


def test_good_frames_are_read() -> None:
    """Names, data and values; comments are none."""
    book = Book()
    assert frames(GOOD, book) == [Frame("a", '{"x": 1}', {"x": 1}), Frame("", "[DONE]", None)]
    assert not book.breaches
    assert frames(b"data: 1\r\n\r\n", book, crlf=True)[0].value == 1 and not book.breaches


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_frame_is_found(rule: str) -> None:
    """Each rule, and no other, is broken by its stream."""
    book = Book()
    frames(BROKEN[rule], book)
    assert book.rules == {rule}


def test_what_only_some_dialects_forbid() -> None:
    """Comments, where nobody can read them; and more blank lines than one."""
    book = Book()
    frames(GOOD, book, comments=False)
    assert book.rules == {"frame.comment"}
    book = Book()
    frames(b"data: 1\n\n\n\ndata: NaN\n\n", book)
    assert book.rules == {"frame.blank_line"} and str(book).startswith("end ''; frame.blank_line")


def test_every_rule_is_tested() -> None:
    """`frame.json` is each dialect's to check."""
    assert rules_of("frames") == set(BROKEN) | {"frame.comment"}
