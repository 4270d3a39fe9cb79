"""The pool: connections are used again, never shared, never lost count of, and only made where that is allowed."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from encke.core.faults import Fault
from encke.http.fetch import fetch
from encke.http.pool import Endpoint, Pool
from encke.testing import wire
from encke.testing.script import Fin, Rst, Script, Send, Sleep, Stall
from encke.testing.upstream import FakeUpstream
from tests.http.support import LoopThread, ask

OK = wire.http_response(200, [wire.JSON], b"{}")
MakePool = Callable[..., Pool]


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """A fake upstream that answers `{}`."""
    with FakeUpstream(lambda request: Script([Send(OK)])) as running:
        yield running


@pytest.fixture
def make(thread: LoopThread, upstream: FakeUpstream) -> Iterator[MakePool]:
    """Makes pools for it, with other settings where they are given."""
    made: list[Pool] = []

    def make_pool(**given: object) -> Pool:
        plain = Endpoint("t", "127.0.0.1", upstream.port, None, None, True, 1.0, 4)
        made.append(thread.call(lambda: Pool(plain._replace(**given), thread.loop, thread.sweeper)))  # type: ignore[arg-type]
        return made[-1]

    yield make_pool
    for pool in made:
        thread.call(pool.close)


def settled(thread: LoopThread, pool: Pool, counts: tuple[int, int, int], seconds: float = 5.0) -> None:
    """Until the pool's counts (open, idle, connecting) are these."""
    end = time.monotonic() + seconds
    while (now := thread.call(lambda: pool.counts)) != counts:
        assert time.monotonic() < end, f"{now} is not {counts}"
        time.sleep(0.01)


