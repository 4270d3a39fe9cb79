"""Limits over whole gateways with four workers: as much as they say is admitted, no more, and hardly less."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.client import Client, Response, chat
from tests.support.gateway import Gateway
from tests.support.operate import encke, settings

WORKERS = 4
SLOW = 'behave: {"name": "slow_chunks", "chunks": 4, "interval": 0.1}'


class Site:
    """The gateway and its provider. `seen`: the provider's records of earlier tests."""

    def __init__(self, gateway: Gateway, upstream: UpstreamProcess) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.seen = len(upstream.statement.calls()), len(upstream.statement.outcomes())


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, UpstreamProcess]]:
    """Four workers; every test has keys of its own."""
    folder = tmp_path_factory.mktemp("limits")
    with (
        UpstreamProcess(folder / "upstream") as upstream,
        Gateway(folder / "gateway", settings(upstream, workers=WORKERS)) as running,
    ):
        yield running, upstream


@pytest.fixture
def site(started: tuple[Gateway, UpstreamProcess]) -> Site:
    """As it is at the beginning of a test."""
    return Site(*started)


def key_with(gateway: Gateway, *terms: str) -> str:
    """A new key with these limits."""
    made = encke(gateway, "keys", "create", "--json", "--name", "-".join(terms).strip("-"), *terms)
    assert made.returncode == 0, made.stderr
    key: str = json.loads(made.stdout)["key"]
    return key


def ask(gateway: Gateway, key: str, text: str = "Hello", stream: bool = False, **more: Any) -> Response:
    """One call over a connection of its own: any worker may get it."""
    body = chat(text, stream=stream, **{"model": "lab/m", **more})
    with Client(gateway.port) as client:
        return client.call("POST", "/v1/chat/completions", body, key=key)


class Tally:
    """What many clients saw: the moments of those admitted, and what the others were told."""

    def __init__(self) -> None:
        self.admitted: list[float] = []
        self.refused: list[Response] = []
        self._lock = Lock()

    def call(self, gateway: Gateway, key: str, text: str = "Hello", stream: bool = False, **more: Any) -> None:
        """One call, noted."""
        answer = ask(gateway, key, text, stream, **more)
        with self._lock:
            if answer.status == 200:
                self.admitted.append(time.monotonic())
            else:
                assert answer.status == 429, answer.body
                self.refused.append(answer)


def at_rate(rate: float, seconds: float, call: Callable[[], None], threads: int = 16) -> float:
    """So many calls a second, spread evenly. How long it really took."""
    begun = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        running = []
        for number in range(round(rate * seconds)):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            running.append(pool.submit(call))
        for each in running:
            each.result()
    return time.monotonic() - begun


def test_requests_a_minute(site: Site, size: Size, count: Count) -> None:
    """Twice as many as allowed are offered: what is admitted is the burst and the rate, one step of each worker more
    at most, and at least 98 % of it; nothing reaches the provider but what was admitted."""
    rpm = 240
    key = key_with(site.gateway, "--rpm", str(rpm))
    tally = Tally()
    begun = time.monotonic()
    at_rate(rpm / 2, 2.5, lambda: tally.call(site.gateway, key))
    at_rate(rpm / 30, size(4, soak=60), lambda: tally.call(site.gateway, key))
    took = max(tally.admitted) - begun
    allowed = rpm + rpm / 60 * took
    steps = rpm / 4
    count(f"rate: {len(tally.admitted)} admitted of {allowed:.1f} in {took:.1f} s, {len(tally.refused)} refused")
    assert 0.98 * allowed - 1 <= len(tally.admitted) <= allowed + steps
    assert tally.refused and len(site.upstream.statement.calls()) - site.seen[0] == len(tally.admitted)
    for answer in tally.refused:
        error = answer.json()["error"]
        assert error["code"] == "rate_limit_exceeded" and f"{rpm} requests a minute" in error["message"]
        assert answer.header("retry-after") is not None


BATCH = 'behave: {"chunks": 20, "prompt_tokens": 30}'


def test_tokens_a_minute(site: Site, size: Size, count: Count) -> None:
    """Calls of fifty tokens each, twice as many as allowed: what is admitted is the burst and the rate, one step of
    each worker more at most, and at least 98 % of it."""
    tpm, each = 24_000, 50
    key = key_with(site.gateway, "--tpm", str(tpm))
    tally = Tally()
    call = partial(tally.call, site.gateway, key, BATCH, max_tokens=20)
    begun = time.monotonic()
    at_rate(tpm / each / 3, 3.5, call)
    at_rate(tpm / each / 30, size(3, soak=60), call)
    took = max(tally.admitted) - begun
    allowed, used = tpm + tpm / 60 * took, each * len(tally.admitted)
    count(f"rate: {used} tokens of {allowed:.0f} in {took:.1f} s, {len(tally.refused)} refused")
    assert 0.98 * allowed - each <= used <= allowed + tpm / 4
    assert len(site.upstream.statement.calls()) - site.seen[0] == len(tally.admitted)
    error = tally.refused[-1].json()["error"]
    assert error["code"] == "rate_limit_exceeded" and f"{tpm} tokens a minute" in error["message"]


