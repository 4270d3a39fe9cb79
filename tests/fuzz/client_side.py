"""The server's side of HTTP: any bytes to a real connection with the worker's real application behind it."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from functools import cache
from typing import Any, NamedTuple

from encke.calls.desk import Desk
from encke.catalogue.catalogue import Catalogue, Model, TargetName
from encke.core.faults import FAULTS, Fault
from encke.http.incoming import FOREVER, ServerLimits
from encke.http.known import KnownHeads
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.ledger.journal import Journal, make_segment, make_slots
from encke.telemetry.access import AccessLog
from encke.worker.app import WorkerApp
from encke.worker.models import Discovery
from tests.fuzz.answers import Answer, read_answers
from tests.fuzz.bits import Bits, cut
from tests.fuzz.files import scratch
from tests.fuzz.transport import FakeTransport, sweeper
from tests.support.admit import admitting

PEPPER = b"p" * 32
KEY = "sk-fuzz-0123456789abcdefghijklmnopqrstuvwxyz"
LIMITS = ServerLimits(max_body=1 << 16)
ORIGIN = "https://app.example"
FIELDS = ("x-request-id", "x-cometapi-request-id", "openai-processing-ms")


class Watched:
    """The worker's application, with a count of what it was given. What must not happen raises."""

    def __init__(self, inner: WorkerApp) -> None:
        self.inner = inner
        self.methods: list[str] = []
        self.crash: BaseException | None = None

    @property
    def draining(self) -> bool:
        """See `Application`."""
        return self.inner.draining

    @property
    def epoch(self) -> int:
        """See `Application`."""
        return self.inner.epoch

    def check(self, request: Request) -> Fault | None:
        """See `Application`."""
        return self.inner.check(request)

    def handle(self, request: Request, connection: ServerConnection) -> Coroutine[Any, None, None]:
        """See `Application`."""
        self.methods.append(request.method)
        return self.inner.handle(request, connection)

    def refuse(self, request: Request | None, connection: ServerConnection, fault: Fault) -> None:
        """See `Application`."""
        self.methods.append(request.method if request is not None else "")
        self.inner.refuse(request, connection, fault)

    def crashed(self, connection: ServerConnection, error: BaseException) -> None:
        """See `Application`."""
        self.crash = error


def make_journal(name: int) -> Journal:
    """A journal with room for a long run of refusals, in memory."""
    folder = scratch()
    journal = Journal(make_slots(folder, name))
    journal.add_segment(make_segment(folder, name, 1, 1 << 20))
    return journal


@cache
def app() -> WorkerApp:
    """A worker's application with one key, one model whose provider is never reached, and one origin."""
    admission = admitting(PEPPER, {"0123456789AB": KEY})
    catalogue = Catalogue(frozenset({"lab"}), {"m": Model("m", (TargetName("lab", "m"),))})
    discovery = Discovery(catalogue, {}, {})
    desk = Desk(catalogue, {}, make_journal(2), AccessLog(None), discovery.discover)
    made = WorkerApp(desk, admission, discovery, (ORIGIN,))
    made.journal_ready = True
    return made


class Outcome(NamedTuple):
    """What came of some bytes."""

    answers: list[Answer]
    asked: int
    ended: bool


def play(data: bytes, seed: int, heads: KnownHeads | None = None) -> Outcome:
    """Feed bytes to a new connection; every answer is judged. `heads` is what earlier connections have learnt."""
    watched, transport = Watched(app()), FakeTransport()
    members: set[ServerConnection] = set()
    connection = ServerConnection(watched, sweeper(), LIMITS, members, heads)
    connection.connection_made(transport)
    for piece in cut(data, seed):
        connection.data_received(piece)
    assert transport.reading or transport.ended
    if not transport.ended:
        _let_time_pass(connection, transport, watched)
    assert connection.eof_received() is False
    connection.connection_lost(None)
    assert members == set()
    if watched.crash is not None:
        raise watched.crash
    answers = read_answers(bytes(transport.out), watched.methods, transport.ended)
    assert len(answers) == len(watched.methods), (len(answers), watched.methods)
    for number, answer in enumerate(answers):
        _judge(answer, last=number == len(answers) - 1, head=watched.methods[number] == "HEAD")
    return Outcome(answers, len(watched.methods), transport.ended)


def _let_time_pass(connection: ServerConnection, transport: FakeTransport, watched: Watched) -> None:
    """The deadline comes for what is not whole, and for what is idle: at most one answer more, and the end."""
    before = len(watched.methods)
    assert connection.deadline < FOREVER, "a connection that waits for ever"
    connection.expire(connection.deadline)
    assert transport.ended and len(watched.methods) - before <= 1, "a connection outlives its deadline"


def _judge(answer: Answer, *, last: bool, head: bool) -> None:
    assert all(name in answer.headers for name in FIELDS), answer
    assert answer.headers.get("vary") == "origin", answer
    assert last or answer.headers.get("connection") != "close", "an answer after the last"
    if answer.status == 200:
        assert head or not answer.body or isinstance(json.loads(answer.body), dict)
        return
    assert 400 <= answer.status < 500 and answer.headers["x-should-retry"] == "false", answer
    if not head:
        said = json.loads(answer.body)
        assert said["request_id"] == answer.headers["x-request-id"]
        assert FAULTS[said["error"]["code"]].status == answer.status, said


def server(data: bytes) -> None:
    """One good answer to each request, none to none; the same ones however the bytes are cut; never an exception."""
    bits = Bits(data)
    seed = bits.number(256)
    text = bits.rest.replace(b"@KEY", KEY.encode())
    outcomes = [play(text, one) for one in (0, 1, seed)]
    heads = KnownHeads()
    outcomes += [play(text, one, heads) for one in (0, 0, seed, 0)]
    for other in outcomes[1:]:
        assert [_gist(one) for one in outcomes[0].answers] == [_gist(one) for one in other.answers], outcomes
        for first, second in zip(outcomes[0].answers, other.answers, strict=True):
            # The method of a request that breaks off in its first line may not be known yet; HEAD has no body.
            assert _code(first) == _code(second) or "" in (_code(first), _code(second)), (first, second)


def _gist(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.headers.get("connection")


def _code(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["code"]) if answer.status >= 400 and answer.body else ""
