"""Many streams at once: idle ones are cheap, slow readers are bounded, and afterwards nothing of them stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.relay.crowd import Crowd
from tests.relay.ledger import by_model
from tests.support.gateway import Gateway, lab
from tests.support.held import connections, descriptors, memory

KiB, MiB = 1024, 1 << 20
IDLE = 'token:i{} behave: {{"name": "stall_mid_stream", "after": 1}}'
BIG = 'token:s{} behave: {{"name": "big_stream", "megabytes": 64}}'


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpstreamProcess]:
    """A process of its own, so that what it keeps is not the gateway's."""
    with UpstreamProcess(tmp_path_factory.mktemp("upstream")) as running:
        yield running


@pytest.fixture
def gateway(upstream: UpstreamProcess, tmp_path: Path) -> Iterator[Gateway]:
    """One worker, which has served a crowd of two hundred before it is measured."""
    settings = {**lab(upstream.url, max_connections=20_000), "local": {"enabled": False}, "server": {"workers": 1}}
    with Gateway(tmp_path, settings) as running:
        with Crowd(running, "lab/warm", 200, IDLE.format) as warm:
            warm.read_until(b"token:")
        empty(running, upstream)
        yield running


def empty(gateway: Gateway, upstream: UpstreamProcess) -> None:
    """Return when the worker holds no connection of a client, and of upstream only idle ones."""
    (worker,) = gateway.pids("worker")
    gateway.wait_for(lambda: not connections(worker)["established", gateway.port], 30, "clients' connections stay")
    # An aborted connection is gone for us at once, and for upstream as soon as it looks.
    upstream.statement.wait_for(lambda s: len(s.outcomes()) == len(s.calls()))


def test_idle_streams_are_cheap(gateway: Gateway, upstream: UpstreamProcess, size: Size, count: Count) -> None:
    """A thousand streams that wait for more cost little memory each, and a second thousand costs no more.

    Memory that is free again stays with Python in parts, so the first crowd's end is what the second's is held against.
    """
    (worker,) = gateway.pids("worker")
    begin, files, streams = memory(worker), descriptors(worker), size(1000, soak=9000)
    ends: list[int] = []
    most = 0
    for _ in range(2):
        with Crowd(gateway, "lab/idle", streams, IDLE.format) as crowd:
            crowd.read_until(b"token:", 120)
            assert connections(worker)["established", gateway.port] == streams
            most = max(most, memory(worker))
        empty(gateway, upstream)
        ends.append(memory(worker))
    each, grown = (most - begin) / streams, ends[1] / ends[0] - 1
    count(
        f"idle streams: twice {streams} cost {each / KiB:.1f} KiB each; {begin / MiB:.1f} MiB at first, after each "
        f"{ends[0] / MiB:.1f} and {ends[1] / MiB:.1f} MiB ({grown:+.1%})"
    )
    assert each <= 24 * KiB and grown <= 0.10 and descriptors(worker) <= files
    gateway.wait_for(lambda: len(by_model(gateway, ["idle"])["idle"]) == 2 * streams, 60, "entries are missing")
    assert {line.status for line in by_model(gateway, ["idle"])["idle"]} == {"client_closed"}


def test_slow_readers_are_bounded(gateway: Gateway, upstream: UpstreamProcess, size: Size, count: Count) -> None:
    """A hundred clients that take 1 KiB a second hold upstream back; the worker keeps little for each."""
    (worker,) = gateway.pids("worker")
    before, readers = memory(worker), 100
    with Crowd(gateway, "lab/slow", readers, BIG.format, buffer=4096) as crowd:
        crowd.read_until(b"data: ")
        peak, seconds = 0, size(4, soak=30)
        for _ in range(seconds):
            crowd.read_slowly(KiB, 1.0)
            peak = max(peak, memory(worker) - before)
        written = [one.sent for one in upstream.statement.outcomes() if one.behaviour == "big_stream"]
        assert not written, "no stream has come to its end"
    empty(gateway, upstream)
    sent = [one.sent for one in upstream.statement.outcomes() if one.behaviour == "big_stream"]
    lines = by_model(gateway, ["slow"], 20)["slow"]
    count(
        f"slow readers: {readers} at 1 KiB/s cost {peak / MiB:.1f} MiB ({peak / readers / KiB:.0f} KiB each); upstream "
        f"got rid of {max(sent) / MiB:.1f} of 64 MiB at most, kernel buffers included"
    )
    assert peak <= 40 * MiB and peak / readers <= 256 * KiB
    assert len(sent) == readers and max(sent) < 48 * MiB, "upstream was held back"
    gateway.wait_for(lambda: len(by_model(gateway, ["slow"])["slow"]) == readers, 30, "entries are missing")
    assert all(line.status == "client_closed" and line.estimated for line in lines)
    assert all(0 < line.output <= line.received // 3 + 1 for line in lines)
