"""Connections are used again and again, and no answer ever reaches anybody but its caller."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.store.sqlite import SqliteStore
from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.client import Client, build, chat
from tests.support.gateway import Gateway, lab

CLIENTS = 200


@pytest.fixture
def gateway(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[Gateway]:
    """Two workers, access lines in a file."""
    settings = {
        **lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 2},
        "log": {"access": str(tmp_path / "access.log")},
    }  # fmt: skip
    with Gateway(tmp_path / "gateway", settings) as running:
        yield running


class Tally:
    """What the clients saw."""

    def __init__(self) -> None:
        self.answered = 0
        self.left = 0
        self.foreign: list[str] = []
        self.odd: list[str] = []


async def one_client(port: int, key: str, seed: int, until: float, tally: Tally) -> None:
    """A client with a connection it keeps while it can, and leaves now and then in the middle of a call."""
    rng = random.Random(seed)
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    number = 0
    while time.monotonic() < until:
        if streams is None:
            streams = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = streams
        token = f"s{seed}n{number}e"
        number += 1
        stream = rng.random() < 0.5
        slow = f' behave: {{"name": "slow_chunks", "chunks": 4, "interval": {rng.choice([0.002, 0.01])}}}'
        text = f"token:{token}" + (slow if rng.random() < 0.2 else "")
        writer.write(build("POST", "/v1/chat/completions", chat(text, "lab/m", stream=stream), key=key))
        if rng.random() < 0.25:
            await asyncio.sleep(rng.choice([0.0, 0.001, 0.005, 0.02]))
            writer.transport.abort() if rng.random() < 0.5 else writer.close()
            streams = None
            tally.left += 1
            continue
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _body(reader, head)
        tally.answered += 1
        if not head.startswith(b"HTTP/1.1 200"):
            tally.odd.append((head + body).decode("latin-1")[:400])
        elif f"token:{token}".encode() not in body or _others(body, token):
            tally.foreign.append(f"{token}: {body[:300]!r}")
        elif stream and not body.endswith(b"data: [DONE]\n\n"):
            tally.odd.append(f"{token} has no end: {body[-200:]!r}")
    if streams is not None:
        streams[1].close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head:
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return await reader.readexactly(length)
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(parts)


def _others(body: bytes, token: str) -> bool:
    found = {part[:20].split(b'"')[0].split(b".")[0].split(b" ")[0] for part in body.split(b"token:")[1:]}
    return found != {token.encode()}


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def pss(pid: int) -> int:
    """A process's share of memory, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")


def test_every_answer_reaches_its_caller(gateway: Gateway, upstream: UpstreamProcess, size: Size, count: Count) -> None:
    """200 clients, a quarter of whose calls they leave: no foreign token, few connects, nothing left behind."""
    seconds = size(8, soak=300)
    for _ in range(20):
        assert gateway.chat(chat("token:warm", "lab/m")).status == 200
    before = {pid: descriptors(pid) for pid in gateway.pids("worker")}
    tally = Tally()

    async def run() -> None:
        until = time.monotonic() + seconds
        port = gateway.port
        await asyncio.gather(*(one_client(port, gateway.key, seed, until, tally) for seed in range(CLIENTS)))

    asyncio.run(run())
    assert tally.foreign == []
    assert tally.odd == []
    assert tally.answered > 1000 and tally.left > 200
    # A call that was left takes its connection with it; the others share.
    assert upstream.statement.connects <= tally.left + 2 * CLIENTS + 50
    assert upstream.statement.rejected() == []
    # What idle connections to the upstream are left is bounded by how many calls were open at once.
    gateway.wait_for(
        lambda: all(descriptors(pid) <= count + CLIENTS for pid, count in before.items()), 30, "descriptors leak"
    )
    statement = upstream.statement
    answered = sum(one.ended == "completed" for one in statement.outcomes())
    assert answered >= tally.answered
    count(f"reuse: {tally.answered} answered, {tally.left} left, {statement.connects} connects, 0 foreign")


def test_connects_without_disconnects(gateway: Gateway, upstream: UpstreamProcess) -> None:
    """One client after the other, thousands of calls: the upstream sees hardly more connections than workers."""
    for stream in (False, True):
        for _ in range(10):
            with gateway.client() as client:
                for number in range(100):
                    answer = client.call(
                        "POST",
                        "/v1/chat/completions",
                        chat(f"token:n{number}", "lab/m", stream=stream),
                        key=gateway.key,
                    )
                    assert answer.status == 200 and f"token:n{number}".encode() in answer.body
    # A stream that ended a moment ago may still be draining.
    assert upstream.statement.connects <= 20


def test_slow_reader_is_bounded(gateway: Gateway, upstream: UpstreamProcess) -> None:
    """A reader that is slow holds the upstream back; the worker keeps little of what it has not taken."""
    body = chat('behave: {"name": "big_stream", "megabytes": 64}', "lab/m", stream=True)
    gateway.chat(chat("warm", "lab/m", stream=True))
    before = {pid: pss(pid) for pid in gateway.pids("worker")}
    clients = [gateway.client(receive_buffer=8192) for _ in range(8)]
    for client in clients:
        client.request("POST", "/v1/chat/completions", body, key=gateway.key)
        assert client.read_head().status == 200
    for client in clients:
        client.read_slowly(4096, 0.4)
    grown = sum(pss(pid) - size for pid, size in before.items())
    assert grown <= len(clients) * 512 * 1024 + (4 << 20)
    for client in clients:
        client.reset()
    upstream.statement.wait_for(lambda s: sum(one.behaviour == "big_stream" for one in s.outcomes()) == len(clients))
    for outcome in upstream.statement.outcomes():
        if outcome.behaviour == "big_stream":
            assert outcome.ended == "peer_left" and outcome.sent < 32 << 20


def test_client_gone_mid_stream(gateway: Gateway, upstream: UpstreamProcess) -> None:
    """The upstream sees that the client left, and the entry has what was received, to the byte."""
    client: Client = gateway.client()
    # Upstream falls silent after ten pieces: nothing is under way when the client leaves.
    body = chat(
        'behave: {"name": "stall_mid_stream", "after": 10, "chunks": 20, "interval": 0.02}', "lab/m", stream=True
    )
    client.request("POST", "/v1/chat/completions", body, key=gateway.key)
    head = client.read_head()
    events = client.events(head)
    for _ in range(10):
        next(events)
    client.reset()
    upstream.statement.wait_for(lambda s: any(one.ended == "peer_left" for one in s.outcomes()))
    (outcome,) = (one for one in upstream.statement.outcomes() if one.ended == "peer_left")
    call = head.header("x-request-id")
    assert call is not None
    store = SqliteStore.open(gateway.data / "encke.db", check=False)
    gateway.wait_for(lambda: bool(store.entries(call)), 30, "no entry")
    (entry,) = store.entries(call)
    store.close()
    assert (entry.status, entry.final, entry.attempt) == ("client_closed", True, 1)
    assert entry.usage.estimated and entry.usage.total_output > 0
    # The statement counts the head and the framing too.
    assert outcome.sent - 1000 < entry.received <= outcome.sent
