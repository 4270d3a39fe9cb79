"""No stuck work: whatever stops at whatever stage, its call ends with its limit, and nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from encke.testing import wire
from encke.testing.polite import STREAM_HEAD, Answer, Options
from encke.testing.request import Request
from encke.testing.script import Script, Send, Stall
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count, Size
from tests.relay.caller import Caller, Came
from tests.relay.conftest import Start, provider
from tests.relay.ledger import by_model, finished
from tests.relay.stages import DRAIN, LIMITS, STAGES, STALL, Stage, behave
from tests.support.client import build, chat
from tests.support.gateway import Gateway
from tests.support.held import connections, descriptors

CHAT = "/v1/chat/completions"
TICK = 0.25  # deadlines are looked at four times a second
SLACK = 25.0  # these are shared machines; it is the code that tells which limit it was


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A port that takes no more connections, and one that takes them and never says a word."""
    with socket.socket() as deaf, socket.socket() as mute:
        for listener, backlog in ((deaf, 0), (mute, 1000)):
            listener.bind(("127.0.0.1", 0))
            listener.listen(backlog)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        yield {"deaf": deaf.getsockname()[1], "mute": mute.getsockname()[1]}
        for filler in fillers:
            filler.close()


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start, ports: dict[str, int]) -> Gateway:
    """Little patience with everybody; a stream's head waits for its content."""
    lab = provider(upstream.url, dialect="openai_chat", timeouts=LIMITS)
    tables = {
        "lab": lab,
        "deaf": {**lab, "base_url": f"http://127.0.0.1:{ports['deaf']}/v1"},
        "mute": {**lab, "base_url": f"http://127.0.0.1:{ports['mute']}/v1"},
        "mute-tls": {**lab, "base_url": f"https://127.0.0.1:{ports['mute']}/v1"},
    }
    routing = {"breaker": "off", "retries": 0}
    return start({"providers": tables, "routing": routing, "server": {"write_stall": STALL}})


class Stuck(NamedTuple):
    """One call that was stopped at a stage, what came of it, and after how many seconds."""

    name: str
    stream: bool
    came: Came
    seconds: float

    @property
    def stage(self) -> Stage:
        return STAGES[self.name]

    def problem(self) -> str | None:
        """What is wrong with how it ended."""
        limit = self.stage.limit_of(self.stream)
        # The sweeper's time is a tick old at most, so a limit may seem to end that much too early.
        if not limit - 2 * TICK <= self.seconds <= limit + 1.0 + SLACK:
            return f"it took {self.seconds:.2f} s, its limit is {limit} s"
        last = self.came.body.split(b"data: ")[-1] if self.stage.broken else self.came.body
        try:
            code = json.loads(last)["error"]["code"]
        except ValueError:
            return f"{self.came}"
        whole = self.came.status != 200 and self.came.complete
        as_told = (self.came.status == 200 and not self.came.complete) if self.stage.broken else whole
        return None if code == self.stage.code and as_told else f"{code}: {self.came}"


async def get_stuck(gateway: Gateway, times: int) -> list[Stuck]:
    """Every stage, with and without streams, all at the same time."""

    async def one(name: str, stream: bool) -> Stuck:
        stage, caller = STAGES[name], Caller(gateway.port, gateway.key)
        model = f"{stage.where}/{name.replace(' ', '-')}"
        body = json.dumps(chat("x" * stage.body or "Hello", model, stream=stream)).encode()
        began = time.monotonic()
        came = await asyncio.wait_for(caller.post(CHAT, body), 60)
        caller.close()
        return Stuck(name, stream, came, time.monotonic() - began)

    kinds = [(name, stream) for name, stage in STAGES.items() for stream in stage.streams]
    return await asyncio.gather(*(one(*kind) for kind in kinds * times))


def test_at_every_stage(gateway: Gateway, upstream: FakeUpstream, size: Size, count: Count) -> None:
    """It ends with its limit and its code; connections, descriptors and entries are as if it had never been."""
    upstream.behave = behave
    (worker,) = gateway.pids("worker")
    assert gateway.chat(chat("warm", "lab/polite")).status == 200
    gateway.wait_for(lambda: not connections(worker)["established", gateway.port], 30, "the first client stays")
    before = descriptors(worker)
    stuck = asyncio.run(get_stuck(gateway, size(3, soak=20)))
    problems = [f"{one.name}, stream {one.stream}: {problem}" for one in stuck if (problem := one.problem())]
    assert not problems, f"{len(problems)} of {len(stuck)}:\n" + "\n".join(problems[:10])
    found = finished(gateway, [one.came.headers["x-request-id"] for one in stuck])
    assert all(len(lines) == 1 for lines in found.values())
    over = max(one.seconds - one.stage.limit_of(one.stream) for one in stuck)
    gateway.wait_for(lambda: descriptors(worker) <= before, DRAIN + 1 + SLACK, "descriptors of stuck calls stay open")
    held = connections(worker)
    assert held["established", upstream.port] <= 1, f"only the first call's connection is kept: {held}"
    assert {state for state, _ in held} <= {"established"}, held
    count(
        f"stuck: {len(stuck)} calls at {len(STAGES)} stages ended at most {over:.2f} s after their limit; nothing stays"
    )


def test_an_answer_that_is_over_but_does_not_end(gateway: Gateway, upstream: FakeUpstream) -> None:
    """The client has its end at once; the connection is given a moment, then it is closed, not kept."""

    def play(request: Request) -> Script:
        answer = Answer(request, Options())
        data = b"".join(one for one, _ in answer.events()) + wire.event("[DONE]")
        return Script([Send(STREAM_HEAD + wire.chunk(data), 4), Stall()])

    upstream.behave = play
    response = gateway.chat(chat("Hello", "lab/never-ends", stream=True))
    assert response.complete and response.body.endswith(b"data: [DONE]\n\n")
    calls = upstream.statement.calls()[-1].call
    upstream.statement.wait_for(lambda s: any(one.call == calls for one in s.outcomes()), DRAIN + 1 + SLACK)
    assert by_model(gateway, ["never-ends"])["never-ends"][0].status == "complete"
    upstream.behave = behave


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_never_reads(gateway: Gateway, upstream: FakeUpstream, stream: bool) -> None:
    """It is cut when it has taken nothing for `server.write_stall`; upstream is left, and what had come is billed."""
    (worker,) = gateway.pids("worker")
    model = f"unread-{stream}"

    def play(request: Request) -> Script:
        if not request.stream:
            body = b'{"choices":[{"message":{"content":"%b"}}]}' % (b"x" * (24 << 20))
            return Script([Send(wire.http_response(200, [wire.JSON], body), 1)])
        one = wire.chunk(wire.event(Answer(request, Options()).chunk({"content": "x" * 16000})))
        return Script([Send(STREAM_HEAD), *[Send(one, 1) for _ in range(2000)], Stall()])

    upstream.behave = play
    with gateway.client(receive_buffer=4096) as client:
        began = time.monotonic()
        client.send(build("POST", CHAT, chat("Hello", f"lab/{model}", stream=stream), key=gateway.key))
        gateway.wait_for(lambda: connections(worker)["established", gateway.port] == 1, 30, "the client is not there")
        gateway.wait_for(
            lambda: not connections(worker)["established", gateway.port], LIMITS["total"] + SLACK, "it was not cut"
        )
        assert time.monotonic() - began >= STALL
    (line,) = by_model(gateway, [model])[model]
    assert line.status == ("client_closed" if stream else "complete")
    assert 0 < line.output <= -(-line.received // 3) and line.estimated
    upstream.behave = behave
