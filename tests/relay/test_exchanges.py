"""Every recorded chat exchange, through the real gateway: what comes out is what the rules say, to the byte."""

from __future__ import annotations

import pytest

from encke.testing import replay
from encke.testing.replay import Exchange
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from encke.testing.wire import http_response
from tests.relay import ledger, oracle
from tests.relay.addresses import DIFFERENCES, EXPLAINED
from tests.relay.conftest import Start, provider
from tests.relay.traffic import MODES, OWN, Case, Stage, cases, check
from tests.support import recordings
from tests.support.client import chat
from tests.support.gateway import KEY, Gateway

MINIMAL = {"messages": [{"role": "user", "content": "Hello"}]}
# Byte by byte takes long: so many exchanges of a provider, the shortest streams, answers and errors.
BYTEWISE = 8
MAX_BYTEWISE = 6000

ANSWER = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'


def recorded_chats() -> list[Exchange]:
    """Those of OpenAI's dialect, and of the one that is nearly the same and is relayed as if it were."""
    folder = recordings.folder()
    return [one for api in ("openai.chat", "mistral.chat") for one in replay.recorded(folder, api=api)]


def check_addresses(found: list[Exchange]) -> None:
    """Every explanation of a difference was needed; says how many exchanges went exactly where they were recorded."""
    known = [one for one in found if (one.record["request"] or {}).get("path")]
    lines = [f"{count} {row.provider} {row.part}: {row.why}" for row, count in EXPLAINED.most_common()]
    print(f"addresses held against {len(known)} recorded ones; explained differences:", *lines, sep="\n  ")
    assert [row for row in DIFFERENCES if not EXPLAINED[row]] == []


def check_chat(stage: Stage, gateway: Gateway, played: list[Case]) -> None:
    check(stage, gateway, "/v1/chat/completions", played, MINIMAL, "choices")


def check_tokens(gateway: Gateway, played: list[Case]) -> None:
    """Every call has one entry; its tokens and its end are those that upstream told; where it told none, estimates."""
    entries = ledger.tokens(gateway, [case.model for case in played])
    problems, told = [], 0
    for case in played:
        status, reason, *counted, estimated = entries[case.model]
        if status != "complete":
            continue
        finish = oracle.finish(case.exchange.stream, case.exchange.body)[:64]
        if reason != finish:
            problems.append(f"{case.exchange.provider} {case.exchange.id}: ended with {reason!r}, not {finish!r}")
        expected = oracle.usage(case.exchange.stream, case.exchange.body)
        told += expected is not None
        if estimated != (expected is None) or (expected is not None and tuple(counted) != expected):
            problems.append(f"{case.exchange.provider} {case.exchange.id}: {entries[case.model]}, not {expected}")
    print(f"usage as told {told}, of {len(played)} entries")
    assert not problems, f"{len(problems)} entries are wrong; the first:\n" + "\n".join(problems[:12])


def test_our_examples_come_through(all_providers: Gateway, stage: Stage) -> None:
    """Our own examples whole, at random cuts and byte by byte."""
    ours = [Exchange({**one.record, "provider": OWN}) for one in replay.examples()]
    check_chat(stage, all_providers, cases(ours, MODES))


@pytest.mark.recordings
def test_every_recorded_exchange_comes_through(all_providers: Gateway, stage: Stage) -> None:
    """Every recorded chat exchange of every provider, whole and at random cuts."""
    found = recorded_chats()
    assert len(found) > 3500
    played = cases(found, ("whole", "random"))
    check_chat(stage, all_providers, played)
    check_tokens(all_providers, played)
    check_addresses(found)


@pytest.mark.recordings
def test_recorded_exchanges_come_through_byte_by_byte(all_providers: Gateway, stage: Stage) -> None:
    """The shortest few of every provider, streams and others, one byte a write and a chunk."""
    groups: dict[tuple[str, bool, bool], list[Exchange]] = {}
    for one in recorded_chats():
        if len(one.body) <= MAX_BYTEWISE:
            groups.setdefault((one.provider, one.stream, one.status == 200), []).append(one)
    chosen = [one for group in groups.values() for one in sorted(group, key=lambda e: len(e.body))[:BYTEWISE]]
    assert len(chosen) > 100
    check_chat(stage, all_providers, cases(chosen, ("bytes",)))


def test_a_content_type_reaches_the_caller_as_plain_text(upstream: FakeUpstream, start: Start) -> None:
    """What a provider puts into it beyond visible ASCII is encoded: strict clients read heads strictly."""
    with start_lab(start, upstream).client() as client:
        upstream.queue(Script([Send(http_response(200, [("content-type", "application/json; x=\xea")], ANSWER))]))
        answer = client.call("POST", "/v1/chat/completions", chat(model="lab/fake"), key=KEY)
    assert (answer.status, answer.body) == (200, ANSWER)
    assert answer.header("content-type") == "application/json; x=%C3%AA"


def start_lab(start: Start, upstream: FakeUpstream) -> Gateway:
    """A gateway with one provider."""
    return start({"providers": {"lab": provider(upstream.url, dialect="openai_chat")}})
