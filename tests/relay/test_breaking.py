"""The breaker, seen from outside: a burst of failures opens it, one call at a time asks if the provider is back."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from itertools import count as numbers
from typing import Any

import pytest

from encke.routing.breaker import MINIMUM, OPEN_SECONDS
from encke.testing.behaviours import Options, named
from encke.testing.request import Request
from encke.testing.script import Script
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.relay.caller import Caller, Came
from tests.relay.conftest import Start, provider
from tests.relay.ledger import finished
from tests.support.gateway import Gateway

_NONCES = numbers()


class Phases:
    """An upstream that fails in a way until it is told to be well."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0

    def behave(self, request: Request) -> Script:
        self.asked += 1
        return named(request, Options(name=self.name))


async def ask_at_once(gateway: Gateway, model: str, calls: int, stream: bool = False) -> list[Came]:
    """Calls on connections of their own, all at the same time."""

    async def one() -> Came:
        caller = Caller(gateway.port, gateway.key)
        try:
            text = f"token:b{next(_NONCES)}"
            body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
            return await asyncio.wait_for(caller.post("/v1/chat/completions", json.dumps(body).encode()), 30)
        finally:
            caller.close()

    return await asyncio.gather(*(one() for _ in range(calls)))


def code_of(came: Came) -> str:
    """A refusal's code; empty for an answer."""
    return "" if came.status == 200 else str(json.loads(came.body)["error"]["code"])


def refused_here(came: Came) -> bool:
    """Whether it was refused without asking anybody, and says when to come back."""
    return code_of(came) == "overloaded" and 1 <= int(came.headers["retry-after"]) <= OPEN_SECONDS


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """A worker with its breaker on, no retries, and a provider with room for one connection."""
    lab = provider(upstream.url, dialect="openai_chat")
    narrow = {**lab, "max_connections": 1, "timeouts": {"connect": 0.2}}
    return start({"providers": {"lab": lab, "narrow": narrow}, "routing": {"retries": 0}})


def test_a_burst_of_failures(gateway: Gateway, upstream: FakeUpstream, count: Count) -> None:
    """Nineteen failures are borne, the twentieth opens; then one call every five seconds reaches the provider."""
    phases, before = Phases("500"), upstream.behave
    upstream.behave = phases.behave
    try:
        for number in range(MINIMUM):
            (came,) = asyncio.run(ask_at_once(gateway, "lab/burst", 1))
            assert came.status == 502 and phases.asked == number + 1
        opened = time.monotonic()
        refused = asyncio.run(ask_at_once(gateway, "lab/burst", 30))
        assert all(refused_here(came) for came in refused) and phases.asked == MINIMUM
        (other,) = asyncio.run(ask_at_once(gateway, "lab/another", 1))
        assert phases.asked == MINIMUM + 1 and other.status == 502, "another model has its own"
        time.sleep(max(opened + OPEN_SECONDS + 0.3 - time.monotonic(), 0))
        probed = asyncio.run(ask_at_once(gateway, "lab/burst", 10))
        assert phases.asked == MINIMUM + 2, "one call asked whether it is back, and it was not"
        assert sum(refused_here(came) for came in probed) == 9
        opened = time.monotonic()
        phases.name = "polite"
        assert refused_here(asyncio.run(ask_at_once(gateway, "lab/burst", 1))[0])
        time.sleep(max(opened + OPEN_SECONDS + 0.3 - time.monotonic(), 0))
        assert asyncio.run(ask_at_once(gateway, "lab/burst", 1))[0].status == 200
        assert {came.status for came in asyncio.run(ask_at_once(gateway, "lab/burst", 10))} == {200}
    finally:
        upstream.behave = before
    entries = finished(gateway, [came.headers["x-request-id"] for came in (*refused, *probed)])
    tally: Counter[Any] = Counter(line.status for lines in entries.values() for line in lines)
    assert tally == {"rejected": 39, "refused": 1}
    count(f"breaker: opened after {MINIMUM} failures, refused {tally['rejected']} calls without asking, two probes")


def test_streams_that_break_off_open_it(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Each is one failure of one call: half of forty opens it, and not a quarter."""
    phases, before = Phases("polite"), upstream.behave
    upstream.behave = phases.behave
    try:
        for number in range(2 * MINIMUM + 1):
            phases.name = "reset_mid_stream" if number % 2 == 0 else "polite"
            (came,) = asyncio.run(ask_at_once(gateway, "lab/streams", 1, stream=True))
            if refused_here(came):
                break
            assert came.status == 200 and came.complete == (number % 2 == 1)
        assert MINIMUM <= phases.asked <= MINIMUM + 1
    finally:
        upstream.behave = before


def test_our_own_bound_does_not_open_it(gateway: Gateway, upstream: FakeUpstream) -> None:
    """Calls that found no free connection say nothing of the provider."""
    phases, before = Phases("slow_chunks"), upstream.behave
    upstream.behave = lambda request: named(request, Options(name="slow_chunks", chunks=20, interval=0.1))
    try:
        came = asyncio.run(ask_at_once(gateway, "narrow/m", 2 * MINIMUM, stream=True))
        assert Counter(code_of(one) for one in came) == {"": 1, "overloaded": 2 * MINIMUM - 1}
        upstream.behave = phases.behave
        phases.name = "polite"
        assert asyncio.run(ask_at_once(gateway, "narrow/m", 1))[0].status == 200
    finally:
        upstream.behave = before
