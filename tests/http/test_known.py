"""Heads known from before: whatever comes after a known head means what it would mean to a fresh connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.http.incoming import ServerLimits
from encke.http.known import MAX_KNOWN, KnownHeads
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.http.sweep import Sweeper

BODY = b'{"model":"m"}'
GOOD = (
    b"POST /v1/x?a=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n"
    b"Content-Length: 13\r\nAccept: */*\r\n\r\n"
)


class Pipe:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.out = b""
        self.closed = False

    def set_write_buffer_limits(self, high: int) -> None:
        """See `asyncio.WriteTransport`."""

    def get_extra_info(self, name: str) -> Any:
        """See `asyncio.BaseTransport`."""
        return ("127.0.0.1", 1) if name == "peername" else None

    def get_write_buffer_size(self) -> int:
        """See `asyncio.WriteTransport`."""
        return 0

    def write(self, data: bytes) -> None:
        """See `asyncio.WriteTransport`."""
        self.out += data

    def is_closing(self) -> bool:
        """See `asyncio.BaseTransport`."""
        return self.closed

    def can_write_eof(self) -> bool:
        """See `asyncio.WriteTransport`."""
        return False

    def close(self) -> None:
        """See `asyncio.BaseTransport`."""
        self.closed = True

    abort = close


class Mirror:
    """Answers with all that it was told of a request. `looks` counts heads that were looked at."""

    draining = False

    def __init__(self) -> None:
        self.epoch = 0
        self.looks = 0

    def check(self, request: Request) -> Fault | None:
        """See `Application`."""
        self.looks += 1
        request.lasting = True
        request.route = (self.epoch, request.path)
        return Fault("invalid_api_key", "no") if request.headers.get(b"authorization") != b"Bearer k" else None

    async def handle(self, request: Request, connection: ServerConnection) -> None:
        """See `Application`."""
        headers = sorted((name, value) for name, value in request.headers.items() if name != b"content-length")
        told = (request.method, request.path, request.query, request.route, request.http11, headers, request.body)
        connection.respond(200, "", repr(told).encode())

    def refuse(self, request: Request | None, connection: ServerConnection, fault: Fault) -> None:
        """See `Application`."""
        connection.respond(fault.status, "", fault.code.encode())

    def crashed(self, connection: ServerConnection, error: BaseException) -> None:
        """See `Application`."""
        raise error


class Line:
    """A connection without sockets."""

    def __init__(self, app: Mirror, sweeper: Sweeper, heads: KnownHeads) -> None:
        self.connection = ServerConnection(app, sweeper, ServerLimits(max_body=1 << 16), set(), heads)
        self.pipe = Pipe()
        self.connection.connection_made(cast(asyncio.Transport, self.pipe))

    def say(self, data: bytes) -> tuple[bytes, bool]:
        """What is answered to `data`, and whether the connection is closed."""
        before = len(self.pipe.out)
        self.connection.data_received(data)
        return self.pipe.out[before:], self.pipe.closed


@pytest.fixture(scope="module")
def sweeper() -> Iterator[Sweeper]:
    """A sweeper that never runs."""
    loop = asyncio.new_event_loop()
    yield Sweeper(loop)
    loop.close()


def _warm(app: Mirror, sweeper: Sweeper) -> Line:
    line = Line(app, sweeper, KnownHeads())
    first = line.say(GOOD + BODY)
    looks = app.looks
    assert line.say(GOOD + BODY) == first and app.looks == looks, "the second was not known"
    return line


PLACES = st.integers(0, len(GOOD + BODY))
PIECES = st.sampled_from(
    [
        *(b"", b"\r\n", b"\n", b"\r", b" ", b"0", b"1", b"9", b"+", b"-", b"\0", b"x", b":", b"\t", b"k", b"00000"),
        *(b"99999999999", b"\xd9\xa3", BODY, GOOD, b"Content-Length: 13\r\n", b"Connection: close\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n"),
    ]
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(PLACES, st.integers(0, 14), PIECES), min_size=1, max_size=3))
def test_what_follows_a_known_head_is_read_as_by_a_fresh_connection(edits: list[tuple[int, int, bytes]]) -> None:
    """Pieces of the head taken out, put in, or replaced; the next request after it too."""
    data = GOOD + BODY
    for place, cut, piece in edits:
        data = data[:place] + piece + data[place + cut :]
    loop = asyncio.new_event_loop()
    clock = Sweeper(loop)
    loop.close()
    fresh = Line(Mirror(), clock, KnownHeads())
    known = _warm(Mirror(), clock)
    assert known.say(data) == fresh.say(data)
    if not fresh.pipe.closed:
        assert known.say(GOOD + BODY) == fresh.say(GOOD + BODY)


@pytest.mark.parametrize("cut", range(1, len(GOOD + BODY)))
def test_a_known_request_in_two_reads(sweeper: Sweeper, cut: int) -> None:
    """It is known only in one read; in two the parser reads it, with the same answer."""
    known = _warm(Mirror(), sweeper)
    expected, _ = Line(Mirror(), sweeper, KnownHeads()).say(GOOD + BODY)
    first, _ = known.say((GOOD + BODY)[:cut])
    second, closed = known.say((GOOD + BODY)[cut:])
    assert first + second == expected and not closed


@pytest.mark.parametrize("length", [1, 9, 10, 99, 100, 65536])
def test_another_length_is_the_same_head(sweeper: Sweeper, length: int) -> None:
    """The digits may differ, in number too; the body is as long as they say."""
    app = Mirror()
    line = _warm(app, sweeper)
    looks = app.looks
    data = GOOD.replace(b"13", b"%d" % length) + b"y" * length
    assert line.say(data) == Line(Mirror(), sweeper, KnownHeads()).say(data)
    assert app.looks == looks


def test_a_body_beyond_the_limit_is_refused(sweeper: Sweeper) -> None:
    """The limit holds for known heads too."""
    answer, closed = _warm(Mirror(), sweeper).say(GOOD.replace(b"13", b"65537") + b"y" * 65537)
    assert b"request_too_large" in answer and closed


def test_another_epoch_is_looked_at_anew(sweeper: Sweeper) -> None:
    """When the application may say something else, it is asked."""
    app = Mirror()
    line = _warm(app, sweeper)
    app.epoch += 1
    looks = app.looks
    answer, _ = line.say(GOOD + BODY)
    assert app.looks == looks + 1 and b"(1, '/v1/x')" in answer
    line.say(GOOD + BODY)
    assert app.looks == looks + 1


def test_connections_share_what_they_know(sweeper: Sweeper) -> None:
    """A thousand connections of one client keep one head."""
    heads = KnownHeads()
    lines = [Line(Mirror(), sweeper, heads) for _ in range(50)]
    for line in lines:
        line.say(GOOD + BODY)
    assert len(heads) == 1


def test_what_is_known_is_bounded(sweeper: Sweeper) -> None:
    """Neither many clients nor one whose heads always differ fill the memory."""
    heads = KnownHeads()
    for number in range(MAX_KNOWN + 10):
        Line(Mirror(), sweeper, heads).say(GOOD.replace(b"a=1", b"a=%d" % number) + BODY)
    assert len(heads) <= MAX_KNOWN
    heads = KnownHeads()
    line = Line(Mirror(), sweeper, heads)
    for number in range(100):
        line.say(GOOD.replace(b"a=1", b"a=%d" % number) + BODY)
    assert len(heads) <= 8
