"""Clients that leave, wait, half-close or come back: what the call learns, and that no request gets two answers."""

from __future__ import annotations

import time

import pytest

from tests.http.support import EchoServer, LoopThread
from tests.support.client import Client

HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
EXPECT = b"expect: 100-continue\r\n"


def at(path: str, more: bytes = b"\r\n", method: bytes = b"GET") -> bytes:
    """A head for that path."""
    return HEAD.replace(b"GET / ", method + f" {path} ".encode()) + more


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("path", ["/hold", "/stream"])
def test_client_that_leaves_during_its_call(server: EchoServer, how: str, path: str) -> None:
    """The call learns at once that its client left, before and after the head has been sent."""
    client = Client(server.port)
    client.send(at(path))
    _wait(lambda: bool(server.app.held))
    if path == "/stream":
        client.read_head()
    getattr(client, how)()
    _wait(lambda: server.app.gone == [path], 1.0)
    _wait(lambda: not server.members, 4.0)
    assert server.app.crashes == []
    client.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GE", HEAD, at("/", b"content-length: 10\r\n\r\nabc", b"POST"), b"POST / HTTP/1.1\r\nhost: a\r\n"]
)
@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_leaves_before_its_call(server: EchoServer, sent: bytes, how: str) -> None:
    """Half a request is no call; the connection is forgotten."""
    client = Client(server.port)
    client.send(sent)
    _wait(lambda: bool(server.members))
    getattr(client, how)()
    _wait(lambda: not server.members, 1.0)
    assert server.app.handled == [] and server.app.refusals == []


def test_waiting_requests_of_a_client_that_left(server: EchoServer) -> None:
    """Requests behind the open call of a client that left are never begun."""
    client = Client(server.port)
    client.send(at("/hold") + at("/never") * 20)
    _wait(lambda: bool(server.app.held))
    client.reset()
    _wait(lambda: bool(server.app.gone), 1.0)
    server.release()
    time.sleep(0.05)
    assert [path for _, path, _ in server.app.handled] == ["/hold"]


def test_request_and_half_close(server: EchoServer) -> None:
    """Who sends a request and then FIN gets the answer where it was ready before the FIN was seen."""
    with Client(server.port) as client:
        client.send(at("/"))
        assert client.read("GET").status == 200
        client.half_close()
        assert client.wait_ended()


def test_continue_is_sent_for_a_body(server: EchoServer) -> None:
    """A client that waits for a word gets it, then its answer."""
    with Client(server.port) as client:
        client.send(at("/e", EXPECT + b"content-length: 5\r\n\r\n", b"POST"))
        time.sleep(0.05)
        client.send(b"hello")
        answer = client.read()
        assert (answer.interim, answer.body) == ([100], b"POST /e 5")
        client.send(at("/e", EXPECT + b"transfer-encoding: chunked\r\n\r\n", b"POST"))
        time.sleep(0.05)
        client.send(b"5\r\nhello\r\n0\r\n\r\n")
        answer = client.read()
        assert (answer.interim, answer.body) == ([100], b"POST /e 5")


def test_refused_early_without_continue(server: EchoServer) -> None:
    """A client that waits is refused without being told to send, and the connection ends."""
    with Client(server.port) as client:
        client.send(at("/refuse", EXPECT + b"content-length: 5\r\n\r\n", b"POST"))
        answer = client.read()
        assert (answer.status, answer.interim) == (403, [])
        assert client.wait_ended()


def test_no_continue_for_http10_or_without_a_body(server: EchoServer) -> None:
    """HTTP/1.0 knows no interim answers, and without a body there is nothing to go on with."""
    for raw in (
        at("/", EXPECT + b"\r\n"),
        at("/", EXPECT + b"content-length: 2\r\n\r\nab", b"POST").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        with Client(server.port) as client:
            client.send(raw)
            assert client.read().interim == []


def test_small_refused_body_keeps_the_connection(server: EchoServer) -> None:
    """The body of a refused request is read over where it is small, and the next request is answered."""
    with Client(server.port) as client:
        client.send(at("/refuse", b"content-length: 5\r\n\r\nhello", b"POST") + at("/next"))
        assert [client.read().status, client.read("GET").body] == [403, b"GET /next 0"]


def test_refused_large_body_reaches_the_sender(server: EchoServer) -> None:
    """Who sends a large body gets the refusal rather than a reset, though most of the body is never read."""
    with Client(server.port) as client:
        client.send(at("/refuse", b"content-length: 900000\r\n\r\n", b"POST") + b"x" * 900_000)
        answer = client.read()
        assert (answer.status, answer.header("connection")) == (403, "close")
        assert client.wait_ended()
        assert client.buffer == b""


def test_crash_is_one_500(server: EchoServer) -> None:
    """A fault of the application is told once and ends the connection."""
    with Client(server.port) as client:
        client.send(at("/boom") + at("/next"))
        answer = client.read("GET")
        assert (answer.status, answer.header("connection")) == (500, "close")
        client.wait_ended()
        assert client.buffer == b""
    assert len(server.app.crashes) == 1


def test_second_request_during_the_call(server: EchoServer) -> None:
    """A request that arrives while a call is open, whole or in part, is answered after it."""
    with Client(server.port) as client:
        client.send(at("/hold"))
        _wait(lambda: bool(server.app.held))
        client.send(at("/second", b"content-le", b"POST"))
        time.sleep(0.02)
        assert len(server.app.handled) == 1
        server.release()
        assert client.read("GET").body == b"GET /hold 0"
        client.send(b"ngth: 3\r\n\r\nabc")
        assert client.read().body == b"POST /second 3"


def test_stream_then_next(server: EchoServer) -> None:
    """After a stream the connection serves on."""
    with Client(server.port) as client:
        for _ in range(3):
            client.send(at("/stream") + at("/after"))
            _wait(lambda: bool(server.app.held))
            server.release()
            assert client.read("GET").body == b"first second /stream"
            assert client.read("GET").body == b"GET /after 0"


def test_draining_ends_connections(server: EchoServer, thread: LoopThread) -> None:
    """While draining an idle connection ends at once, one with a call after its answer, which says so."""
    with Client(server.port) as idle, Client(server.port) as busy:
        idle.send(at("/"))
        idle.read("GET")
        busy.send(at("/hold"))
        _wait(lambda: bool(server.app.held))

        def drain() -> None:
            server.app.draining = True
            for member in list(server.members):
                member.close_if_idle()

        thread.call(drain)
        assert idle.wait_ended()
        server.release()
        answer = busy.read("GET")
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert busy.wait_ended()
    _wait(lambda: not server.members)


def test_storm_of_leaving_clients(server: EchoServer, thread: LoopThread) -> None:
    """Two hundred clients that leave at odd moments leave nothing behind."""
    before = len(thread.sweeper)
    for number in range(200):
        client = Client(server.port)
        raw = (at("/hold") if number % 2 else at("/stream")) + at("/next")
        client.send(raw[: (number * 7) % len(raw)])
        client.reset() if number % 3 else client.close()
    _wait(lambda: not server.members, 5.0)
    assert len(thread.sweeper) == before
    assert server.app.crashes == []


def _wait(condition: object, seconds: float = 5.0) -> None:
    """Until `condition()` is true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)
