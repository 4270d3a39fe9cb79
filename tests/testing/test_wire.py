"""The builders of raw bytes."""

from __future__ import annotations

from encke.testing import wire
from encke.testing.script import Send, Sleep, pieces


def test_sse() -> None:
    """Objects become JSON, text stays, and the ending is chosen."""
    assert wire.sse({"a": 1}, "x") == b'data: {"a":1}\n\ndata: x\n\ndata: [DONE]\n\n'
    assert wire.sse("x", done=False, eol="\r\n") == b"data: x\r\n\r\n"


def test_chunked_sizes() -> None:
    """The last size repeats; nothing is lost; an empty body is only the last chunk."""
    assert wire.chunked(b"abcdefg", [1, 3]) == b"1\r\na\r\n3\r\nbcd\r\n3\r\nefg\r\n0\r\n\r\n"
    assert wire.chunked(b"ab") == b"2\r\nab\r\n0\r\n\r\n"
    assert wire.chunked(b"", [5]) == b"0\r\n\r\n"


def test_http_response() -> None:
    """A status that has no name in the standard library still has a reason phrase."""
    raw = b"HTTP/1.1 529 Unknown\r\na: b\r\ncontent-length: 2\r\n\r\nxy"
    assert wire.http_response(529, [("a", "b")], b"xy") == raw


def test_pieces_cut_where_told() -> None:
    """Offsets outside the data and repeated ones are ignored."""
    assert pieces(b"abcdef", [4, 2, 2, 0, 99], 0.5) == [Send(b"ab"), Sleep(0.5), Send(b"cd"), Sleep(0.5), Send(b"ef")]