def test_tokens_that_were_not_used(site: Site, count: Count) -> None:
    """A call that does not say how long its answer may be is held at 4,096 tokens and uses fifty: the rest is there for
    the next at once, whichever worker that comes to."""
    key = key_with(site.gateway, "--tpm", "9000")
    tally = Tally()
    for _ in range(30):
        tally.call(site.gateway, key, BATCH, model="lab/new")  # nobody knows how long its answers are
        time.sleep(0.03)
    count(f"rate: {len(tally.admitted)} of 30 calls held at 4,096 tokens each, with 9,000 a minute")
    assert len(tally.admitted) == 30


def test_when_to_come_again(site: Site) -> None:
    """Who comes when it was told to gets in, and a second earlier it does not; being refused costs nothing."""
    key = key_with(site.gateway, "--rpm", "20")
    while (answer := ask(site.gateway, key)).status == 200:
        pass
    told_at, wait = time.monotonic(), int(answer.header("retry-after-ms") or "0") / 1000
    assert 0 < wait <= 3.0
    assert float(answer.header("retry-after") or "0") - wait <= 1.0
    answers = []
    while time.monotonic() < told_at + wait - 0.3:
        answers.append(ask(site.gateway, key).status)
        time.sleep(0.05)
    time.sleep(max(0.0, told_at + wait + 0.05 - time.monotonic()))
    assert ask(site.gateway, key).status == 200 and set(answers) <= {429}


def at_once(spans: list[tuple[int, int]]) -> int:
    """The most of these spans (begin, end) that hold one moment."""
    under_way = most = 0
    for _, step in sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans]):
        under_way += step
        most = max(most, under_way)
    return most


def test_calls_at_once(site: Site, count: Count) -> None:
    """Never more than allowed are under way, whichever workers they come to; all places are used, and all come back."""
    places = 6
    key = key_with(site.gateway, "--concurrency", str(places))
    tally = Tally()
    at_rate(60, 3.0, lambda: tally.call(site.gateway, key, SLOW, True), threads=24)
    calls = {call.call: call.at_ns for call in site.upstream.statement.calls()[site.seen[0] :]}
    statement = site.upstream.statement
    site.gateway.wait_for(
        lambda: calls.keys() <= {end.call for end in statement.outcomes()}, 20, "calls without an end"
    )
    # A call's place is free with its last event: it was under way until that was sent, and is over when this is noted.
    ends = {end.call: (end.last_ns, end.at_ns) for end in statement.outcomes()}
    surely, most = (at_once([(calls[n], ends[n][which]) for n in calls]) for which in (0, 1))
    count(f"at once: {surely} of {places}; {len(tally.admitted)} admitted, {len(tally.refused)} refused")
    assert surely <= places <= most and tally.refused
    assert "6 calls at once" in tally.refused[0].json()["error"]["message"]
    with ThreadPoolExecutor(places) as pool:
        again = [pool.submit(ask, site.gateway, key, SLOW, True) for _ in range(places)]
        assert [each.result().status for each in again] == [200] * places


# Processes die before and after a grant, in the middle of calls, and while leases are forgotten.
DOOM = "keeper.granting:2,keeper.granted:3,keeper.forgetting:1,worker.settled:4,worker.intended:3"


def test_a_budget_outlives_its_processes(tmp_path: Path, upstream: UpstreamProcess, count: Count) -> None:
    """Whoever dies: nothing is spent twice, no allowance is lost, and in the end the budget is used up to its last
    call, and nothing of it is reserved."""
    made = settings(upstream, workers=WORKERS)
    made["providers"]["lab"]["price"] = {"input": "0", "output": "0", "request": "0.01"}
    with Gateway(tmp_path / "gateway", made, env={"ENCKE_CRASHPOINT": DOOM}) as gateway:
        key = key_with(gateway, "--budget", "3")

        def one() -> str:
            try:
                answer = ask(gateway, key)
            except (OSError, AssertionError):
                return "cut"
            assert answer.status in (200, 429, 503), answer.body
            return "answered" if answer.status == 200 else str(answer.json()["error"]["code"])

        seen: Counter[str] = Counter()
        with ThreadPoolExecutor(8) as pool:
            while (found := Counter(pool.map(lambda _: one(), range(16))))["insufficient_quota"] < 16:
                seen += found
        gateway.kill("worker")
        gateway.wait_for(lambda: deaths(gateway) == len(DOOM.split(",")), 30, "not all have died")
        gateway.wait_for(lambda: not budget(gateway, "reserved"), 30, "something stays reserved")
        spent = budget(gateway, "spent")
    count(f"budget: {len(DOOM.split(','))} deaths, {dict(seen)}, {spent} of 3 dollars spent")
    assert spent == 3 >= seen["answered"] * Decimal("0.01")


def deaths(gateway: Gateway) -> int:
    """How many processes have died where they were to."""
    return gateway.log.count('"event":"crash_point"')


def budget(gateway: Gateway, figure: str) -> Decimal:
    """How the only budget stands, in dollars."""
    [found] = json.loads(encke(gateway, "budgets", "--json").stdout)
    return Decimal(found[figure])


def test_an_answer_longer_than_a_minute_allows(site: Site) -> None:
    """It is paid for by waiting, not by being shut out for ever: whoever asks next is told when to try again."""
    key = key_with(site.gateway, "--tpm", "300")
    long = 'behave: {"name": "slow_chunks", "chunks": 1500, "interval": 0.0001}'
    assert ask(site.gateway, key, long, stream=True).status == 200
    for _ in range(2 * WORKERS):
        answer = ask(site.gateway, key)
        assert answer.status == 429
        assert answer.header("x-should-retry") == "true"
        assert 0 < float(answer.header("retry-after") or "0") <= 60
