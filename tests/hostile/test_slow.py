"""Slow attackers by the hundreds (with --soak by the thousands), and those who only want to be served meanwhile."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.hostile.conftest import settings
from tests.hostile.corpus import KEY
from tests.hostile.crowd import Times, caller, run
from tests.support.client import chat
from tests.support.gateway import Gateway
from tests.support.proc import cpu_seconds, own_memory

ROOT = Path(__file__).parents[2]
NOISE = 0.005  # seconds; a p99 below that tells more about the machine than about the gateway
CALL = caller("POST", "/v1/chat/completions", chat(model="lab/m"), KEY)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Iterator[Gateway]:
    """Small limits, so that a short run sees attackers cut; the soak has a gateway's own."""
    folder = tmp_path_factory.mktemp("slow")
    usual = {"header_timeout": 2.0, "write_stall": 1.0, "keepalive": 1.0}
    soak = {"header_timeout": 10.0, "write_stall": 10.0, "keepalive": 10.0}
    limits = usual if size(0, soak=1) == 0 else soak
    with UpstreamProcess(folder) as upstream, Gateway(folder, settings(upstream.url, **limits), key=KEY) as running:
        yield running


@contextmanager
def attackers(port: int, number: int, cut: dict[str, int]) -> Iterator[None]:
    """So many attackers, while it lasts; `cut` counts how often each kind was cut off."""
    # Behind everybody else for the CPU: attackers have machines of their own.
    command = ["nice", "-n", "19", sys.executable, "-m", "tests.hostile.attackers", str(port), str(number)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        found = json.loads(process.communicate("", timeout=60)[0])
        for kind, times in found.items():
            cut[kind] = cut.get(kind, 0) + times
    finally:
        process.kill()
        process.wait()


def test_slow_attackers(gateway: Gateway, size: Size, count: Count) -> None:
    """Nobody else fails, every kind of attacker is cut off, the worker's memory stays small; the soak judges p99."""
    number, seconds, rounds = size(300, soak=2000), size(7, soak=25), size(1, soak=3)
    (worker,) = gateway.pids("worker")
    cut: dict[str, int] = {}
    calm: list[Times] = []
    attacked: list[Times] = []
    memory = own_memory(worker)
    run(gateway.port, CALL, 1.0, threads=4)
    for _ in range(rounds):
        calm.append(run(gateway.port, CALL, min(seconds, size(3, soak=25)), threads=4))
        before = cpu_seconds(worker)
        with attackers(gateway.port, number, cut):
            attacked.append(run(gateway.port, CALL, seconds, threads=4))
            grown = own_memory(worker) - memory
        spent = cpu_seconds(worker) - before
        count(f"slow attackers, calm: {calm[-1]}")
        count(f"slow attackers, {number} of them: {attacked[-1]}; worker {spent:.1f} s CPU, {grown >> 20} MiB more")
    count(f"slow attackers: cut off {', '.join(f'{times} x {kind}' for kind, times in sorted(cut.items()))}")
    assert [times.failures for times in (*calm, *attacked) if times.failures] == []
    assert set(cut) == {"header", "body", "read"} and all(times >= number // 3 for times in cut.values())
    assert grown < number * (256 << 10)
    assert gateway.pids("worker") == [worker]
    before, during = (statistics.median(one.at(0.99) for one in times) for times in (calm, attacked))
    ratio = during / max(before, NOISE)
    count(f"slow attackers: p99 is {ratio:.2f} x that of the calm, median of {rounds}")
    if size(0, soak=1):
        assert ratio <= 2.0
