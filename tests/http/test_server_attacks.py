"""What an attacker sends to a connection to get two answers for one request, another's answer, or all of the CPU."""

from __future__ import annotations

import socket
import time
from itertools import pairwise
from typing import Any

import pytest

from encke.http.incoming import FREE_PIECES, ServerLimits
from encke.http.server import PER_TURN
from tests.http.support import EchoServer, LoopThread
from tests.support.client import Client

GET = b"GET /%b HTTP/1.1\r\nhost: a\r\n%b\r\n"
POST = b"POST /%b HTTP/1.1\r\nhost: a\r\n%b\r\n"
ESTABLISHED = 1  # in Linux' tcp_info
UPGRADE = b"connection: upgrade\r\nupgrade: h2c\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


def test_storm_of_upgrades(server: EchoServer) -> None:
    """Thousands of requests for another protocol in one write are answered one by one; they do not nest."""
    count = 3000
    with Client(server.port, timeout=30) as client:
        client.send(GET % (b"u", UPGRADE) * count)
        for _ in range(count):
            assert client.read("GET").body == b"GET /u 0"
    assert server.app.crashes == []


def test_connect_behind_another_request(server: EchoServer) -> None:
    """The request in front gets its own answer, then CONNECT its refusal."""
    with Client(server.port) as client:
        client.send(GET % (b"first", b"") + b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n" + GET % (b"never", b""))
        assert client.read("GET").body == b"GET /first 0"
        assert client.read().status == 405
        assert client.wait_ended() and client.buffer == b""
    assert [path for _, path, _ in server.app.handled] == ["/first"]


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (GET % (b"u", b"connection: upgrade, close\r\nupgrade: h2c\r\n"), False),
        (GET % (b"u", b"connection: close\r\nconnection: upgrade\r\nupgrade: h2c\r\n"), False),
        (b"GET /u HTTP/1.0\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", False),
        (b"GET /u HTTP/1.0\r\nconnection: upgrade, keep-alive\r\nupgrade: h2c\r\n\r\n", True),
        (GET % (b"u", UPGRADE), True),
    ],
)
def test_upgrade_keeps_version_and_close(server: EchoServer, raw: bytes, kept: bool) -> None:
    """A wish for another protocol changes neither the version nor whether the connection is to end."""
    with Client(server.port) as client:
        client.send(raw)
        answer = client.read("GET")
        assert (answer.status, answer.header("connection") == "close") == (200, not kept)
        if not kept:
            assert client.wait_ended()
    assert server.app.requests[0].http11 is (b"1.1" in raw)


@pytest.mark.parametrize(
    "fields",
    [
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: ,chunked\r\n",
        b"transfer-encoding: identity\r\n" + CHUNKED,
        CHUNKED * 2,
        b"host: a\r\n" + CHUNKED,
    ],
)
@pytest.mark.parametrize("upgrade", [b"", UPGRADE])
def test_framing_that_others_read_otherwise(server: EchoServer, fields: bytes, upgrade: bytes) -> None:
    """Transfer codings beside plain chunked, and Host or Transfer-Encoding twice, are refused."""
    with Client(server.port) as client:
        client.send(POST % (b"te", fields + upgrade) + b"0\r\n\r\n" + GET % (b"smuggled", b""))
        assert client.read().status == 400
        client.wait_ended()
        assert client.buffer == b""
    assert server.app.handled == []


