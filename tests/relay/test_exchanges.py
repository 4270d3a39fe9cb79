"""Every recorded chat exchange, through the real gateway: what comes out is what the rules say, to the byte."""

from __future__ import annotations

import pytest

from encke.testing import replay
from encke.testing.replay import Exchange
from tests.relay.traffic import MODES, OWN, Case, Stage, cases, check
from tests.support import recordings
from tests.support.gateway import Gateway

MINIMAL = {"messages": [{"role": "user", "content": "Hello"}]}
# Byte by byte takes long: so many exchanges of a provider, the shortest streams, answers and errors.
BYTEWISE = 12
MAX_BYTEWISE = 6000


def check_chat(stage: Stage, gateway: Gateway, played: list[Case]) -> None:
    check(stage, gateway, "/v1/chat/completions", played, MINIMAL, "choices")


def test_our_examples_come_through(all_providers: Gateway, stage: Stage) -> None:
    """Our own examples whole, at random cuts and byte by byte."""
    ours = [Exchange({**one.record, "provider": OWN}) for one in replay.examples()]
    check_chat(stage, all_providers, cases(ours, MODES))


@pytest.mark.recordings
def test_every_recorded_exchange_comes_through(all_providers: Gateway, stage: Stage) -> None:
    """Every recorded chat exchange of every provider, whole and at random cuts."""
    found = list(replay.recorded(recordings.folder(), api="openai.chat"))
    assert len(found) > 2900
    check_chat(stage, all_providers, cases(found, ("whole", "random")))


@pytest.mark.recordings
def test_recorded_exchanges_come_through_byte_by_byte(all_providers: Gateway, stage: Stage) -> None:
    """The shortest few of every provider, streams and others, one byte a write and a chunk."""
    groups: dict[tuple[str, bool, bool], list[Exchange]] = {}
    for one in replay.recorded(recordings.folder(), api="openai.chat"):
        if len(one.body) <= MAX_BYTEWISE:
            groups.setdefault((one.provider, one.stream, one.status == 200), []).append(one)
    chosen = [one for group in groups.values() for one in sorted(group, key=lambda e: len(e.body))[:BYTEWISE]]
    assert len(chosen) > 100
    check_chat(stage, all_providers, cases(chosen, ("bytes",)))
