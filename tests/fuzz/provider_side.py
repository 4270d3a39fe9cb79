"""The client's side of HTTP: any bytes from a provider, through a real exchange to a real caller and a real journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from encke.calls.desk import Desk
from encke.calls.upstream import Patience, Upstream
from encke.catalogue.catalogue import Catalogue, Model, TargetName
from encke.core.faults import FAULTS, Fault
from encke.http.client import UpstreamConnection
from encke.http.pool import Endpoint, Pool
from encke.http.server import ServerConnection
from encke.ledger.journal import Journal
from encke.routing.retry import RetryPolicy
from encke.telemetry.access import AccessLog
from encke.worker.admission import Admission
from encke.worker.app import WorkerApp
from encke.worker.models import Discovery
from tests.fuzz.answers import Answer, read_answers
from tests.fuzz.bits import Bits, cut
from tests.fuzz.client_side import KEY, LIMITS, PEPPER, Watched, make_journal
from tests.fuzz.transport import FakeTransport, sweeper
from tests.support.admit import admitting

BODIES = (
    b'{"model":"m","messages":[]}',
    b'{"model":"m","messages":[],"stream":true}',
    b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
)
HEADS: Mapping[str, bytes] = MappingProxyType(
    {"chat": b"POST /v1/chat/completions HTTP/1.1\r\nhost: u\r\ncontent-length: "}
)
DONE = b"data: [DONE]\n\n"
ROOM = 900_000  # bytes of a journal, after which a new one is made
JOURNALS: list[Journal] = []


class Taker:
    """An exchange (`encke.http.client.Exchange`) that writes down what it is told."""

    def __init__(self) -> None:
        self.deadline = 1e18
        self.status = 0
        self.body = b""
        self.ends: list[str] = []

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """See `Exchange`."""
        assert not self.status and not self.ends and 200 <= status <= 999, (self.status, status)
        self.status = status

    def on_body(self, data: bytes) -> None:
        """See `Exchange`."""
        assert self.status and not self.ends
        self.body += data

    def on_read(self) -> None:
        """See `Exchange`."""
        assert not self.ends

    def on_end(self) -> None:
        """See `Exchange`."""
        self.ends.append("end")

    def on_lost(self, fault: Fault, clean: bool) -> None:
        """See `Exchange`."""
        assert fault.status >= 500
        self.ends.append("clean" if clean else "lost")

    def on_crash(self, error: Exception) -> None:
        """See `Exchange`."""
        raise error

    def expire(self, now: float) -> None:
        """See `Exchange`."""


class Home:
    """What a pool is to a connection."""

    def __init__(self) -> None:
        self.back = 0
        self.gone = 0

    def give_back(self, connection: UpstreamConnection) -> None:
        """It is free again."""
        assert not self.gone
        self.back += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """It is closed."""
        self.gone += 1


def _exchange(data: bytes, seed: int) -> tuple[int, bytes, str]:
    home, transport, taker = Home(), FakeTransport(), Taker()
    connection = UpstreamConnection(home, sweeper())
    connection.connection_made(transport)
    connection.send(taker, b"GET / HTTP/1.1\r\n\r\n", [], 0)
    for piece in cut(data, seed):
        if transport.ended:
            break
        connection.data_received(piece)
    if not transport.ended:
        assert connection.eof_received() is False
    connection.connection_lost(None)
    assert len(taker.ends) == 1, taker.ends
    assert home.back <= 1 and home.gone >= 1
    assert not home.back or taker.ends == ["end"], "a connection is used again though its answer was not whole"
    return taker.status, taker.body if taker.ends != ["lost"] else b"", taker.ends[0]


def client(data: bytes) -> None:
    """An exchange has one end, told once; the same answer comes of the same bytes however they are cut."""
    bits = Bits(data)
    seed = bits.number(256)
    said = [_exchange(bits.rest, one) for one in (0, 1, seed)]
    assert said[0][1:] == said[1][1:] == said[2][1:], said
    if said[0][2] != "lost":
        assert said[0] == said[1] == said[2], said


# A whole call: a caller's request, the provider's bytes, the caller's answer, the ledger's entry.


def _journal() -> Journal:
    if not JOURNALS or JOURNALS[-1]._at > ROOM:
        while JOURNALS:
            JOURNALS.pop().close()
        JOURNALS.append(make_journal(3))
    return JOURNALS[-1]


@cache
def _admission() -> Admission:
    return admitting(PEPPER, {"0123456789AB": KEY})


class Seen(NamedTuple):
    """What the caller got, and whether the connection ended."""

    answer: Answer
    ended: bool


def _call(request: bytes, data: bytes, seed: int, clean: bool) -> Seen:
    journal, pool = _journal(), Pool(_ENDPOINT, _loop(), sweeper())
    connection = UpstreamConnection(pool, sweeper())
    provider = FakeTransport()
    connection.connection_made(provider)
    pool._open.add(connection)
    pool.give_back(connection)
    upstream = Upstream("lab", pool, HEADS, Patience(), breaking=False)
    catalogue = Catalogue(frozenset({"lab"}), {"m": Model("m", (TargetName("lab", "m"),))})
    discovery = Discovery(catalogue, {}, {})
    # Once: a pause before another attempt would need a clock.
    desk = Desk(catalogue, {"lab": upstream}, journal, AccessLog(None), discovery.discover, RetryPolicy(retries=0))
    watched, caller = Watched(WorkerApp(desk, _admission(), discovery, ())), FakeTransport()
    members: set[ServerConnection] = set()
    server = ServerConnection(watched, sweeper(), LIMITS, members)
    server.connection_made(caller)
    server.data_received(request)
    assert journal.open == 1 and provider.out.startswith(HEADS["chat"])
    for piece in cut(data, seed):
        if provider.ended:
            break
        connection.data_received(piece)
    connection.connection_lost(None if clean else ConnectionResetError())
    assert journal.open == 0, "an attempt without an entry"
    if watched.crash is not None:
        raise watched.crash
    (answer,) = read_answers(bytes(caller.out), watched.methods, caller.ended)
    server.connection_lost(None)
    assert members == set() and pool.counts == (0, 0, 0), pool.counts
    return Seen(answer, caller.ended)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


_ENDPOINT = Endpoint("lab", "u", 80, None, None, True, 1.0, 4)


def call(data: bytes) -> None:
    """Whatever a provider sends, the caller gets one answer, told from its end, and the ledger one entry."""
    bits = Bits(data)
    seed, body, clean = bits.number(256), BODIES[bits.number(len(BODIES))], bool(bits.number(2))
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}"
    )
    request = head.encode() + b"\r\n\r\n" + body
    for one in (0, 1, seed):
        _judge(_call(request, bits.rest, one, clean), bits.rest)


def _judge(seen: Seen, data: bytes) -> None:
    answer = seen.answer
    if answer.status != 200:
        said = json.loads(answer.body)
        assert said["error"]["message"] and said["request_id"] == answer.headers["x-request-id"]
        return
    if not answer.headers["content-type"].startswith("text/event-stream") or "transfer-encoding" not in answer.headers:
        assert isinstance(json.loads(answer.body), dict)
        return
    *events, rest = answer.body.split(b"\n\n")
    assert rest == b"", "half an event"
    last = events[-1]
    if answer.whole:
        told = [line[5:].removeprefix(b" ") for line in last.split(b"\n") if line.startswith(b"data:")]
        assert told and told[0].startswith(b"[DONE]"), last
        assert b"[DONE]" in data or b"finish_reason" in data, "an end that nobody sent"
    else:
        assert seen.ended, "a stream that neither ends nor breaks"
        assert json.loads(last[6:])["error"]["code"] in FAULTS or "code" in json.loads(last[6:])["error"], last