def test_reuse(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """A hundred requests one after the other go over one connection."""
    pool = make()
    for _ in range(100):
        assert thread.drive(ask(pool)).result() == (200, b"{}")
    assert (pool.connects, upstream.statement.connects) == (1, 1)


def test_never_two_at_once(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """Requests at the same time go over connections of their own, up to the limit; the others wait their turn."""
    upstream.behave = lambda request: Script([Sleep(0.02), Send(wire.http_response(200, [], request.body))])
    pool = make()
    running = [thread.drive(ask(pool, b"%d" % number)) for number in range(40)]
    assert [driven.result() for driven in running] == [(200, b"%d" % number) for number in range(40)]
    assert upstream.statement.connects == 4
    settled(thread, pool, (4, 4, 0))


def test_waiting_has_an_end(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """Who gets no connection in time is told that all are in use."""
    upstream.behave = lambda request: Script([Stall()])
    pool = make(max_connections=1, connect_timeout=0.2)
    first = thread.drive(ask(pool))
    upstream.statement.wait_for(lambda s: len(s.calls()) == 1)
    with pytest.raises(Fault) as raised:
        thread.drive(ask(pool)).result()
    assert raised.value.code == "overloaded" and "in use" in raised.value.message
    thread.call(lambda: first.driver.cancel(Fault("overloaded", "over")))
    settled(thread, pool, (0, 0, 0))


def test_room_of_a_closed_connection(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """A connection that closes makes room for one who waits, who need not wait for the timeout."""
    upstream.queue(Script([Stall()]))
    pool = make(max_connections=1, connect_timeout=8.0)
    first = thread.drive(ask(pool))
    upstream.statement.wait_for(lambda s: len(s.calls()) == 1)
    second = thread.drive(ask(pool))
    thread.call(lambda: first.driver.cancel(Fault("overloaded", "over")))
    assert second.result(2.0) == (200, b"{}")


def test_closed_while_idle(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """A connection that upstream closes while it is idle is forgotten and not handed out."""
    pool = make()
    for end in (Fin(), Rst()):
        upstream.queue(Script([Send(OK), Sleep(0.02), end]))
        assert thread.drive(ask(pool)).result() == (200, b"{}")
        settled(thread, pool, (0, 0, 0))
    assert thread.drive(ask(pool)).result() == (200, b"{}")


def test_stale_reuse_is_told_as_reset(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """A reused connection that ends without a byte is a reset on a used connection, which routing may try again."""
    pool = make()
    upstream.queue(Script([Send(OK)]), Script([Rst()]))
    thread.drive(ask(pool)).result()
    connection = thread.call(lambda: pool._idle[-1])
    with pytest.raises(Fault, match="upstream_reset"):
        thread.drive(ask(pool)).result()
    assert connection.uses == 2 and not connection.answered


async def take_fresh(pool: Pool) -> None:
    """Raises AssertionError if the connection has been used."""
    connection = await pool.acquire(fresh=True)
    assert connection.uses == 0
    pool.give_back(connection)


@pytest.mark.parametrize("most", [1, 4])
def test_fresh_means_never_used(thread: LoopThread, upstream: FakeUpstream, make: MakePool, most: int) -> None:
    """Neither an idle one nor one that gets free in the meantime, also where there is room for one only."""
    pool = make(max_connections=most)
    thread.drive(ask(pool)).result()
    assert thread.call(lambda: pool._idle[-1].uses) == 1
    thread.drive(take_fresh(pool)).result()
    settled(thread, pool, (min(most, 2), min(most, 2), 0))
    upstream.behave = lambda request: Script([Sleep(0.1), Send(OK)])
    busy = [thread.drive(ask(pool)) for _ in range(most)]
    fresh = [thread.drive(take_fresh(pool)) for _ in range(3)]
    for driven in busy:
        driven.result()
    for one in fresh:
        one.result()
    assert thread.call(lambda: not pool._waiting and not pool._waiting_fresh)


def test_storm_of_cancels(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """Five hundred requests, half of them cancelled at odd moments: none stays busy, none gets another's answer."""
    rng = random.Random(3)

    def answer(request: object) -> Script:
        body = request.body  # type: ignore[attr-defined]
        half = wire.head(200, [wire.CHUNKED]) + wire.chunk(body)
        return Script([Sleep(rng.random() * 0.01), Send(half), Sleep(rng.random() * 0.01), Send(wire.LAST_CHUNK)])

    upstream.behave = answer
    pool = make(max_connections=20, connect_timeout=10.0)
    good = 0
    for batch in range(10):
        running = [(number, thread.drive(ask(pool, b"b%dn%d" % (batch, number)))) for number in range(50)]
        for _, driven in running:
            if rng.random() < 0.5:
                time.sleep(rng.random() * 0.002)
                thread.call(lambda d=driven: d.driver.cancel(Fault("overloaded", "cancelled")))  # type: ignore[misc]
        for number, driven in running:
            try:
                assert driven.result() == (200, b"b%dn%d" % (batch, number))
                good += 1
            except Fault as fault:
                assert fault.message == "cancelled"
    assert good > 100
    end = time.monotonic() + 5
    while thread.call(lambda: pool.counts[0] - pool.counts[1] + pool.counts[2]):
        assert time.monotonic() < end, pool.counts
    assert not pool._waiting


def test_connection_that_ends_as_it_is_made(thread: LoopThread, make: MakePool) -> None:
    """A listener that resets at once costs a Fault, and no place in the pool for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        pool = make(port=listener.getsockname()[1], max_connections=2, connect_timeout=0.5)
        for _ in range(6):
            driven = thread.drive(ask(pool))
            peer, _ = listener.accept()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
            with pytest.raises(Fault) as raised:
                driven.result()
            assert raised.value.code in ("upstream_unreachable", "upstream_reset")
        settled(thread, pool, (0, 0, 0))


def test_refused_and_unresolved(thread: LoopThread, make: MakePool) -> None:
    """Nobody there, no such name, no name at all: 502 that says which."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for given, says, verdict in (
        ({"port": port}, "refused", "again"),
        ({"host": "no-such-host.invalid"}, "cannot be resolved", "next"),
        ({"host": "x" * 80 + ".example"}, "cannot be resolved", "next"),
        ({"unix": "/nonexistent/socket"}, "embedded model", "next"),
    ):
        with pytest.raises(Fault) as raised:
            thread.drive(ask(make(**given))).result()
        assert raised.value.code == "upstream_unreachable" and raised.value.verdict == verdict
        assert says in raised.value.message.lower()


def test_connect_timeout(thread: LoopThread, make: MakePool) -> None:
    """A host that does not answer costs the connect timeout, and the message says how long that was."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        pool = make(port=full.getsockname()[1], connect_timeout=0.3)
        with pytest.raises(Fault, match=r"upstream_unreachable.*within 0\.3 s"):
            thread.drive(ask(pool)).result()
        settled(thread, pool, (0, 0, 0))
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_private_addresses_need_permission(
    thread: LoopThread, upstream: FakeUpstream, make: MakePool, host: str
) -> None:
    """Without `allow_private` no connection to a private address is made, whatever name leads there."""
    with pytest.raises(Fault, match="allow_private"):
        thread.drive(ask(make(host=host, allow_private=False))).result()
    assert upstream.statement.connects == 0


def test_fetch(thread: LoopThread, upstream: FakeUpstream, make: MakePool) -> None:
    """A small GET gives status and body; too much of it, and too late, are Faults."""
    pool = make()
    head = b"GET /v1/models HTTP/1.1\r\nhost: t\r\n\r\n"
    far = thread.sweeper.now + 60
    assert thread.drive(fetch(pool, head, 100, far)).result() == (200, b"{}")
    upstream.queue(Script([Send(wire.http_response(200, [], b"x" * 101))]), Script([Stall()]))
    with pytest.raises(Fault, match="upstream_too_large"):
        thread.drive(fetch(pool, head, 100, far)).result()
    with pytest.raises(Fault, match="upstream_timeout"):
        thread.drive(fetch(pool, head, 100, thread.sweeper.now + 0.2)).result()
    settled(thread, pool, (0, 0, 0))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Self-signed certificates: one for 127.0.0.1, one for another name."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {}
    for name, alt in (("right", "IP:127.0.0.1"), ("wrong", "DNS:other.example")):
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alt}"]
        subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        made[name] = (certificate, key)
    return made


def test_tls(thread: LoopThread, make: MakePool, certificates: dict[str, tuple[Path, Path]]) -> None:
    """TLS works with the CA that is named; another name, and an unknown CA, are refused in clear words."""
    cases = [("right", "right", ""), ("wrong", "wrong", "not valid for"), ("right", "wrong", "self-signed")]
    for served, trusted, says in cases:
        context = ssl.create_default_context(cafile=str(certificates[trusted][0]))
        with FakeUpstream(lambda request: Script([Send(OK)]), tls=certificates[served]) as secure:
            pool = make(port=secure.port, tls=context)
            if not says:
                for _ in range(3):
                    assert thread.drive(ask(pool)).result() == (200, b"{}")
                assert secure.statement.connects == 1
                thread.call(pool.close)
                continue
            with pytest.raises(Fault) as raised:
                thread.drive(ask(pool)).result()
            assert raised.value.code == "upstream_unreachable"
            assert "TLS" in raised.value.message and says in raised.value.message.replace("self signed", "self-signed")
            assert secure.statement.calls() == []
            settled(thread, pool, (0, 0, 0))
