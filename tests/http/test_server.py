"""Requests in, answers out: framing, pipelining, and what the parser is told, over real sockets."""

from __future__ import annotations

import time

import pytest

from encke.testing import wire
from tests.http.support import EchoServer
from tests.support.client import Client

HOST = "host: localhost\r\n"


def get(path: str, more: str = "", method: str = "GET") -> bytes:
    """A request without a body."""
    return f"{method} {path} HTTP/1.1\r\n{HOST}{more}\r\n".encode()


def post(path: str, body: bytes, more: str = "") -> bytes:
    """A request with Content-Length."""
    return f"POST {path} HTTP/1.1\r\n{HOST}{more}content-length: {len(body)}\r\n\r\n".encode() + body


def chunked(path: str, body: bytes, sizes: list[int], more: str = "") -> bytes:
    """A request in chunks."""
    return f"POST {path} HTTP/1.1\r\n{HOST}{more}transfer-encoding: chunked\r\n\r\n".encode() + wire.chunked(
        body, sizes
    )


def exchange(server: EchoServer, *pieces: bytes, pause: float = 0.002) -> tuple[int, bytes]:
    """Send pieces one at a time; status and body of the answer."""
    with Client(server.port) as client:
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(pause)
            client.send(piece)
        answer = client.read()
        return answer.status, answer.body


def test_pipelined_requests_in_one_write(server: EchoServer) -> None:
    """Two hundred requests in one write get two hundred answers, in their order."""
    with Client(server.port) as client:
        client.send(b"".join(post(f"/p{n}", b"x" * (n % 7)) if n % 3 else get(f"/p{n}") for n in range(200)))
        bodies = [client.read().body for _ in range(200)]
    assert bodies == [(f"POST /p{n} {n % 7}" if n % 3 else f"GET /p{n} 0").encode() for n in range(200)]


def test_more_than_the_buffer_pipelined_behind_a_call(server: EchoServer) -> None:
    """While a call is open, requests wait, reading stops at 64 KiB, and none is lost or out of order."""
    count, body = 300, b"y" * 3000
    with Client(server.port) as client:
        client.send(get("/hold"))
        _wait(lambda: bool(server.app.held))
        client.socket.settimeout(1.0)
        data = b"".join(post(f"/q{n}", body) for n in range(count))
        sent = 0
        try:
            while sent < len(data):
                sent += client.socket.send(data[sent : sent + 65536])
        except TimeoutError:
            pass
        server.release()
        client.socket.settimeout(10.0)
        client.send(data[sent:])
        assert client.read("GET").body == b"GET /hold 0"
        for number in range(count):
            assert client.read().body == f"POST /q{number} 3000".encode()


def test_pipelined_behind_held_calls_in_turn(server: EchoServer) -> None:
    """Each request begins when the answer to the one before is written: never two calls at once."""
    with Client(server.port) as client:
        client.send(get("/hold/1") + get("/hold/2") + get("/three"))
        for number in (1, 2):
            _wait(lambda: bool(server.app.held))
            assert len(server.app.handled) == number
            server.release()
        assert [client.read("GET").body for _ in range(3)] == [b"GET /hold/1 0", b"GET /hold/2 0", b"GET /three 0"]


def test_head_and_body_split_at_every_byte(server: EchoServer) -> None:
    """A request cut anywhere is the same request."""
    whole = post("/split?a=1", b'{"model": "m"}', "x-request-id: abc\r\n")
    for cut in range(1, len(whole)):
        assert exchange(server, whole[:cut], whole[cut:], pause=0.0005) == (200, b"POST /split 14")
    assert {body for _, _, body in server.app.handled} == {b'{"model": "m"}'}
    assert {request.headers[b"x-request-id"] for request in server.app.requests} == {b"abc"}


def test_byte_by_byte(server: EchoServer) -> None:
    """Every byte in a write of its own."""
    whole = chunked("/bytes", b"hello world", [3], "authorization: Bearer k\r\n")
    assert exchange(server, *(whole[at : at + 1] for at in range(len(whole))), pause=0.0) == (200, b"POST /bytes 11")


def test_chunked_body_split_at_every_byte(server: EchoServer) -> None:
    """Chunks with an extension and trailers, cut anywhere: the trailers are dropped, the next request is not."""
    body = b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nx-api-key: smuggled\r\nx-t: 2\r\n\r\n"
    whole = f"POST /c HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n".encode() + body + get("/after")
    for cut in range(1, len(whole), 1):
        with Client(server.port) as client:
            client.send(whole[:cut])
            time.sleep(0.0005)
            client.send(whole[cut:])
            assert [client.read().body, client.read("GET").body] == [b"POST /c 11", b"GET /after 0"]
    assert all(b"x-api-key" not in request.headers for request in server.app.requests)


