"""Honest endings: streams cut at every byte of what upstream sends, in seven ways, and no end is ever made up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from encke.testing import replay
from encke.testing.replay import Exchange
from encke.testing.request import Request
from encke.testing.script import Script
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count, Size
from tests.relay.caller import Caller, Came
from tests.relay.conftest import Start, provider
from tests.relay.endings import ENDINGS, Cut, billed, diverse, places
from tests.relay.judge import differences
from tests.relay.ledger import Line, finished
from tests.relay.oracle import Expected
from tests.support import recordings
from tests.support.gateway import Gateway

OURS = ("example-stream", "example-stream-tool-call", "example-stream-two-choices")
FEATURES = ("tool_call_stream", "parallel_tool_calls", "reasoning", "mid_stream_error", "logprobs", "n>1", "citations")
EVERY = ("chunked, FIN", "until closed, FIN")  # our own examples are cut in these ways at every byte
LANES = 24
BATCH = 4000


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """One provider; a cut is never tried again."""
    tables = {"lab": provider(upstream.url, dialect="openai_chat")}
    return start({"providers": tables, "routing": {"breaker": "off", "retries": 0}})


async def cut_all(gateway: Gateway, cuts: Sequence[Cut]) -> dict[int, Came]:
    """A call for each, by its number."""
    waiting, results = list(range(len(cuts))), {}

    async def lane() -> None:
        caller = Caller(gateway.port, gateway.key)
        try:
            while waiting:
                number = waiting.pop()
                body = b'{"model":"lab/%d","messages":[],"stream":true}' % number
                results[number] = await asyncio.wait_for(caller.post("/v1/chat/completions", body), 60)
        finally:
            caller.close()

    await asyncio.gather(*(lane() for _ in range(LANES)))
    return results


def run(gateway: Gateway, upstream: FakeUpstream, cuts: Sequence[Cut]) -> tuple[Counter[str], list[str]]:
    """Cut them all; how they ended by the ledger, and what was wrong."""
    tally: Counter[str] = Counter()
    problems: list[str] = []
    for first in range(0, len(cuts), BATCH):
        batch = cuts[first : first + BATCH]

        def behave(request: Request, batch: Sequence[Cut] = batch) -> Script:
            return batch[int(request.model or 0)].script

        upstream.behave = behave
        came = asyncio.run(cut_all(gateway, batch))
        found = finished(gateway, [one.headers["x-request-id"] for one in came.values()])
        for number, one in came.items():
            lines = found[one.headers["x-request-id"]]
            tally[lines[-1].status] += 1
            problems += [f"{batch[number]}: {problem}" for problem in wrong(batch[number], one, lines)]
    return tally, problems


def wrong(cut: Cut, came: Came, lines: list[Line]) -> list[str]:
    """What is wrong with what came of a cut, and with its entries."""
    expected = cut.expected
    if "RST" in cut.ending and expected.status == 200 and expected.body is None:
        found = after_reset(expected, came)  # a reset may overtake what was sent before it
    else:
        found = differences(expected, came)
    line = lines[-1]
    allowed = {"complete"} if came.status == 200 and came.complete else {"truncated"} if came.status == 200 else REFUSED
    # A request may cross the end of a connection that was kept; nobody has read it then.
    crossed = all(one.reason == "upstream_reset" and not one.received for one in lines[:-1])
    if not crossed or len(lines) > 2 or line.status not in allowed:
        found.append(f"entries {lines}")
    elif line.status == "truncated" and "RST" not in cut.ending:
        found += misbilled(cut, line)
    return found


REFUSED = {"failed", "uncertain", "refused"}


def after_reset(expected: Expected, came: Came) -> list[str]:
    """What came may be less, but nothing else, and never an end."""
    if came.status != 200:
        return [] if came.status == 502 else [f"status {came.status}"]
    *events, error = came.body.removesuffix(b"\n\n").split(b"\n\n")
    before = b"".join(event + b"\n\n" for event in events)
    good = not came.complete and (expected.events or b"").startswith(before) and b'"error"' in error
    return [] if good else [f"after a reset came {came.body!r}"]


def misbilled(cut: Cut, line: Line) -> list[str]:
    """What is wrong with the tokens of a stream that broke off: what usage said, else an estimate of what came."""
    assert cut.received is not None
    estimated, low, high = billed(*cut.received)
    read, written = line.input + line.cache_read, line.output + line.reasoning
    good = bool(line.estimated) == estimated and read > 0 and low <= written <= high
    return [] if good else [f"billed {line.output} + {line.reasoning} tokens, not {low} to {high}: {line}"]


def judge(problems: list[str], name: str, cuts: Sequence[Cut], tally: Counter[str], count: Count) -> None:
    """Say how many, fail with the first."""
    told = ", ".join(f"{number} {status}" for status, number in sorted(tally.items()))
    streams, ways = len({cut.exchange.id for cut in cuts}), len({cut.ending for cut in cuts})
    count(f"endings ({name}): {len(cuts)} cuts of {streams} streams in {ways} ways; {told}; no end made up")
    assert not problems, f"{len(problems)} problems; the first:\n" + "\n".join(problems[:10])


def cuts_of(exchanges: Iterable[Exchange], endings: Iterable[str], sample: int | None) -> list[Cut]:
    """Every stream cut in every way."""
    ways = list(endings)
    return [Cut(one, way, at) for one in exchanges for way in ways for at in places(one, way, sample)]


def ours() -> list[Exchange]:
    """Our own streams."""
    return [one for one in replay.examples() if one.id in OURS]


def test_ours_at_every_byte(gateway: Gateway, upstream: FakeUpstream, count: Count) -> None:
    """Whole events, then `[DONE]` only if upstream sent it or had finished; else an error, and its entry says so."""
    cuts = cuts_of(ours(), EVERY, None)
    tally, problems = run(gateway, upstream, cuts)
    judge(problems, "ours, every byte", cuts, tally, count)
    assert len(cuts) > 7000


def test_ours_in_every_way(gateway: Gateway, upstream: FakeUpstream, size: Size, count: Count) -> None:
    """Resets, ends that are told and not true, lengths that are too large or too small."""
    sample = size(50, soak=1 << 30)
    cuts = cuts_of(ours(), [way for way in ENDINGS if way not in EVERY], sample)
    tally, problems = run(gateway, upstream, cuts)
    judge(problems, "ours, every way", cuts, tally, count)


@pytest.mark.recordings
def test_recorded_streams(gateway: Gateway, upstream: FakeUpstream, size: Size, count: Count) -> None:
    """Streams of twenty providers: near the end of every event and anywhere, with --soak at every byte."""
    streams = diverse((one for one in _recorded() if one.stream and one.status == 200), FEATURES)
    assert len(streams) >= 20 and len({one.provider for one in streams}) >= 20
    sample = size(20, soak=1 << 30)
    cuts = cuts_of(streams, ENDINGS, sample)
    tally, problems = run(gateway, upstream, cuts)
    judge(problems, "recorded", cuts, tally, count)


def _recorded() -> Iterable[Exchange]:
    return replay.recorded(recordings.folder(), api="openai.chat")
