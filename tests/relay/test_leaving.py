"""A client that leaves, at every named moment and in three ways: upstream is left too, and what came is recorded."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from encke.testing.statement import Outcome
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count, Size
from tests.relay.conftest import Start, provider
from tests.relay.ledger import Line, by_model
from tests.relay.moments import MOMENTS, Moment, behave, content_bytes
from tests.support.client import Client, build, chat
from tests.support.gateway import Gateway
from tests.support.held import connections

CHAT = "/v1/chat/completions"
WAYS = ("FIN", "half-close", "RST")
PATIENCE = 30.0  # what must happen at once may take so long here


@pytest.fixture(scope="module")
def deaf() -> Iterator[int]:
    """A port that takes no more connections: its queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()[1]
        for filler in fillers:
            filler.close()


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start, deaf: int) -> Gateway:
    """Providers with room for one connection each, so that a place that is not given back is missed at once."""
    lab = provider(upstream.url, dialect="openai_chat", max_connections=1)
    tables = {
        "lab": lab,
        "quiet": lab,
        "full": {**lab, "timeouts": {"connect": 60.0}},
        "deaf": {**lab, "base_url": f"http://127.0.0.1:{deaf}/v1", "timeouts": {"connect": 60.0}},
    }
    routing = {"breaker": "off", "retries": 0}
    return start({"providers": tables, "routing": routing, "stream": {"early_keepalive": 0.3, "keepalive": 1.0}})


class Visit:
    """One client: comes, waits for its moment, leaves."""

    def __init__(
        self, gateway: Gateway, upstream: FakeUpstream, name: str, stream: bool, way: str, number: int
    ) -> None:
        self.moment: Moment = MOMENTS[name]
        self.name, self.stream, self.way = name, stream, way
        self.model = f"leave-{name}-{number}"
        self.nonce = f"v{number}"
        self.left_ns = 0
        self._gateway, self._upstream = gateway, upstream

    def run(self) -> None:
        """Come, wait, leave. Raises AssertionError when the moment does not come."""
        body = chat(f"token:{self.nonce}", f"{self.moment.where}/{self.model}", stream=self.stream)
        data = build("POST", CHAT, body, key=self._gateway.key)
        with self._gateway.client(timeout=PATIENCE, receive_buffer=4096) as client:
            if self.name == "inside-the-head":
                client.send(data[:60])
            elif self.name == "inside-the-body":
                client.send(data[:-5])
            elif self.name == "with-another-call-behind":
                client.send(data * 2)
            else:
                client.send(data)
            self._wait(client)
            self.left_ns = time.monotonic_ns()
            self._leave(client)

    def _wait(self, client: Client) -> None:
        if self.moment.sent and not self.moment.before:
            self._upstream.statement.wait_for(lambda s: any(one.nonce == self.nonce for one in s.calls()), PATIENCE)
        if self.moment.sees:
            while self.moment.sees not in client.buffer:
                assert client.wait_readable(PATIENCE), f"only {bytes(client.buffer)!r}"
        else:
            time.sleep(0.05)
        if self.name == "under-back-pressure":
            time.sleep(0.3)

    def _leave(self, client: Client) -> None:
        if self.way == "RST":
            client.reset()
            return
        if self.way == "FIN":
            client.close()
            return
        client.half_close()
        with suppress(ConnectionError):
            client.wait_ended()

    @property
    def outcome(self) -> Outcome | None:
        """How upstream's side of it ended."""
        numbers = {one.call for one in self._upstream.statement.calls() if one.nonce == self.nonce}
        return next((one for one in self._upstream.statement.outcomes() if one.call in numbers), None)

    def problems(self, lines: list[Line]) -> list[str]:
        """What is wrong with its entries and with upstream's side."""
        if self.moment.before:
            return [f"{self}: entries {lines}, {self.outcome}"] if lines or self.outcome else []
        if len(lines) != 1 or (lines[0].status, lines[0].final) != ("client_closed", 1):
            return [f"{self}: entries {lines}"]
        (line,) = lines
        if not self.moment.sent:
            return [f"{self}: {line}, {self.outcome}"] if line.input or line.output or self.outcome else []
        outcome = self.outcome
        if outcome is None or outcome.ended != "peer_left":
            return [f"{self}: upstream saw {outcome}"]
        calls = sum(one.nonce == self.nonce for one in self._upstream.statement.calls())
        low, high = self._bounds(outcome)
        good = calls == 1 and low <= line.output <= high and bool(line.estimated) != self.moment.usage and line.input
        return [] if good else [f"{self}: {line}, not {low} to {high} tokens; {calls} calls"]

    def _bounds(self, outcome: Outcome) -> tuple[int, int]:
        """Tokens that may be billed: of what upstream sent, an event more or less."""
        if self.moment.usage:
            return outcome.tokens, outcome.tokens
        if self.name == "under-back-pressure":
            return 1, (outcome.tokens + 1) * 4000 // 3 + 1
        if not self.stream:
            whole = content_bytes(self.nonce, 4)
            return (0, whole) if self.name == "inside-a-whole-answer" else (0, 0)
        pieces = outcome.tokens
        return content_bytes(self.nonce, pieces - 1) // 3, -(-content_bytes(self.nonce, pieces + 1) // 3)

    def __str__(self) -> str:
        return f"{self.name}, {'stream' if self.stream else 'whole'}, {self.way}"


def visits(gateway: Gateway, upstream: FakeUpstream, times: int) -> list[Visit]:
    """Every moment, with and without a stream, in every way, so many times."""
    kinds = [(name, stream, way) for name in MOMENTS for stream in MOMENTS[name].streams for way in WAYS]
    return [Visit(gateway, upstream, *kind, number) for number, kind in enumerate(kinds * times)]


def test_at_every_moment(gateway: Gateway, upstream: FakeUpstream, size: Size, count: Count) -> None:
    """Upstream is left at once, its place is free, the entry says `client_closed` and bills what had come."""
    upstream.behave = behave
    made = visits(gateway, upstream, size(1, soak=100))
    (worker,) = gateway.pids("worker")
    with gateway.client() as holder:
        holder.request("POST", CHAT, chat("hold", "full/leave-before-upstreams-head-x", stream=True), key=gateway.key)
        upstream.statement.wait_for(lambda s: len(s.calls()) == 1)
        for visit in made:
            visit.run()
            if visit.moment.sent and not visit.moment.before:
                # The provider has room for one: if this call's place were not free, the next would not be sent.
                upstream.statement.wait_for(lambda s, visit=visit: visit.outcome is not None, PATIENCE)  # type: ignore[misc]
    found = by_model(gateway, [visit.model for visit in made if not visit.moment.before], PATIENCE)
    problems = [problem for visit in made for problem in visit.problems(found.get(visit.model, []))]
    assert not problems, f"{len(problems)} of {len(made)} visits:\n" + "\n".join(problems[:10])
    waits = sorted((visit.outcome.at_ns - visit.left_ns) / 1e6 for visit in made if visit.outcome is not None)
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    count(
        f"leaving: {len(made)} visits, {len(MOMENTS)} moments, {len(WAYS)} ways, with and without streams; upstream "
        f"was left {p50:.1f} ms later (p50; p99 {p99:.1f}, most {waits[-1]:.1f})"
    )
    assert p50 < 1000, "a second is promised; how long it takes now and then is the machine's affair"
    gateway.wait_for(
        lambda: not connections(worker)["established", gateway.port], 30, "connections of clients are left"
    )
    held = connections(worker)
    assert held["close_wait", gateway.port] == 0 and held["established", upstream.port] <= 1
