"""Honest endings: streams cut at every byte of what upstream sends, and no end is ever made up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from encke.testing import replay, wire
from encke.testing.replay import Exchange
from encke.testing.request import Request
from encke.testing.script import Fin, Script, Send
from encke.testing.upstream import FakeUpstream
from tests.relay import oracle
from tests.relay.caller import Caller, Came
from tests.relay.conftest import Start, provider
from tests.relay.judge import differences
from tests.relay.ledger import statuses
from tests.relay.oracle import Expected
from tests.support.gateway import Gateway

STREAMS = ("example-stream", "example-stream-tool-call", "example-stream-two-choices")
LANES = 12


def chunked(exchange: Exchange) -> bytes:
    """The raw response, a chunk an event."""
    return exchange.response()


def until_closed(exchange: Exchange) -> bytes:
    """The raw response whose end is that of the connection."""
    return wire.head(exchange.status, exchange.headers) + exchange.body


def received(raw: bytes, at: int, is_chunked: bool) -> tuple[bytes, bool] | None:
    """What of the body is in the first `at` bytes, and whether the framing says that it is all; None without a head."""
    start = raw.index(b"\r\n\r\n") + 4
    if at < start:
        return None
    rest, body = raw[start:at], b""
    if not is_chunked:
        return rest, True
    while found := re.match(rb"([0-9a-f]+)\r\n", rest):
        size = int(found.group(1), 16)
        if size == 0:
            return body, rest[found.end() :] == b"\r\n"
        body += rest[found.end() : found.end() + size]
        rest = rest[found.end() + size + 2 :]
    return body, False


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, start: Start) -> Gateway:
    """One provider; a cut is never tried again."""
    return start({"providers": {"lab": provider(upstream.url, dialect="openai_chat")}, "routing": {"breaker": "off"}})


@pytest.mark.parametrize("framing", [chunked, until_closed])
@pytest.mark.parametrize("name", STREAMS)
def test_cut_at_every_byte(
    gateway: Gateway, upstream: FakeUpstream, name: str, framing: Callable[[Exchange], bytes]
) -> None:
    """Whole events, then `[DONE]` only if upstream sent it or had finished; else an error, and its entry says so."""
    exchange = next(one for one in replay.examples() if one.id == name)
    raw = framing(exchange)

    def behave(request: Request) -> Script:
        sent = raw[: int(request.model or 0)]
        kept = framing is chunked and len(sent) == len(raw)
        return Script([Send(sent)] if kept else [Send(sent), Fin()], name="cut")

    upstream.behave = behave
    results = asyncio.run(cut_all(gateway, len(raw)))
    problems, wanted = [], {}
    for at, came in results.items():
        got = received(raw, at, framing is chunked)
        expected = Expected(502) if got is None else oracle.expect(True, False, 200, got[0], clean=got[1])
        problems += [f"cut at {at} of {len(raw)}: {problem}" for problem in differences(expected, came)]
        wanted[came.headers["x-request-id"]] = (
            {"complete"}
            if expected.body is not None
            else ({"truncated"} if expected.broken else {"failed", "uncertain"})
        )
    print(f"\n{name} {framing.__name__}: cut at {len(results)} bytes")
    assert not problems, f"{len(problems)} problems; the first:\n" + "\n".join(problems[:10])
    found = statuses(gateway, wanted)
    wrong = {
        call: found[call] for call, allowed in wanted.items() if len(found[call]) != 1 or found[call][0] not in allowed
    }
    assert not wrong, f"{len(wrong)} entries are wrong: {list(wrong.items())[:5]}"


async def cut_all(gateway: Gateway, size: int) -> dict[int, Came]:
    """A call for every length from none to all of it."""
    waiting, results = list(range(size + 1)), {}

    async def lane() -> None:
        caller = Caller(gateway.port, gateway.key)
        try:
            while waiting:
                at = waiting.pop()
                body = b'{"model":"lab/%d","messages":[],"stream":true}' % at
                results[at] = await asyncio.wait_for(caller.post("/v1/chat/completions", body), 30)
        finally:
            caller.close()

    await asyncio.gather(*(lane() for _ in range(LANES)))
    return results
