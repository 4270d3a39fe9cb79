"""The stages at which an upstream, or a client, may stop for ever, and what ends the call then.

A `Stage` is one: upstream plays `play`, and the call must have ended after the seconds of `limit` (a setting), told as
`code`. `LIMITS` is what the providers are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from encke.testing import wire
from encke.testing.polite import STREAM_HEAD, Answer, Options, middle, polite
from encke.testing.request import Request
from encke.testing.script import Script, Send, Sleep, Stall, Step

LIMITS = {"connect": 1.0, "first_byte": 1.5, "idle": 1.5, "total": 4.0}
DRAIN = 2.0  # `http.client`: what may follow the end of an answer
STALL = 1.0  # server.write_stall


@dataclass(frozen=True)
class Stage:
    """`broken`: content had come, so that the end is an error event. `where`: the provider. `body`: bytes of prompt."""

    limit: str
    code: str
    play: Callable[[Answer], Iterable[Step]] = polite
    streams: tuple[bool, ...] = (False, True)
    where: str = "lab"
    broken: bool = False
    body: int = 0

    def limit_of(self, stream: bool) -> float:
        """Seconds. What is no stream has no limit of its own for the first byte."""
        return LIMITS["total" if self.limit == "first_byte" and not stream else self.limit]


def _head(answer: Answer) -> list[Step]:
    if answer.request.stream:
        return [Send(STREAM_HEAD), Stall()]
    return [Send(wire.head(200, [wire.JSON, ("content-length", "500")])), Stall()]


def _half_event(answer: Answer) -> list[Step]:
    return [*middle(answer), Send(b"40\r\ndata: {"), Stall()]


def _drip(answer: Answer) -> Iterable[Step]:
    """An event that grows by a byte five times a second."""
    yield from middle(answer)
    yield Send(b"ffffff\r\ndata: ")
    while True:
        yield Send(b"x")
        yield Sleep(0.2)


def _comments(_: Answer) -> Iterable[Step]:
    """Comments and nothing else."""
    yield Send(STREAM_HEAD)
    while True:
        yield Send(wire.chunk(b": still working\n\n"))
        yield Sleep(0.2)


def _interim(_: Answer) -> Iterable[Step]:
    """102 Processing for ever."""
    while True:
        yield Send(wire.head(102))
        yield Sleep(0.2)


def _dripping_head(_: Answer) -> Iterable[Step]:
    """A header that grows by a byte five times a second."""
    yield Send(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while True:
        yield Send(b"x")
        yield Sleep(0.2)


STAGES: dict[str, Stage] = {
    "no connection": Stage("connect", "upstream_unreachable", where="deaf"),
    "no TLS hello": Stage("connect", "upstream_unreachable", where="mute-tls"),
    "accepted, never read": Stage("first_byte", "upstream_timeout", where="mute"),
    "request read, no answer": Stage("first_byte", "upstream_timeout", lambda _: [Stall()]),
    "large request not read": Stage("first_byte", "upstream_timeout", where="mute", body=8 << 20),
    "inside the head": Stage("first_byte", "upstream_timeout", lambda _: [Send(b"HTTP/1.1 200 OK\r\nx-a"), Stall()]),
    "a head without end": Stage("first_byte", "upstream_timeout", _dripping_head),
    "interim answers without end": Stage("first_byte", "upstream_timeout", _interim),
    "before the first byte": Stage("first_byte", "upstream_timeout", _head),
    "between events": Stage("idle", "upstream_idle", lambda a: [*middle(a), Stall()], (True,), broken=True),
    "inside an event": Stage("idle", "upstream_idle", _half_event, (True,), broken=True),
    "inside a whole answer": Stage("total", "upstream_timeout", lambda a: [*middle(a), Stall()], (False,)),
    "a byte at a time": Stage("total", "upstream_timeout", _drip, (True,), broken=True),
    "comments without end": Stage("total", "upstream_timeout", _comments, (True,)),
}


def behave(request: Request) -> Script:
    """What upstream does for a model that is a stage's name with hyphens; all else is answered politely."""
    answer = Answer(request, Options())
    stage = STAGES.get((request.model or "").replace("-", " "))
    return Script((stage.play if stage else polite)(answer), request.model or "", answer.prompt_tokens)
