"""An upstream's connection: what is an answer, where it ends, and when the connection may serve again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from encke.core.faults import Fault
from encke.http.pool import Endpoint, Pool
from encke.testing import wire
from encke.testing.script import Fin, Rst, Script, Send, Sleep, Stall, Step, pieces
from encke.testing.upstream import FakeUpstream
from tests.http.support import Collected, LoopThread, ask

OK = wire.http_response(200, [wire.JSON], b'{"a": 1}')
GOOD = (200, b'{"a": 1}')


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """A fake upstream; scripts are queued."""
    with FakeUpstream() as running:
        yield running


@pytest.fixture
def pool(thread: LoopThread, upstream: FakeUpstream) -> Iterator[Pool]:
    """A pool for it."""
    endpoint = Endpoint("t", "127.0.0.1", upstream.port, None, None, True, 2.0, 4)
    running = thread.call(lambda: Pool(endpoint, thread.loop, thread.sweeper))
    yield running
    thread.call(running.close)


def play(upstream: FakeUpstream, thread: LoopThread, pool: Pool, *steps: Step) -> tuple[int, bytes]:
    """One request that is answered by steps."""
    upstream.queue(Script(list(steps)))
    return thread.drive(ask(pool)).result()


CHUNKED = wire.head(200, [wire.JSON, wire.CHUNKED]) + wire.chunked(b'{"a": 1}', [3])
TRAILERS = (
    wire.head(200, [wire.JSON, wire.CHUNKED]) + wire.chunk(b'{"a": 1}') + b"0\r\nx-cost: 1\r\nset-cookie: a\r\n\r\n"
)
INTERIM = wire.head(100) + wire.head(103, [("link", "</a>")]) + wire.head(102) + OK


@pytest.mark.parametrize("answer", [OK, CHUNKED, TRAILERS, INTERIM], ids=["length", "chunked", "trailers", "1xx"])
def test_good_answers_keep_the_connection(
    upstream: FakeUpstream, thread: LoopThread, pool: Pool, answer: bytes
) -> None:
    """Every way to frame an answer is read, and the connection serves the next request."""
    for _ in range(3):
        assert play(upstream, thread, pool, Send(answer)) == GOOD
    assert upstream.statement.connects == pool.connects == 1
    assert thread.call(lambda: pool.counts) == (1, 1, 0)


@pytest.mark.parametrize("answer", [OK, CHUNKED, TRAILERS, INTERIM], ids=["length", "chunked", "trailers", "1xx"])
def test_answer_cut_at_every_byte(upstream: FakeUpstream, thread: LoopThread, pool: Pool, answer: bytes) -> None:
    """Wherever the network cuts it, it is the same answer, over one connection."""
    for cut in range(1, len(answer)):
        assert play(upstream, thread, pool, *pieces(answer, [cut], 0.0005)) == GOOD
    assert play(upstream, thread, pool, *pieces(answer, range(len(answer)), 0.0)) == GOOD
    assert upstream.statement.connects == 1


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 103 Early\r\ncontent-length: 2\r\n\r\n{}", b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\n{}"],
    ids=["body of 1xx", "status of two digits"],
)
def test_no_answer(upstream: FakeUpstream, thread: LoopThread, pool: Pool, raw: bytes) -> None:
    """An interim answer with a body, or a status that is none, is no answer."""
    with pytest.raises(Fault) as caught:
        play(upstream, thread, pool, Send(raw), Fin())
    assert caught.value.code == "upstream_bad_response"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_close_delimited(upstream: FakeUpstream, thread: LoopThread, pool: Pool, version: str) -> None:
    """An answer without a length ends with the connection, which is not used again."""
    raw = wire.head(200, [wire.JSON], version) + b'{"a": 1}'
    for _ in range(2):
        assert play(upstream, thread, pool, Send(raw), Fin()) == GOOD
    assert upstream.statement.connects == 2
    assert thread.call(lambda: pool.counts) == (0, 0, 0)


@pytest.mark.parametrize("end", [Fin(), Rst()])
@pytest.mark.parametrize("answer", [OK, CHUNKED], ids=["length", "chunked"])
def test_cut_answers_are_never_whole(
    upstream: FakeUpstream, thread: LoopThread, pool: Pool, answer: bytes, end: Step
) -> None:
    """Cut before its end, at any byte, an answer is a reset, never an answer."""
    for cut in range(0, len(answer), 3):
        before: list[Step] = [Send(answer[:cut]), Sleep(0.002)] if cut else []
        with pytest.raises(Fault) as raised:
            play(upstream, thread, pool, *before, end)
        assert raised.value.code == "upstream_reset"
    assert thread.call(lambda: pool.counts) == (0, 0, 0)


def test_reset_of_a_close_delimited_answer(upstream: FakeUpstream, thread: LoopThread, pool: Pool) -> None:
    """A reset is no end."""
    with pytest.raises(Fault, match="upstream_reset"):
        play(upstream, thread, pool, Send(wire.head(200, [wire.JSON]) + b'{"a": 1}'), Sleep(0.02), Rst())


@pytest.mark.parametrize("extra", [b"x", b"\r\n\r\nHTTP", OK, b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_bytes_after_the_answer(
    upstream: FakeUpstream, thread: LoopThread, pool: Pool, extra: bytes, pause: float
) -> None:
    """What follows an answer unasked is no part of it and of no other answer: the connection is not used again."""
    steps: list[Step] = [Send(OK), Sleep(pause), Send(extra)] if pause else [Send(OK + extra)]
    assert play(upstream, thread, pool, *steps) == GOOD
    upstream.statement.wait_for(lambda s: s.open_connections == 0)
    assert play(upstream, thread, pool, Send(OK)) == GOOD
    assert upstream.statement.connects == 2


@pytest.mark.parametrize("field", [("connection", "close"), ("Connection", "CLOSE")])
def test_close_is_heeded(upstream: FakeUpstream, thread: LoopThread, pool: Pool, field: tuple[str, str]) -> None:
    """An upstream that says it will close is not asked again on that connection."""
    for _ in range(2):
        assert play(upstream, thread, pool, Send(wire.http_response(200, [wire.JSON, field], b'{"a": 1}'))) == GOOD
    assert upstream.statement.connects == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"h" * 200_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(2000)) + b"content-length: 0\r\n\r\n",
        wire.head(100) * 10_000 + OK,
    ],
)
def test_wrong_answers(upstream: FakeUpstream, thread: LoopThread, pool: Pool, raw: bytes) -> None:
    """What is no clear HTTP/1.1 answer, or has too much of a head, is a Fault, and the connection goes."""
    with pytest.raises(Fault) as raised:
        play(upstream, thread, pool, Send(raw), Sleep(0.05))
    assert raised.value.code in ("upstream_bad_response", "upstream_too_large")
    assert thread.call(lambda: pool.counts) == (0, 0, 0)


def test_answer_before_the_request_is_sent(upstream: FakeUpstream, thread: LoopThread, pool: Pool) -> None:
    """An early refusal is an answer, and the rest of the request is not sent: the connection ends."""
    early = b'{"model": "fault-early-400-before-body", "pad": "' + b"x" * 20_000_000 + b'"}'
    status, _ = thread.drive(ask(pool, early)).result()
    assert status == 400
    upstream.statement.wait_for(lambda s: s.open_connections == 0)
    assert thread.call(lambda: pool.counts) == (0, 0, 0)


def test_abandoned_connections_are_closed(upstream: FakeUpstream, thread: LoopThread, pool: Pool) -> None:
    """A cancelled exchange's connection is closed at once and never pooled, whatever had come."""
    stalls = [[], [Send(OK[:10])], [Send(OK[:-3])], [Send(wire.head(200, [wire.CHUNKED]) + wire.chunk(b"data"))]]
    for number, steps in enumerate(stalls):
        upstream.queue(Script([*steps, Stall()]))
        driven = thread.drive(ask(pool))
        upstream.statement.wait_for(lambda s, n=number: len(s.calls()) == n + 1)  # type: ignore[misc]
        thread.call(lambda driven=driven: driven.driver.cancel(Fault("overloaded", "cancelled")))  # type: ignore[misc]
        with pytest.raises(Fault, match="overloaded"):
            driven.result()
        upstream.statement.wait_for(lambda s: s.open_connections == 0)
        assert thread.call(lambda: pool.counts) == (0, 0, 0)


