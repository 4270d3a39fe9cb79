"""Reads HTTP/1.1 answers strictly, with nothing of the gateway's own code: what is not perfect is an AssertionError."""

from __future__ import annotations

import re
from typing import NamedTuple

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]*")
_FIELD = re.compile(rb"([a-z0-9!#$%&'*+.^_`|~-]+): ([!-~](?:[ -~]*[!-~])?)?")


class Answer(NamedTuple):
    """An answer. `framed`: it says where it ends; else the end of the connection does."""

    status: int
    headers: dict[str, str]
    body: bytes
    framed: bool
    whole: bool


def read_answers(data: bytes, methods: list[str], ended: bool) -> list[Answer]:
    """All answers in what a server wrote to requests of these methods, in order; interim ones are left out."""
    found: list[Answer] = []
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark, f"a head without an end: {head[:200]!r}"
        line, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(line)
        assert status, f"a status line: {line!r}"
        code = int(status[1])
        if code == 100:
            assert not lines
            continue
        headers = _fields(lines)
        method = methods[len(found)] if len(found) < len(methods) else ""
        body, data, framed, whole = _body(headers, data, method == "HEAD", ended)
        found.append(Answer(code, headers, body, framed, whole))
    return found


def _fields(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        assert field, f"a header field: {line!r}"
        name = field[1].decode()
        assert name not in headers, f"{name} stands twice"
        headers[name] = (field[2] or b"").decode()
    return headers


def _body(headers: dict[str, str], data: bytes, bare: bool, ended: bool) -> tuple[bytes, bytes, bool, bool]:
    """Body, what follows, whether it is framed, and whether it is whole."""
    assert not ("content-length" in headers and "transfer-encoding" in headers)
    if bare:
        return b"", data, True, True
    if "content-length" in headers:
        length = int(headers["content-length"])
        assert len(data) >= length, "an answer is shorter than it says"
        return data[:length], data[length:], True, True
    if headers.get("transfer-encoding") == "chunked":
        return _chunks(data, ended)
    assert ended, "an answer without a length on a connection that goes on"
    return data, b"", False, True


def _chunks(data: bytes, ended: bool) -> tuple[bytes, bytes, bool, bool]:
    body = b""
    while data:
        size, mark, rest = data.partition(b"\r\n")
        assert mark and re.fullmatch(rb"[0-9a-f]+", size), f"a chunk: {data[:40]!r}"
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n", f"a chunk's end: {rest[length : length + 8]!r}"
        if length == 0:
            return body, rest[2:], True, True
        body, data = body + rest[:length], rest[length + 2 :]
    return body, b"", True, False
