"""Every byte of an answer belongs to whoever asked: nonces go out, come back, and are never seen by anybody else.

The figure promised is 0 foreign bytes in 100,000 answers; on every change there is time for 20,000, and `make soak
S=isolation` checks a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.client import build, chat
from tests.support.crowd import Mix, crowd
from tests.support.gateway import Gateway, lab

# Names whose first target fails before it has said anything, in ways that go on to the next.
FAILING = ("500", "429", "html_200", "half_json", "empty_stream", "error_first_in_stream")


@pytest.fixture
def gateway(tmp_path: Path, upstream: UpstreamProcess) -> Iterator[Gateway]:
    """Two workers, a plain model, and models that fail over to it."""
    models = {
        f"over-{name}": {
            "targets": [{"provider": "lab", "model": f"fault-{name.replace('_', '-')}"}], "fallback": ["lab/m"],
        }
        for name in FAILING
    }  # fmt: skip
    settings = {
        **lab(upstream.url), "models": models, "local": {"enabled": False}, "server": {"workers": 2},
        "routing": {"breaker": "off"}, "log": {"access": "off"},
    }  # fmt: skip
    with Gateway(tmp_path / "gateway", settings) as running:
        yield running


def test_no_answer_reaches_a_stranger(gateway: Gateway, size: Size, count: Count) -> None:
    """Streams and whole answers, kept connections, several requests in a row, a third left at random moments, failing
    providers, failover: each answer holds its own nonce and no other.
    """
    names = [f"over-{name}" for name in FAILING]
    mix = Mix(left=0.3, row=0.2, fault=0.05, models=("lab/m", "lab/m", *names))
    answers = size(20_000, soak=1_000_000)
    tally = crowd(gateway.port, gateway.key, int(answers / 0.69), callers=96, mix=mix, seed=3)
    count(f"isolation: {tally}")
    assert tally.foreign == []
    assert tally.odd == []
    assert tally.answered > answers * 0.8 and tally.left > answers * 0.15


def test_a_caller_that_takes_anothers_place(gateway: Gateway) -> None:
    """Who leaves in the middle of a stream, and who comes on a new connection right after, never share a byte."""
    slow = 'behave: {"name": "slow_chunks", "chunks": 40, "interval": 0.005}'
    for turn in range(60):
        body = chat(f"token:first{turn}x {slow}", "lab/m", stream=True)
        with gateway.client() as first:
            first.request("POST", "/v1/chat/completions", body, key=gateway.key)
            events = first.events(first.read_head())
            for _ in range(turn % 5):
                assert "second" not in next(events)
            if turn % 2:
                first.reset()
        answer = gateway.chat(chat(f"token:second{turn}x", "lab/m", stream=bool(turn % 3)))
        assert answer.status == 200 and f"token:second{turn}x".encode() in answer.body
        assert b"first" not in answer.body


def test_requests_in_a_row_are_answered_in_order(gateway: Gateway) -> None:
    """Sent at once on one connection, of all kinds: the answers come in the order of the requests."""
    kinds = [("lab/m", False), ("lab/m", True), ("over-500", False), ("no-such", False), ("lab/fault-400", True)] * 5
    with gateway.client() as client:
        client.send(b"".join(_request(gateway, number, *kind) for number, kind in enumerate(kinds)))
        for number, (model, _) in enumerate(kinds):
            answer = client.read()
            assert answer.header("x-client-request-id") == f"row{number}"
            assert answer.status == {"no-such": 404, "lab/fault-400": 400}.get(model, 200)
            if answer.status == 200:
                assert f"token:row{number}x".encode() in answer.body


def _request(gateway: Gateway, number: int, model: str, stream: bool) -> bytes:
    body = chat(f"token:row{number}x", model, stream=stream)
    return build("POST", "/v1/chat/completions", body, {"x-request-id": f"row{number}"}, gateway.key)
