"""The event loop does not block: large prompts beside ordinary calls, and a health check that must not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.hostile.conftest import settings
from tests.hostile.corpus import KEY
from tests.hostile.crowd import Times, caller, run
from tests.support.client import chat
from tests.support.gateway import Gateway

MiB = 1 << 20
SMALL = caller("POST", "/v1/chat/completions", chat(model="lab/m"), KEY)
LARGE = caller("POST", "/v1/chat/completions", chat("é" * (MiB // 2), model="lab/m"), KEY)
STREAM = caller("POST", "/v1/chat/completions", chat(model="lab/m", stream=True), KEY)
HEALTH = caller("GET", "/healthz", None, None)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker, so that its one loop does everything."""
    folder = tmp_path_factory.mktemp("lag")
    limits = {"max_body": 32 * MiB, "header_timeout": 10.0, "keepalive": 75.0}
    with UpstreamProcess(folder) as upstream, Gateway(folder, settings(upstream.url, **limits), key=KEY) as running:
        yield running


def test_the_loop_does_not_block(gateway: Gateway, size: Size, count: Count) -> None:
    """Prompts of 1 MB, ten a second, beside small calls and streams: nobody fails; the soak judges the health check."""
    seconds = size(3, soak=60)
    loads = {"1 MB prompts": (LARGE, 1, 10.0), "calls": (SMALL, 4, 25.0), "streams": (STREAM, 4, 10.0)}
    found: dict[str, Times] = {}

    def load(name: str) -> None:
        call, threads, rate = loads[name]
        found[name] = run(gateway.port, call, seconds, threads=threads, rate=rate)

    calm = run(gateway.port, HEALTH, min(seconds, 5), rate=100.0)
    running = [threading.Thread(target=load, args=(name,)) for name in loads]
    for one in running:
        one.start()
    busy = run(gateway.port, HEALTH, seconds, rate=100.0)
    for one in running:
        one.join()
    for name, times in {"healthz, calm": calm, "healthz, under load": busy, **found}.items():
        count(f"loop lag, {name}: {times}")
        assert times.failures == []
    if size(0, soak=1):
        assert busy.at(0.99) <= 0.1
        assert busy.at(1.0) <= 0.5
