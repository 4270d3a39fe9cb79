"""The moments at which a client may leave, and what upstream is doing then.

Each is named in `MOMENTS`. Upstream plays `play` for the model `leave-NAME-…`; the client leaves once it has seen
`sees` (of its own response), or once upstream has got the call, or where that never happens after a little while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from encke.testing import wire
from encke.testing.polite import STREAM_HEAD, Answer, Options, middle, polite
from encke.testing.request import Request
from encke.testing.script import Script, Send, Stall, Step

COMMENT = b": keep-alive\n\n"


@dataclass(frozen=True)
class Moment:
    """`before`: the call is not open yet, so there is nothing to record. `sent`: upstream gets the call.

    `sees`: bytes that come to the client first, of a stream. `streams`: with a stream, without, or both. `where`: the
    provider. `usage`: upstream has told what was used.
    """

    play: Callable[[Answer], Iterable[Step]] = polite
    sees: bytes = b""
    streams: tuple[bool, ...] = (False, True)
    where: str = "lab"
    before: bool = False
    sent: bool = True
    usage: bool = False


def _opening(answer: Answer) -> list[Step]:
    """The head, and of a stream an event without content."""
    if answer.request.stream:
        return [Send(STREAM_HEAD + wire.chunk(wire.event(answer.opening()))), Stall()]
    return [Send(wire.head(200, [wire.JSON, ("content-length", "500")])), Stall()]


def _half_event(answer: Answer) -> list[Step]:
    """A whole event of content, and half of the next."""
    event = wire.event(answer.contents()[-1])
    return [*middle(answer), Send(b"%x\r\n" % len(event) + event[: len(event) // 2]), Stall()]


def _endless(answer: Answer) -> Iterable[Step]:
    """Content without end."""
    yield Send(STREAM_HEAD)
    one = wire.chunk(wire.event(answer.chunk({"content": "x" * 4000})))
    while True:
        yield Send(one, 1)


def _all_but_done(answer: Answer) -> list[Step]:
    """Every event, but not the end mark."""
    events = [Send(wire.chunk(data), tokens) for data, tokens in answer.events()]
    return [Send(STREAM_HEAD), *events, Stall()]


def _all_but_a_byte(answer: Answer) -> list[Step]:
    """A whole answer, but for its last byte."""
    return [Send(wire.json_response(200, answer.reply())[:-1]), Stall()]


MOMENTS: dict[str, Moment] = {
    "inside-the-head": Moment(before=True),
    "inside-the-body": Moment(before=True),
    "while-connecting": Moment(where="deaf", sent=False),
    "in-the-queue-for-a-connection": Moment(where="full", sent=False),
    "before-upstreams-head": Moment(lambda _: [Stall()]),
    "before-content": Moment(_opening),
    "during-early-keepalives": Moment(lambda _: [Stall()], COMMENT, (True,), "quiet"),
    "between-events": Moment(lambda answer: [*middle(answer), Stall()], b"token:", (True,)),
    "inside-an-event": Moment(_half_event, b"token:", (True,)),
    "under-back-pressure": Moment(_endless, b"xxxx", (True,)),
    "before-the-end-mark": Moment(_all_but_done, b'"finish_reason":"stop"', (True,), usage=True),
    "inside-a-whole-answer": Moment(_all_but_a_byte, streams=(False,)),
    "with-another-call-behind": Moment(lambda _: [Stall()]),
}


def behave(request: Request) -> Script:
    """What upstream does for a model `leave-NAME-…`; all else is answered politely."""
    name = (request.model or "").removeprefix("leave-").rpartition("-")[0]
    answer = Answer(request, Options())
    if name not in MOMENTS:
        return Script(polite(answer), "polite", answer.prompt_tokens)
    return Script(MOMENTS[name].play(answer), name, answer.prompt_tokens)


def content_bytes(nonce: str, pieces: int) -> int:
    """Bytes of the first pieces of content that upstream writes for a nonce."""
    texts = [f"token:{nonce}", *(f" {nonce}.{n}" for n in range(1, max(pieces, 1)))]
    return sum(len(msgspec.json.encode(text)) - 2 for text in texts[:pieces])
