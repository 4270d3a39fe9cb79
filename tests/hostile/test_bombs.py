"""Bombs: refused, or answered, at a bounded cost of CPU and memory; the worker lives, and others are served."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.hostile.bombs import BOMBS, Bomb, MiB
from tests.hostile.conftest import settings
from tests.hostile.corpus import KEY
from tests.hostile.judge import PROBE
from tests.support.client import Client
from tests.support.gateway import Gateway
from tests.support.proc import Peak, cpu_seconds, own_memory

# Of the promise: a second, and twice the largest body. The clock has slack, since these cores are shared.
SECONDS = 1.0
SLACK = 5.0
ROOM = 16 * MiB  # what a worker takes once, and what the allocator keeps of it: 100,000 fields, buffers of the loop


@pytest.fixture(scope="module")
def limit(size: Size) -> int:
    """The largest body; the memory that is measured goes with it."""
    return size(8 * MiB, soak=32 * MiB)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, limit: int) -> Iterator[Gateway]:
    """A gateway with that limit, and its own upstream in a process of its own."""
    folder = tmp_path_factory.mktemp("bombs")
    with (
        UpstreamProcess(folder) as upstream,
        Gateway(folder, settings(upstream.url, max_body=limit), key=KEY) as running,
    ):
        yield running
        assert '"event":"crash"' not in running.log, running.log[-4000:]


def explode(bomb: Bomb, limit: int, port: int) -> int:
    """Send it all, or as much as is taken; the status of the last answer, and nothing behind it."""
    method = "GET"
    pieces = bomb.pieces(limit)  # before connecting: to make them takes longer than a head may
    with Client(port, timeout=60) as client:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                client.send(piece)
        for _ in range(bomb.answers - 1):
            assert client.read(method).status == bomb.status
        answer = client.read(method)
        if answer.header("connection") == "close":
            client.wait_ended()
        else:
            client.send(PROBE)
            assert client.read("GET").status == 200
        assert not client.buffer
        return answer.status


@pytest.fixture(scope="module")
def base(worker: Gateway) -> int:
    """The worker's memory before any of it."""
    return own_memory(worker.pids("worker")[0])


@pytest.fixture(scope="module")
def costs(count: Count) -> Iterator[list[tuple[float, int, str]]]:
    """What each has cost: seconds of CPU, bytes of memory, its name; the dearest are told at the end."""
    found: list[tuple[float, int, str]] = []
    yield found
    if found:
        cpu, memory = max(found), max(found, key=lambda one: one[1])
        count(f"hostile bombs: {len(found)}; most CPU {cpu[0]:.2f} s ({cpu[2]})")
        count(f"hostile bombs: most memory {memory[1] / MiB:.0f} MiB above the worker's own ({memory[2]})")


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_bomb(bomb: Bomb, limit: int, worker: Gateway, base: int, costs: list[tuple[float, int, str]]) -> None:
    """The right answer, a second of CPU at most, and twice the limit of a body in memory at most."""
    (pid,) = worker.pids("worker")
    before = cpu_seconds(pid)
    with Peak(pid) as peak:
        assert explode(bomb, limit, worker.port) == bomb.status
    spent = cpu_seconds(pid) - before
    grown = peak.most - base
    costs.append((spent, grown, bomb.name))
    assert worker.pids("worker") == [pid]
    assert spent < SLACK * SECONDS
    assert grown <= 2 * limit + ROOM
