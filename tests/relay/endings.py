"""Ways in which a stream can end too early, and what a reader knows of it then.

`ENDINGS` names each; a `Cut` is one stream cut at one place in one of these ways.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from encke.testing import wire
from encke.testing.replay import Exchange
from encke.testing.script import Fin, Rst, Script, Send, Sleep
from tests.relay import oracle
from tests.relay.oracle import Expected

MORE = b"data: more\n\n"
TEXTS = ("content", "reasoning_content", "reasoning", "refusal", "text")


@dataclass(frozen=True)
class Ending:
    """`raw` builds what is sent of a stream cut at a byte; `clean` if the framing then says that this was all.

    The byte is one of the body where `of_body` is set, else one of the raw response.
    """

    raw: Callable[[Exchange, int], bytes]
    clean: bool
    steps: tuple[Any, ...]
    of_body: bool = True


def _chunked(exchange: Exchange, at: int) -> bytes:
    return exchange.response()[:at]


def _chunked_end(exchange: Exchange, at: int) -> bytes:
    head = wire.head(exchange.status, [*exchange.headers, wire.CHUNKED])
    return head + (wire.chunk(exchange.body[:at]) if at else b"") + wire.LAST_CHUNK


def _closed(exchange: Exchange, at: int) -> bytes:
    return (wire.head(exchange.status, exchange.headers) + exchange.body)[:at]


def _long(exchange: Exchange, at: int) -> bytes:
    size = str(len(exchange.body) + 10)
    return wire.head(exchange.status, [*exchange.headers, ("content-length", size)]) + exchange.body[:at]


def _short(exchange: Exchange, at: int) -> bytes:
    head = wire.head(exchange.status, [*exchange.headers, ("content-length", str(at))])
    return head + exchange.body + MORE


_RESET = (Sleep(0.02), Rst())
ENDINGS: dict[str, Ending] = {
    "chunked, FIN": Ending(_chunked, False, (Fin(),), of_body=False),
    "chunked, RST": Ending(_chunked, False, _RESET, of_body=False),
    "chunked, told to be whole": Ending(_chunked_end, True, ()),
    "until closed, FIN": Ending(_closed, True, (Fin(),), of_body=False),
    "until closed, RST": Ending(_closed, False, _RESET, of_body=False),
    "length larger than the body": Ending(_long, False, (Fin(),)),
    "length smaller than the body": Ending(_short, True, ()),
}


@dataclass(frozen=True)
class Cut:
    """One stream, cut in one way at one byte."""

    exchange: Exchange
    ending: str
    at: int

    @property
    def script(self) -> Script:
        how = ENDINGS[self.ending]
        return Script([Send(how.raw(self.exchange, self.at)), *how.steps], name=f"cut {self.ending}")

    @property
    def received(self) -> tuple[bytes, bool] | None:
        """What of the body a reader gets, and whether the framing says that it is all; None if not even the head."""
        how = ENDINGS[self.ending]
        if how.of_body:
            return self.exchange.body[: self.at], how.clean
        raw = how.raw(self.exchange, self.at)
        head, found, body = raw.partition(b"\r\n\r\n")
        if not found:
            return None
        return unchunked(body) if b"chunked" in head else (body, how.clean)

    @property
    def expected(self) -> Expected:
        """What must come of it."""
        got = self.received
        return Expected(502) if got is None else oracle.expect(True, False, 200, got[0], clean=got[1])

    def __str__(self) -> str:
        return f"{self.exchange.provider} {self.exchange.id}, {self.ending}, at {self.at}"


def unchunked(rest: bytes) -> tuple[bytes, bool]:
    """The body of the chunks so far, and whether the last chunk has come."""
    body = b""
    while found := re.match(rb"([0-9a-f]+)\r\n", rest):
        size = int(found.group(1), 16)
        if size == 0:
            return body, rest[found.end() :] == b"\r\n"
        body += rest[found.end() : found.end() + size]
        rest = rest[found.end() + size + 2 :]
    return body, False


def places(exchange: Exchange, ending: str, sample: int | None) -> list[int]:
    """Where to cut: everywhere, or within three bytes of the ends of events, `sample` of them, and as many anywhere."""
    how = ENDINGS[ending]
    size = len(exchange.body) if how.of_body else len(how.raw(exchange, 1 << 30))
    if sample is None or 2 * sample > size:
        return list(range(size + 1))
    begin = 0 if how.of_body else how.raw(exchange, 1 << 30).index(b"\r\n\r\n") + 4
    text = how.raw(exchange, 1 << 30)[begin:] if begin else exchange.body
    ends = [begin + found.end() for found in re.finditer(rb"(\r?\n){2}", text)]
    near = sorted({end + shift for end in ends for shift in range(-3, 4) if 0 <= end + shift <= size})
    source = random.Random(crc32(f"{exchange.id}.{ending}".encode()))
    anywhere = source.sample(range(size + 1), sample)
    return sorted({*source.sample(near, min(sample, len(near))), *anywhere, size})


def diverse(streams: Iterable[Exchange], features: Iterable[str], least: int = 300, most: int = 4096) -> list[Exchange]:
    """The smallest stream of every provider, and the smallest with each of `features`; sizes in bytes."""
    fitting = sorted((one for one in streams if least <= len(one.body) <= most), key=lambda one: len(one.body))
    chosen: dict[str, Exchange] = {}
    for one in fitting:
        if one.provider not in {other.provider for other in chosen.values()}:
            chosen[one.id] = one
    for feature in features:
        found = next((one for one in fitting if feature in one.features), None)
        if found is not None:
            chosen[found.id] = found
    return list(chosen.values())


def billed(body: bytes, clean: bool) -> tuple[bool, int, int]:
    """What may be billed for a stream that broke off: whether it was estimated, the least and the most output tokens.

    What usage said last holds for all that had come until then; what came later is estimated.
    """
    whole, rest = oracle.blocks(body)
    if clean:
        whole.append(rest)  # counts if it only lacks its blank line; else it is no JSON
    size, said, last = 0, None, 0
    for data in filter(None, map(oracle.data_of, whole)):
        size, last = size + _text_of(data), len(data)
        told = oracle.usage(False, data)
        if told is not None:
            size, said = 0, told[1]
    if said is not None and not size:
        return False, said, said
    return True, (said or 0) + max(size - last, 0) // 8, (said or 0) + (2 * size + last) // 3 + 1


def _text_of(data: bytes) -> int:
    try:
        event = json.loads(data)
    except ValueError:
        return 0
    choices = event.get("choices") if isinstance(event, dict) else None
    total = 0
    for choice in choices if isinstance(choices, list) else []:
        delta = choice.get("delta") or choice
        total += sum(len(json.dumps(delta[name])) - 2 for name in TEXTS if isinstance(delta.get(name), str))
        total += sum(len(json.dumps(delta[name])) for name in ("tool_calls", "function_call") if delta.get(name))
    return total
