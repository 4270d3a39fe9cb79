"""One gateway with small limits, and an upstream that tries to say more than it may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.hostile.corpus import KEY
from tests.hostile.judge import upstream as evil
from tests.support.gateway import Gateway, lab

LIMITS = {
    "max_body": 262_144,
    "header_timeout": 2.0,
    "body_floor": 1024,
    "write_stall": 3.0,
    "keepalive": 4.0,
    "workers": 1,
}


@pytest.fixture(scope="package")
def upstream() -> Iterator[FakeUpstream]:
    """Answers every route, with headers that must not come through."""
    with FakeUpstream(evil, keep_body=1 << 16) as running:
        yield running


def settings(url: str, **server: Any) -> dict[str, Any]:
    """A gateway in front of that upstream."""
    return {"server": {**LIMITS, **server}, "local": {"enabled": False}, "routing": {"breaker": "off"}, **lab(url)}


@pytest.fixture(scope="package")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway; at its end it must stop in order, with the worker it began with, and with no crash in its log."""
    with Gateway(tmp_path_factory.mktemp("hostile"), settings(upstream.url), key=KEY) as running:
        workers = running.pids("worker")
        yield running
        assert running.pids("worker") == workers, "a worker has died"
        assert '"event":"crash"' not in running.log and "Traceback" not in running.log, running.log[-4000:]
