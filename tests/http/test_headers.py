"""Status lines, and values fit for a header."""

from __future__ import annotations

import pytest

from encke.http.headers import KEPT_REQUEST_HEADERS, KEPT_RESPONSE_HEADERS, status_line, visible, with_fields


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, "HTTP/1.1 200 OK\r\n"),
        (431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
        (529, "HTTP/1.1 529 Status\r\n"),
    ],
)
def test_status_line(status: int, line: str) -> None:
    """Known statuses have their phrase, others a plain one."""
    assert status_line(status) == line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain value", "plain value"),
        ("a\r\nset-cookie: x", "a%0D%0Aset-cookie: x"),
        ("é", "%C3%A9"),
        ("tab\there", "tab%09here"),
        ("\x7f\x00", "%7F%00"),
        ("lone \ud800", "lone ?"),
        ("x" * 300, "x" * 256),
    ],
)
def test_visible(value: str, shown: str) -> None:
    """Nothing but visible ASCII comes out, and never more than the limit."""
    assert visible(value) == shown


def test_kept_headers_are_lower_case() -> None:
    """Names are compared in lower case, so the tables hold only that."""
    assert all(name == name.lower() for name in KEPT_REQUEST_HEADERS | KEPT_RESPONSE_HEADERS)
    assert not KEPT_RESPONSE_HEADERS & {b"set-cookie", b"connection", b"transfer-encoding", b"content-length"}


USUAL = b"POST /x HTTP/1.1\r\nHost: h\r\nanthropic-version: 2023-06-01\r\nContent-Length: "


@pytest.mark.parametrize(
    "fields, head",
    [
        (b"", USUAL),
        (b"anthropic-beta: b\r\n", USUAL),
        (b"Anthropic-Version: n\r\n", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: "),
        (b"host: a\r\nanthropic-version: n\r\n", b"POST /x HTTP/1.1\r\nContent-Length: "),
        (b"post /x http/1.1: n\r\n", USUAL),
    ],
)
def test_fields_in_place_of_others(fields: bytes, head: bytes) -> None:
    """What a call has of its own stands in place of what all calls have, whatever the case; never twice."""
    assert with_fields(USUAL, fields) == (head, fields)


@pytest.mark.parametrize(
    ("own", "callers", "joined"),
    [
        (b"anthropic-beta: a-1\r\n", b"anthropic-beta: b-2\r\n", b"anthropic-beta: a-1, b-2\r\n"),
        (b"Anthropic-Beta: a-1,b-2 \r\n", b"anthropic-beta: b-2, ,c-3\r\n", b"anthropic-beta: a-1, b-2, c-3\r\n"),
        (b"anthropic-beta:\r\n", b"anthropic-beta: b-2\r\n", b"anthropic-beta: b-2\r\n"),
    ],
)
def test_lists_are_joined(own: bytes, callers: bytes, joined: bytes) -> None:
    """What all calls ask for holds beside what a call asks for; each once, in one field, and other fields stay."""
    head, fields = with_fields(b"POST /x HTTP/1.1\r\n" + own + b"content-length: ", callers + b"x-a: b, b\r\n")
    assert (head, fields) == (b"POST /x HTTP/1.1\r\ncontent-length: ", joined + b"x-a: b, b\r\n")
