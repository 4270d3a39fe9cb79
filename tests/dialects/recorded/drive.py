"""Answers driven through the gateway's own parts, as a call does it: a relay, a translator, a side of each dialect."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from encke.calls.relay import StreamRelay
from encke.core.chat import ChatReply
from encke.core.faults import Fault
from encke.dialects.port import ClientSide, Tap
from encke.dialects.request import Request
from encke.dialects.table import CLIENTS, PROVIDERS
from encke.dialects.translate import Translator
from encke.framing.json_lines import JsonLinesSplitter
from encke.framing.sse import SseSplitter
from encke.http.drive import Signal
from encke.testing.replay import random_sizes
from tests.dialects.recorded.cases import ASKED, STREAMED, Case, streamed

CALL_ID = "0192f0c1-2345-7abc-8def-0123456789ab"
CREATED = 1_760_000_000
CUT_SHORT = Fault("upstream_bad_response", "The provider's stream ended too early.")


def asked(route: str, *, stream: bool = False) -> Request:
    """The least that a caller asks."""
    target, body = ASKED["generate" if route == "array" else route]
    if stream:
        target, more = STREAMED[route]
        body = body | more
    return side_of(route).read(json.dumps(body).encode(), target, {})


def side_of(route: str) -> ClientSide:
    """A caller's side; "array" is Gemini's stream as one JSON array."""
    return CLIENTS["generate" if route == "array" else route]


@dataclass
class Made:
    """What a caller gets: all of it, and the failure that it ended with, if it did."""

    out: bytes
    fault: Fault | None
    tap: Tap


class _Client:
    """Takes what goes to the caller."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write_stream(self, data: bytes) -> None:
        self.got.append(data)


def reply(case: Case, route: str) -> tuple[ChatReply, bytes]:
    """A whole answer: read, and written for a caller. Raises Fault."""
    provider, side = PROVIDERS[case.op], side_of(route)
    request = asked(route)
    found = provider.read_reply(case.exchange.body, side.to_hub(request), CALL_ID)
    assert isinstance(found, ChatReply)
    return found, side.render_reply(found, request, CALL_ID, CREATED)


def stream(case: Case, route: str, sizes: list[int] | None = None) -> Made:
    """A stream, translated for a caller; its bytes come in pieces of these sizes."""
    provider, side = PROVIDERS[case.op], side_of(route)
    request = asked(route, stream=True)
    reader = provider.reader(side.to_hub(request), CALL_ID)
    tap = Translator(reader, side.writer(request, CALL_ID, CREATED))
    return play(streamed(case), tap, side, sizes, lines=provider.framing == "json_lines")


def play(body: bytes, tap: Tap, side: ClientSide, sizes: list[int] | None = None, *, lines: bool = False) -> Made:
    """A stream through the relay to a caller, to its end or to the failure that it ends with."""
    relay = StreamRelay(tap, Signal(), JsonLinesSplitter() if lines else SseSplitter())
    client, held, raised = _Client(), b"", None
    try:
        for piece in pieces(body, sizes):
            relay.take(piece)
            if not relay.flowing:
                held += relay.flow(client)  # type: ignore[arg-type]
            relay.flush()
        relay.close(True, CUT_SHORT)
    except Fault as error:
        raised = error
    out, end = held + b"".join(client.got), relay.finish
    fault = raised if raised is not None or end is None else end.fault
    if fault is None:
        assert end is not None
        return Made(out + end.tail, None, tap)
    told = tap.break_off(fault, CALL_ID)
    return Made(out + (told if told is not None else side.render_stream_fault(fault, CALL_ID)), fault, tap)


def pieces(body: bytes, sizes: list[int] | None) -> list[bytes]:
    """The body cut; the last size holds for all that is left."""
    if sizes is None:
        return [body]
    found, at, turn = [], 0, 0
    while at < len(body):
        size = sizes[min(turn, len(sizes) - 1)]
        found.append(body[at : at + size])
        at, turn = at + size, turn + 1
    return found


def cut_at_random(case: Case) -> list[int]:
    """Sizes, the same ones for the same recording."""
    return random_sizes(random.Random(case.id), len(case.exchange.body))


def encoded(value: object) -> bytes:
    """A value of a stream as an event's data; the end mark is a text."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
