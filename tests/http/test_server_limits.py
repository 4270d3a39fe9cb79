"""What a client's connection may take: sizes, time, and what is no HTTP at all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from encke.http.incoming import MAX_FIELDS, MAX_HEAD, ServerLimits
from encke.testing import wire
from tests.http.support import EchoServer, LoopThread
from tests.support.client import Client

HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
LIMITS = ServerLimits(max_body=10_000, header_timeout=0.5, body_floor=1000.0, write_stall=1.0, keepalive=2.5)


@pytest.fixture
def strict(thread: LoopThread) -> Iterator[EchoServer]:
    """A server with small limits."""
    running = EchoServer(thread, LIMITS)
    yield running
    running.stop()


def refused(server: EchoServer, raw: bytes) -> tuple[int, bytes]:
    """Send; status and body of the one answer, after which the connection must end."""
    with Client(server.port) as client:
        client.send(raw)
        answer = client.read()
        assert answer.header("connection") == "close"
        client.wait_ended()
        assert client.buffer == b"", "a second answer"
    return answer.status, answer.body


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: user@a\r\n\r\n",
        b"GET / HTTP/2.0\r\nhost: a\r\n\r\n",
        b"GET relative HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx : 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nauthorization: x\r\nauthorization: y\r\ncontent-length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nx-api-key: x\r\nx-api-key: y\r\ncontent-length: 0\r\n\r\n",
        b"BREW / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"\x00" * 100,
    ],
)
def test_garbage_is_refused_and_ends(server: EchoServer, raw: bytes) -> None:
    """What is not one clear HTTP/1.1 request gets one 400 and the end of the connection; it never reaches a call."""
    assert refused(server, raw) == (400, b"bad_request")
    assert server.app.handled == []


def test_connect_is_refused(server: EchoServer) -> None:
    """This is no proxy."""
    status, _ = refused(server, b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n")
    assert status in (400, 405)
    assert server.app.handled == []


def test_garbage_after_a_good_request(server: EchoServer) -> None:
    """What came whole before the garbage is answered first, then comes the refusal, then the end."""
    with Client(server.port) as client:
        client.send(HEAD + b"\r\n" + b"\x00garbage\r\n\r\n")
        assert client.read("GET").body == b"GET / 0"
        assert client.read().status == 400
        client.wait_ended()


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"x-long: " + b"h" * (MAX_HEAD + 1) + b"\r\n\r\n",
        HEAD + b"".join(b"x-%d: 1\r\n" % n for n in range(MAX_FIELDS)) + b"\r\n",
        b"GET /" + b"p" * (MAX_HEAD + 1) + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        HEAD + b"x-endless: " + b"h" * 400_000,
        HEAD + b"n" * 400_000,
        b"G" + b"E" * 400_000,
        b"GET /" + b"p" * 400_000,
    ],
)
def test_heads_are_bounded(server: EchoServer, raw: bytes) -> None:
    """Too many fields, or too many bytes of them, whole or endless, get 431 (or 400 where the parser is faster)."""
    assert refused(server, raw)[0] in (400, 431)
    assert server.app.handled == []


def test_head_up_to_the_limit(server: EchoServer) -> None:
    """A head of nearly 64 KiB in many fields is fine, in one write and in many."""
    raw = HEAD + b"".join(b"x-%02d: %b\r\n" % (n, b"v" * 640) for n in range(98)) + b"\r\n"
    for size in (len(raw), 1000):
        with Client(server.port) as client:
            for at in range(0, len(raw), size):
                client.send(raw[at : at + size])
                time.sleep(0.0005)
            assert client.read("GET").status == 200


def test_endless_trailers(server: EchoServer) -> None:
    """Trailers are bounded like heads."""
    raw = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert refused(server, raw + b"x-t: " + b"t" * 600_000)[0] == 431
    many = b"".join(b"x-%d: 1\r\n" % n for n in range(200))
    assert refused(server, raw + many + b"\r\n")[0] == 431
    assert server.app.handled == []


def test_declared_body_over_the_limit(strict: EchoServer) -> None:
    """A length above the limit is refused before any of the body is read, and names both."""
    assert refused(strict, HEAD.replace(b"GET", b"POST") + b"content-length: 10001\r\n\r\n")[0] == 413
    assert "10001" in strict.app.refusals[0].message and "10000" in strict.app.refusals[0].message


def test_chunked_body_over_the_limit(strict: EchoServer) -> None:
    """A body that says no length is refused when it passes the limit."""
    head = HEAD.replace(b"GET", b"POST") + b"transfer-encoding: chunked\r\n\r\n"
    assert refused(strict, head + wire.chunked(b"x" * 10_001, [100]))[0] == 413
    with Client(strict.port) as client:
        client.send(head + wire.chunked(b"x" * 10_000, [100]))
        assert client.read().body == b"POST / 10000"


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhost: a\r\nx-slow:"])
def test_slow_head(strict: EchoServer, start: bytes) -> None:
    """A head that does not come whole in time gets 408, also when it drips."""
    with Client(strict.port) as client:
        client.send(start)
        for _ in range(4):
            time.sleep(0.2)
            try:
                client.send(b"x")
            except OSError:
                break
        answer = client.read()
        assert (answer.status, answer.body) == (408, b"request_timeout")
        client.wait_ended()


def test_slow_body(strict: EchoServer) -> None:
    """A body below the floor gets 408; one above it may take longer than a head may."""
    head = HEAD.replace(b"GET", b"POST") + b"content-length: 4000\r\n\r\n"
    with Client(strict.port) as client:
        client.send(head + b"x" * 10)
        assert client.read().status == 408
        client.wait_ended()
    with Client(strict.port) as client:
        client.send(head)
        for _ in range(10):
            client.send(b"x" * 400)
            time.sleep(0.15)
        assert client.read().body == b"POST / 4000"


def test_slow_second_request_after_a_call(strict: EchoServer) -> None:
    """A head begun behind an open call has as long as any other once the call is over, not as long as keep-alive."""
    with Client(strict.port, timeout=1.5) as client:
        client.send(HEAD.replace(b" / ", b" /hold ") + b"\r\n" + b"GET /slow HTTP/1.1\r\nhost")
        _wait(lambda: bool(strict.app.held))
        strict.release()
        assert client.read("GET").status == 200
        assert client.read("GET").status == 408
        client.wait_ended()


def test_body_begun_long_before_is_not_late(strict: EchoServer) -> None:
    """The time an earlier call took is not counted against the body that waited behind it."""
    body = b"x" * 9000
    with Client(strict.port) as client:
        begun = HEAD.replace(b"GET /", b"POST /late") + b"content-length: 9000\r\n\r\n"
        client.send(HEAD.replace(b" / ", b" /hold ") + b"\r\n" + begun + body[:100])
        _wait(lambda: bool(strict.app.held))
        time.sleep(1.5)
        strict.release()
        assert client.read("GET").status == 200
        time.sleep(0.3)
        client.send(body[100:])
        assert client.read().body == b"POST /late 9000"


def test_idle_connections_end(strict: EchoServer) -> None:
    """A connection that says nothing ends without a word: at first after the head's time, later after keep-alive."""
    with Client(strict.port) as silent, Client(strict.port) as used:
        used.send(HEAD + b"\r\n")
        assert used.read("GET").status == 200
        assert silent.wait_ended() and used.wait_ended()
        assert silent.buffer == used.buffer == b""
    _wait(lambda: not strict.members)