def test_chunks_to_http10(server: EchoServer) -> None:
    """HTTP/1.0 has no chunks: who stands in front may have taken them for the body itself."""
    with Client(server.port) as client:
        client.send((POST % (b"te", CHUNKED)).replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n")
        assert client.read().status == 400
    assert server.app.handled == []


def test_length_with_thousands_of_zeros(server: EchoServer) -> None:
    """A length is a number, however it is written."""
    with Client(server.port) as client:
        client.send(POST % (b"zeros", b"content-length: " + b"0" * 5000 + b"5" + b" " * 100 + b"\r\n") + b"hello")
        assert client.read().body == b"POST /zeros 5"


def test_chunk_dust(server: EchoServer) -> None:
    """A body in very many chunks of a few bytes is refused; the same bytes in chunks of some size are not."""
    dust = b"1\r\nx\r\n" * (FREE_PIECES + 2000) + b"0\r\n\r\n"
    with Client(server.port, timeout=30) as client:
        client.send(POST % (b"dust", CHUNKED) + dust)
        answer = client.read()
        assert (answer.status, answer.body) == (400, b"bad_request")
        client.wait_ended()
    with Client(server.port, timeout=30) as client:
        client.send(POST % (b"fine", CHUNKED) + (b"50\r\n" + b"x" * 80 + b"\r\n") * (FREE_PIECES + 2000) + b"0\r\n\r\n")
        assert client.read().body == b"POST /fine %d" % (80 * (FREE_PIECES + 2000))
    assert "chunks" in server.app.refusals[0].message


def test_large_refused_body_is_read_over(server: EchoServer) -> None:
    """Who sends eight megabytes before it looks at the answer can send them all, and then reads why it was refused."""
    with Client(server.port, timeout=20) as client:
        client.send(POST % (b"refuse", b"content-length: 8388608\r\n") + b"x" * (8 << 20))
        assert client.read().status == 403
        assert client.wait_ended() and client.buffer == b""


@pytest.mark.parametrize("path", [b"check-boom", b"handle-boom", b"boom"])
def test_a_crash_is_told_wherever_it_is(server: EchoServer, path: bytes) -> None:
    """A fault of ours in any step is one 500, reported once, without its words; it is not called the client's."""
    with Client(server.port) as client:
        client.send(POST % (path, b"content-length: 2\r\n") + b"{}" + GET % (b"next", b""))
        answer = client.read()
        assert (answer.status, answer.body) == (500, b"internal_error")
        client.wait_ended()
        assert client.buffer == b""
    assert [type(error) for error in server.app.crashes] == [RuntimeError]


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"GET /path?key=sk-1 HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n", ("GET", "/path")),
        (b"DELETE /v1/x HTTP/3.1\r\nhost: a\r\n\r\n", ("DELETE", "/v1/x")),
        (b"GET http://u:p@h/abs HTTP/1.1\r\nhost: a b\r\n\r\n", ("GET", "/abs")),
        (b"POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", ("POST", "/c")),
        (b"BREW / HTTP/1.1\r\n\r\n", ("", "")),
        (b"\x16\x03\x01", ("", "")),
    ],
)
@pytest.mark.parametrize("behind", [b"", GET % (b"good", b"")])
def test_refused_heads_are_named(server: EchoServer, raw: bytes, named: tuple[str, str], behind: bytes) -> None:
    """A request that is refused while its head is read is told by its method and path, as far as they were read."""
    with Client(server.port) as client:
        client.send(behind + raw)
        if behind:
            assert client.read("GET").status == 200
        assert client.read().status == 400
        client.wait_ended()
    assert server.app.refused == [named]


def test_refused_head_request_has_no_body(server: EchoServer) -> None:
    """Also a HEAD that is refused while its head is read gets none."""
    with Client(server.port) as client:
        client.send(b"HEAD / HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n")
        assert client.read("HEAD").status == 400
        client.wait_ended()
        assert client.buffer == b""


def test_without_a_floor_any_upload_is_borne(thread: LoopThread) -> None:
    """`body_floor = 0` bears any pace; it does not divide by it."""
    server = EchoServer(thread, ServerLimits(header_timeout=0.5, body_floor=0.0))
    with Client(server.port) as client:
        client.send(POST % (b"slow", b"content-length: 2\r\n"))
        time.sleep(1.2)
        client.send(b"a")
        time.sleep(0.3)
        client.send(b"b")
        assert client.read().body == b"POST /slow 2"
    server.stop()


@pytest.mark.parametrize("second", [b"\x00\r\n\r\n", b"GET /late"])
def test_a_refusal_behind_an_answer_has_a_head_of_its_own(thread: LoopThread, second: bytes) -> None:
    """That an answer went out before on the connection does not make its successor's refusal a part of it."""
    server = EchoServer(thread, ServerLimits(header_timeout=0.5))
    seen: list[bool] = []
    refuse = server.app.refuse

    def watched(*given: Any) -> None:
        seen.append(given[1].head_sent)
        refuse(*given)

    server.app.refuse = watched  # type: ignore[assignment]
    with Client(server.port) as client:
        client.send(GET % (b"first", b""))
        assert client.read("GET").status == 200
        client.send(second)
        assert client.read().status in (400, 408)
    assert seen == [False]
    server.stop()


def test_pipelined_requests_take_turns(server: EchoServer, thread: LoopThread) -> None:
    """Thousands of requests in one write keep the loop for a few dozen of them at a time, and lose none."""
    seen: list[int] = []

    def look() -> None:
        seen.append(len(server.app.handled))
        if seen[-1] < 3000:
            thread.loop.call_soon(look)

    with Client(server.port, timeout=30) as client:
        client.send(GET % (b"many", b"") * 3000)
        thread.loop.call_soon_threadsafe(look)
        for _ in range(3000):
            assert client.read("GET").body == b"GET /many 0"
        client.send(GET % (b"next", b""))
        assert client.read("GET").body == b"GET /next 0"
    assert max(after - before for before, after in pairwise(seen)) <= 2 * PER_TURN


def test_who_reads_nothing_is_reset(thread: LoopThread) -> None:
    """The kernel does not keep for minutes what a peer that was cut off has not read."""
    server = EchoServer(thread, ServerLimits(write_stall=0.5))
    with Client(server.port, receive_buffer=4096) as client:
        client.send(GET % (b"big", b""))
        end = time.monotonic() + 20
        while client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED:
            assert time.monotonic() < end, "still connected"
            time.sleep(0.05)
        assert client.wait_ended() is False
    server.stop()