def test_large_body_in_one_write(server: EchoServer) -> None:
    """A head and a body of any size may come in one read; only the head counts as head."""
    for size in (1, 65_000, 70_000, 300_000, 2_000_000):
        body = b"b" * size
        for raw in (post("/large", body), chunked("/large", body, [50_000])):
            assert exchange(server, raw) == (200, b"POST /large %d" % size)


def test_head_then_body_of_a_pipelined_request_in_one_read(server: EchoServer) -> None:
    """A small request before a large one in one write does not make the large one's body count as head."""
    with Client(server.port) as client:
        client.send(get("/one") + post("/two", b"z" * 200_000) + get("/three"))
        assert [client.read().body for _ in range(3)] == [b"GET /one 0", b"POST /two 200000", b"GET /three 0"]


@pytest.mark.parametrize(
    ("line", "more", "kept"),
    [
        ("GET /v HTTP/1.1", HOST, True),
        ("GET /v HTTP/1.1", HOST + "connection: close\r\n", False),
        ("GET /v HTTP/1.1", HOST + "connection: Close, x-foo\r\n", False),
        ("GET /v HTTP/1.0", "", False),
        ("GET /v HTTP/1.0", "connection: keep-alive\r\n", True),
        ("GET /v HTTP/1.0", "host: localhost\r\nconnection: close\r\n", False),
    ],
)
def test_keep_alive(server: EchoServer, line: str, more: str, kept: bool) -> None:
    """The connection stays or ends as version and headers say, and the answer tells which."""
    with Client(server.port) as client:
        for _ in range(2 if kept else 1):
            client.send(f"{line}\r\n{more}\r\n".encode())
            answer = client.read("GET")
            assert answer.status == 200
            field = answer.header("connection")
            if kept:
                assert field == ("keep-alive" if "1.0" in line else None)
            else:
                assert field == "close"
                assert client.wait_ended()


def test_stream_framing(server: EchoServer) -> None:
    """A stream is chunked to HTTP/1.1, and ends with the connection for HTTP/1.0, even with keep-alive."""
    for version, coding in (("1.1", "chunked"), ("1.0", None)):
        with Client(server.port) as client:
            client.send(f"GET /stream HTTP/{version}\r\n{HOST}connection: keep-alive\r\n\r\n".encode())
            _wait(lambda: bool(server.app.held))
            server.release()
            answer = client.read("GET")
            assert answer.header("transfer-encoding") == coding
            assert answer.body == b"first second /stream"
            assert answer.header("connection") == ("close" if coding is None else None)


def test_head_has_no_body(server: EchoServer) -> None:
    """HEAD gets the length of the body and not the body; the next answer follows in its place."""
    with Client(server.port) as client:
        client.send(get("/h", method="HEAD") + get("/next"))
        answer = client.read("HEAD")
        assert (answer.status, answer.header("content-length")) == (200, "9")
        assert client.read("GET").body == b"GET /next 0"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b?c=d&e", "/a/b", b"c=d&e"),
        ("http://other.example:80/abs?x=1", "/abs", b"x=1"),
        ("HTTP://other.example", "/", b""),
        ("*", "*", b""),
        ("/p%20q", "/p%20q", b""),
        ("//double", "//double", b""),
    ],
)
def test_targets(server: EchoServer, target: str, path: str, query: bytes) -> None:
    """Origin form, absolute form and `*`; nothing is decoded here."""
    method = "OPTIONS" if target == "*" else "GET"
    assert exchange(server, get(target, method=method))[0] == 200
    assert (server.app.requests[0].path, server.app.requests[0].query) == (path, query)


@pytest.mark.parametrize("body", [b"", b"hello body"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("cut", [True, False])
def test_upgrade_is_answered_as_if_not_asked(server: EchoServer, body: bytes, framing: str, cut: bool) -> None:
    """`Upgrade: h2c`, as Java's and curl's clients send it, with a body or without: HTTP/1.1 goes on."""
    more = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n"
    raw = post("/up", body, more) if framing == "length" else chunked("/up", body, [4], more)
    with Client(server.port) as client:
        middle = len(raw) - len(body) // 2 - 1 if cut else len(raw)
        client.send(raw[:middle])
        time.sleep(0.01)
        client.send(raw[middle:] + get("/next"))
        assert client.read().body == f"POST /up {len(body)}".encode()
        assert client.read("GET").body == b"GET /next 0"
    assert server.app.handled[0][2] == body


def _wait(condition: object, seconds: float = 5.0) -> None:
    """Until `condition()` is true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)