def test_late_abandon_does_not_harm_the_next(upstream: FakeUpstream, thread: LoopThread, pool: Pool) -> None:
    """An exchange that is over has no power over its connection, which may be another's."""

    async def first() -> Collected:
        connection = await pool.acquire()
        exchange = Collected(connection)
        connection.send(exchange, b"GET / HTTP/1.1\r\nhost: t\r\n\r\n", [], 0)
        await exchange.done
        return exchange

    upstream.queue(Script([Send(OK)]), Script([Sleep(0.1), Send(OK)]))
    old = thread.drive(first()).result()
    second = thread.drive(ask(pool))
    upstream.statement.wait_for(lambda s: len(s.calls()) == 2)

    def meddle() -> None:
        old.connection.abandon(old)
        old.connection.drain(old)
        old.connection.pause(old)
        old.connection.resume(old)

    thread.call(meddle)
    assert second.result() == GOOD
    assert upstream.statement.connects == 1


def test_drained_connection_serves_again(upstream: FakeUpstream, thread: LoopThread, pool: Pool) -> None:
    """Who has all it wants lets the rest come; if it ends soon, the connection is kept, else closed."""

    head = wire.head(200, [wire.CHUNKED]) + wire.chunk(b"data")
    upstream.queue(Script([Send(head), Sleep(0.05), Send(wire.chunk(b"more") + wire.LAST_CHUNK)]))
    _drain(upstream, thread, pool)
    end = time.monotonic() + 30.0
    while thread.call(lambda: pool.counts) != (1, 1, 0):
        assert time.monotonic() < end
    assert play(upstream, thread, pool, Send(OK)) == GOOD
    assert upstream.statement.connects == 1
    upstream.queue(Script([Send(head), *[Send(wire.chunk(b"x" * 65536))] * 8, Stall()]))
    _drain(upstream, thread, pool)
    upstream.statement.wait_for(lambda s: s.open_connections == 0)
    assert thread.call(lambda: pool.counts) == (0, 0, 0)


class Sipper(Collected):
    """Takes the first piece of a body and has enough."""

    def on_read(self) -> None:
        if self.body:
            self.connection.drain(self)
            self.done.set((self.status, self.body))


def _drain(upstream: FakeUpstream, thread: LoopThread, pool: Pool) -> None:
    async def sip() -> tuple[int, bytes]:
        connection = await pool.acquire()
        exchange = Sipper(connection)
        connection.send(exchange, b"GET / HTTP/1.1\r\nhost: t\r\n\r\n", [], 0)
        return await exchange.done

    assert thread.drive(sip()).result()[1].startswith(b"data")
