"""Faults at random, a thousand calls at a time: every upstream call is an attempt in the ledger, and none is made that
should not be."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from zlib import crc32

import pytest

from encke.testing.behaviours import BEHAVIOURS, Options, named
from encke.testing.request import Request
from encke.testing.script import Script
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count, Size
from tests.relay.caller import Caller, Came
from tests.relay.conftest import Start, provider
from tests.relay.ledger import Line, finished
from tests.relay.matrix import STALLS
from tests.support.gateway import Gateway

LANES = 48
ATTEMPTS = 3
# Left to `test_faults`: those that take long for their size.
SLOW = frozenset({"body_over_cap", "body_over_cap_declared", "early_400_before_body", "big_stream", "slow_chunks"})
NAMES = [*sorted(set(BEHAVIOURS) - SLOW), *["polite"] * 12]
MOST = 60  # tokens of an answer that was not received whole, at three bytes a token
TARGETS = {"one": 1, "two": 2, "four": 4}


class Dice:
    """An upstream whose every answer is drawn: by seed, nonce, and how often the nonce has come."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: Counter[str] = Counter()
        self.played: Counter[str] = Counter()

    def behave(self, request: Request) -> Script:
        nonce = request.nonce or ""
        number = self.asked[nonce]
        self.asked[nonce] += 1
        name = random.Random(crc32(f"{self.seed}.{nonce}.{number}".encode())).choice(NAMES)
        self.played[name] += 1
        return named(request, Options(name=name, megabytes=1, seconds=1 + number))


@dataclass(frozen=True)
class Run:
    """One call: who asked for what, and what came."""

    nonce: str
    stream: bool
    came: Came

    @property
    def call(self) -> str:
        return self.came.headers["x-request-id"]


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """Models of one, two and four targets, all at an upstream that does as it likes; little patience, short pauses."""
    patience = {"first_byte": 0.5, "idle": 0.5, "total": 8.0}
    table = provider(upstream.url, dialect="openai_chat", timeouts=patience)
    models = {
        name: {"targets": [{"provider": "lab", "model": f"m{n}", "weight": n + 1} for n in range(count)]}
        for name, count in TARGETS.items()
    }
    routing = {"breaker": "off", "backoff": 0.01}
    return start({"providers": {"lab": table}, "models": models, "routing": routing})


async def run_all(gateway: Gateway, seed: int, count: int) -> list[Run]:
    """The calls of a seed, `LANES` at a time."""
    waiting, runs = list(range(count)), []

    async def lane() -> None:
        caller = Caller(gateway.port, gateway.key)
        while waiting:
            number = waiting.pop()
            rng = random.Random(crc32(f"{seed}.{number}".encode()))
            nonce, stream = f"r{seed}x{number}", rng.random() < 0.6
            text = f"token:{nonce}"
            body = {"model": rng.choice(list(TARGETS)), "messages": [{"role": "user", "content": text}]}
            came = await asyncio.wait_for(
                caller.post("/v1/chat/completions", json.dumps({**body, "stream": stream}).encode()), 60
            )
            runs.append(Run(nonce, stream, came))
        caller.close()

    await asyncio.gather(*(lane() for _ in range(LANES)))
    return runs


def problems(run: Run, lines: list[Line], asked: int) -> list[str]:
    """What is wrong with a call, held against its entries and the upstream's statement."""
    found = []
    crossed = sum(line.reason == "upstream_reset" for line in lines[:-1])
    if not len(lines) - crossed <= asked <= len(lines):
        found.append(
            f"upstream was asked {asked} times, the ledger has {len(lines)} attempts, {crossed} of them crossed"
        )
    if len(lines) - crossed > ATTEMPTS or int(run.came.headers["x-encke-attempts"]) != len(lines):
        found.append(f"{len(lines)} attempts; the caller was told of {run.came.headers['x-encke-attempts']}")
    if [(line.attempt, line.final) for line in lines] != [(n + 1, int(n + 1 == len(lines))) for n in range(len(lines))]:
        found.append("attempts are not numbered, or more than the last is final")
    for line in lines[:-1]:
        if line.status in ("complete", "truncated", "client_closed"):
            found.append(f"there was an attempt after {line.status}")
        if line.status == "uncertain" and line.reason != "upstream_reset":
            found.append(f"an uncertain outcome ({line.reason}) was tried again")
    return found + ending(run, lines[-1])


def ending(run: Run, last: Line) -> list[str]:
    """What is wrong with how it ended: what came, the last entry, and the nonce in it."""
    came = run.came
    body = came.body.replace(b"\\u", b"")
    if came.status != 200:
        error = json.loads(came.body)["error"]
        wrong = last.status not in ("refused", "failed", "uncertain") or last.output > MOST
        return [f"{came.status} {error['code']} but its entry is {last.status}"] if wrong else []
    wanted = "complete" if came.complete else "truncated"
    found = [] if last.status == wanted else [f"complete: {came.complete}, but its entry is {last.status}"]
    if not came.complete and b"[DONE]" in body:
        found.append("[DONE] in a stream that broke")
    if run.nonce.encode() not in body and b'"content":"' in body:
        found.append("an answer to somebody else")
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_faults(gateway: Gateway, upstream: FakeUpstream, seed: int, size: Size, count: Count) -> None:
    """Upstream calls = attempts, at most three; none after content, none after an outcome nobody knows; ends agree."""
    dice, before = Dice(seed), upstream.behave
    upstream.behave = dice.behave
    try:
        runs = asyncio.run(run_all(gateway, seed, size(500, soak=10_000)))
    finally:
        upstream.behave = before
    found = finished(gateway, [run.call for run in runs])
    asked = Counter(one.nonce for one in upstream.statement.calls())
    wrong = [
        f"{run.nonce} ({run.came.status}): {problem}; {found[run.call]}"
        for run in runs
        for problem in problems(run, found[run.call], asked[run.nonce])
    ]
    lines = [line for run in runs for line in found[run.call]]
    statuses = ", ".join(f"{n} {name}" for name, n in sorted(Counter(line.status for line in lines).items()))
    count(
        f"fault runs (seed {seed}): {len(runs)} calls, {len(lines)} attempts, {sum(asked[run.nonce] for run in runs)} "
        f"upstream calls of {len(dice.played)} behaviours; {statuses}"
    )
    assert not wrong, f"{len(wrong)} problems:\n" + "\n".join(wrong[:10])
    assert len(dice.played) > 40 and set(dice.played) >= STALLS
    assert '"event":"crash"' not in gateway.log