def test_write_stall_is_cut(strict: EchoServer) -> None:
    """A client that takes nothing of its answer is cut off after the stall's time."""
    with Client(strict.port, receive_buffer=4096) as client:
        client.send(HEAD.replace(b" / ", b" /big ") + b"\r\n")
        _wait(lambda: bool(strict.app.handled))
        _wait(lambda: not strict.members, 10)


def test_slow_reader_is_not_cut(strict: EchoServer) -> None:
    """One that keeps reading, if slowly, gets its whole answer."""
    with Client(strict.port, receive_buffer=65536) as client:
        client.send(HEAD.replace(b" / ", b" /big ") + b"connection: close\r\n\r\n")
        assert client.read_head().status == 200
        size = len(client.buffer) + client.read_slowly(250_000, 4.0)
        client.buffer.clear()
        assert client.wait_ended()
        assert size + len(client.buffer) == 8 << 20


def test_unread_answers_hold_back_further_calls(server: EchoServer) -> None:
    """A client that pipelines and does not read has no more calls begun for it than the buffer holds."""
    with Client(server.port, receive_buffer=4096) as client:
        client.send((HEAD.replace(b" / ", b" /big ") + b"\r\n") * 50)
        time.sleep(0.5)
        assert len(server.app.handled) <= 2
        for _ in range(50):
            assert len(client.read("GET").body) == 8 << 20
        assert len(server.app.handled) == 50


def _wait(condition: object, seconds: float = 5.0) -> None:
    """Until `condition()` is true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
