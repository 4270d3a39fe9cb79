"""Thousands of requests near those of the corpus: whatever they are, the answers are answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

import pytest

from encke.testing.upstream import FakeUpstream
from tests.conftest import Count, Size
from tests.hostile.corpus import load
from tests.hostile.judge import PROBE, RESPONSE_FIELDS, check_envelope, check_upstream_request
from tests.hostile.mutate import mutants, splice
from tests.support.client import Client, Response
from tests.support.gateway import Gateway

CASES = load()
SEED = 20261123
BATCH = 200


def play(data: bytes, port: int, before: bytes = b"") -> list[Response]:
    """Send it, say FIN, read all answers: every one whole, in the envelope, never a 5xx, and then the end.

    `before` is a good request that is sent and answered first on the same connection.
    """
    answers: list[Response] = []
    with Client(port, timeout=60) as client:
        if before:
            client.send(before)
            assert client.read().status == 200
        try:
            client.send(data)
            client.half_close()
        except ConnectionError:
            pass  # cut off while it was sent: the answer is there already
        while True:
            # The answer to HEAD has no body; only for such requests may one be missing.
            method = "HEAD" if b"HEAD " in data else "GET"
            if not client.buffer and not client.wait_readable(20):
                raise AssertionError("neither an answer nor an end")
            if not client.buffer:
                return answers
            answer = client.read_head()
            headless = method == "HEAD" and not client.buffer.startswith((b"{", b"data:"))
            answer.body = b"" if headless else b"".join(client.body(answer))
            check(answer, data)
            answers.append(answer)


def check(answer: Response, data: bytes) -> None:
    """What holds for every answer."""
    assert answer.status in (200, 400, 401, 404, 405, 408, 413, 415, 431), (answer, data)
    names = [name.lower() for name, _ in answer.headers]
    assert set(names) <= RESPONSE_FIELDS and len(names) == len(set(names)), (names, data)
    if answer.status >= 400 and answer.body:
        check_envelope(answer)


def batches(found: Iterator[bytes]) -> Iterator[list[bytes]]:
    """In lists of `BATCH`."""
    while batch := list(islice(found, BATCH)):
        yield batch


@pytest.mark.parametrize("seed", range(2))
def test_mutants(seed: int, gateway: Gateway, upstream: FakeUpstream, size: Size, count: Count) -> None:
    """Distinct mutants and splices of the corpus: envelopes, whole answers, a living worker, nothing odd upstream."""
    number = size(2500, soak=100_000)
    found = chain(mutants(CASES, number * 4 // 5, SEED + seed), splice(CASES, number // 5, SEED - 1 - seed))
    statuses: Counter[str] = Counter()
    worker = gateway.pids("worker")
    calls = len(upstream.statement.calls())
    with ThreadPoolExecutor(8) as pool:
        for batch in batches(found):
            for answers in pool.map(lambda data: play(data, gateway.port), batch):
                statuses.update(str(answer.status) for answer in answers)
                statuses["no answer, cut short"] += not answers
            with Client(gateway.port) as client:
                client.send(PROBE)
                assert client.read("GET").status == 200
    assert gateway.pids("worker") == worker
    assert upstream.statement.rejected() == []
    sent = upstream.statement.calls()[calls:]
    for call in sent:
        check_upstream_request(call)
    told = ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
    count(
        f"hostile mutants, seed {SEED + seed}: {number} distinct requests; answers {told}; {len(sent)} upstream calls"
    )


def test_mutants_behind_their_original(gateway: Gateway, size: Size, count: Count) -> None:
    """On a connection that has just had the good request, a mutant of it gets what it gets on a fresh one."""
    good = [case for case in CASES if case.area == "auth" and case.calls == 1]
    number, compared = size(50, soak=5000), 0
    for seed, case in enumerate(good):
        for data in mutants([case], number, SEED + seed):
            fresh, behind = play(data, gateway.port), play(data, gateway.port, case.data)
            # The FIN ends a call that has not been answered when it comes: the last may be missing on one side.
            pairs = [(_gist(one), _gist(other)) for one, other in zip(fresh, behind, strict=False)]
            assert all(one == other for one, other in pairs), data
            compared += len(pairs)
    assert compared > number * len(good) // 2
    count(f"hostile mutants behind their original: {number * len(good)} requests, {compared} answers as on a fresh one")


def _gist(answer: Response) -> tuple[int, object]:
    return answer.status, answer.json()["error"] if answer.status >= 400 and answer.body else None
