# ruff: noqa: E501  a table has a line for each row
"""Requests that are cheap to send and would be dear to read, many of them as large as a body may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.hostile.corpus import KEY

MiB = 1 << 20
_GOOD = b'{"model":"lab/m","messages":[],'
_OPTIONS = _GOOD + b'"stream":true,"stream_options":'
_CHUNKED = b"transfer-encoding: chunked"
_UPGRADE = b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
_NOWHERE = b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n"
_WRONG_KEY = b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx-api-key: sk-x\r\n\r\n"


class Bomb(NamedTuple):
    """`pieces` makes what is sent, for a limit of bytes; `status` is what each of `answers` answers has."""

    name: str
    pieces: Callable[[int], Iterator[bytes]]
    status: int
    answers: int = 1


def _sized(body: bytes, *fields: bytes) -> Iterator[bytes]:
    yield _head(b"content-length: %d" % len(body), *fields)
    yield body


def _head(*fields: bytes) -> bytes:
    key = f"authorization: Bearer {KEY}".encode()
    return b"\r\n".join([b"POST /v1/chat/completions HTTP/1.1", b"host: a", key, *fields, b"", b""])


def _filled(limit: int, start: bytes, filling: bytes, end: bytes) -> bytes:
    """A body of the limit, or just below."""
    return start + filling * ((limit - len(start) - len(end)) // len(filling)) + end


def _keys(limit: int, name: bytes, count: int) -> bytes:
    return (_GOOD + b",".join(name % number for number in range(count)) + b"}")[:limit]


def _dust(piece: bytes, count: int) -> Iterator[bytes]:
    yield _head(_CHUNKED)
    for _ in range(count // 10_000):
        yield piece * 10_000


def _many(raw: bytes, count: int) -> Iterator[bytes]:
    yield raw * count


BOMBS = [
    Bomb("text of the limit", lambda n: _sized(b"x" * n), 400),
    Bomb("spaces of the limit", lambda n: _sized(b" " * n), 400),
    Bomb("null bytes of the limit", lambda n: _sized(b"\0" * n), 400),
    Bomb("bytes above 127 of the limit", lambda n: _sized(b"\xff" * n), 400),
    Bomb("depth 1,000,000 of arrays", lambda n: _sized(_GOOD + b'"x":' + b"[" * 10**6), 400),
    Bomb("depth of the limit, of arrays", lambda n: _sized(b"[" * n), 400),
    Bomb("depth 1,000,000 of objects", lambda n: _sized(_GOOD + b'"x":' + b'{"a":' * 10**6), 400),
    Bomb("depth 1,000,000, closed", lambda n: _sized(_GOOD + b'"x":' + b"[" * 10**6 + b"]" * 10**6 + b"}"), 400),
    Bomb("depth 1,000,000 in stream_options", lambda n: _sized(_OPTIONS + b'{"a":' * 10**6 + b"1" + b"}" * 10**6 + b"}"), 400),
    Bomb("1,000,000 fields", lambda n: _sized(_keys(n, b'"%d":1', 10**6)), 400),
    Bomb("1,000,000 fields, spaced", lambda n: _sized(_keys(n, b'"%d" :1', 10**6)), 400),
    Bomb("1,000,000 fields, escaped", lambda n: _sized(_keys(n, b'"%d\\\\":1', 10**6)), 400),
    Bomb("3,000,000 fields", lambda n: _sized(_keys(n, b'"%x":0', 3 * 10**6)), 400),
    Bomb("99,000 fields and a long text", lambda n: _sized(_keys(n, b'"%x":0', 99_000)[:-1] + b',"t":"' + b"x" * (n - 2 * MiB)), 400),
    Bomb("one field three million times", lambda n: _sized(_filled(n, _GOOD + b'"a":1', b',"a":1', b"}")), 400),
    Bomb("a model of the limit", lambda n: _sized(_filled(n, b'{"messages":[],"model":"', b"m", b'"}')), 400),
    Bomb("a model of the limit and a smile", lambda n: _sized(_filled(n, '{"messages":[],"model":"😀'.encode(), b"m", b'"}')), 400),
    Bomb("a model of digits", lambda n: _sized(_filled(n, b'{"messages":[],"model":', b"1", b"}")), 400),
    Bomb("a model that is a long array", lambda n: _sized(_filled(n, b'{"messages":[],"model":[1', b",1", b"]}")), 400),
    Bomb("stream of digits", lambda n: _sized(_filled(n, _GOOD + b'"stream":', b"1", b"}")), 400),
    Bomb("include_usage of digits", lambda n: _sized(_filled(n, _OPTIONS + b'{"include_usage":', b"1", b"}}")), 400),
    Bomb("escapes without an end", lambda n: _sized(_filled(n, _GOOD + b'"x":"', b"\\u0041", b"")), 400),
    Bomb("a wrong byte at the very end", lambda n: _sized(_filled(n, _GOOD + '"x":"é'.encode(), b"x", b'\xff"}')), 400),
    Bomb("an open text at the very end", lambda n: _sized(_filled(n, _GOOD + b'"x":["', b'a","', b"")), 400),
    Bomb("dust: chunks of one byte", lambda n: _dust(b"1\r\nx\r\n", 2 * 10**6), 400),
    Bomb("dust: chunks of one byte with extensions", lambda n: _dust(b"1;a=b;c=d\r\nx\r\n", 10**6), 400),
    Bomb("more than the limit in chunks of 64 KiB", lambda n: _many(_head(_CHUNKED) + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * (n // 65536 + 1), 1), 413),
    Bomb("gzip, announced", lambda n: _sized(b"\x1f\x8b" + b"\0" * 1000, b"content-encoding: gzip"), 415),
    Bomb("gzip of the limit", lambda n: _sized(b"\x1f\x8b" + b"\0" * (n - 2), b"content-encoding: gzip"), 415),
    Bomb("a head without an end", lambda n: _many(b"GET / HTTP/1.1\r\nx: " + b"x" * 8 * MiB, 1), 431),
    Bomb("fields without an end", lambda n: _many(b"GET / HTTP/1.1\r\n" + b"x: 1\r\n" * 10**6, 1), 431),
    Bomb("a trailer without an end", lambda n: _many(_head(_CHUNKED) + b"0\r\nx: " + b"x" * 8 * MiB, 1), 431),
    Bomb("an extension without an end", lambda n: _many(_head(_CHUNKED) + b"1;" + b"x" * 8 * MiB, 1), 431),
    Bomb("1,000 bad requests in one write", lambda n: _many(_NOWHERE, 1000), 404, 1000),
    Bomb("1,000 upgrades in one write", lambda n: _many(_UPGRADE, 1000), 404, 1000),
    Bomb("1,000 wrong keys in one write", lambda n: _many(_WRONG_KEY, 1000), 401, 1000),
    # Good ones, as large as they may be: what a request costs at most.
    Bomb("good, the limit of text", lambda n: _sized(_filled(n, _GOOD + b'"x":"', b"x", b'"}')), 200),
    Bomb("good, the limit of text and a smile", lambda n: _sized(_filled(n, _GOOD + '"x":"😀'.encode(), b"x", b'"}')), 200),
    Bomb("good, the limit of colons", lambda n: _sized(_filled(n, _GOOD + b'"x":"', b": ", b'"}')), 200),
    Bomb("good, the limit of arrays", lambda n: _sized(_filled(n, _GOOD + b'"x":[[]', b",[]", b"]}")), 200),
    Bomb("good, the limit in chunks", lambda n: _chunks(_filled(n, _GOOD + b'"x":"', b"x", b'"}')), 200),
]  # fmt: skip


def _chunks(body: bytes) -> Iterator[bytes]:
    yield _head(_CHUNKED)
    for at in range(0, len(body), 65536):
        part = body[at : at + 65536]
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
