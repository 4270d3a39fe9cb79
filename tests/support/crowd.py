"""Many callers at once, each with a connection it keeps while it can, who check that every answer is theirs.

A call carries a nonce, which the fake upstream puts into every piece of its answer, and the gateway into a header.
Callers leave in the middle, send several requests at once, ask for models that fail, and make mistakes.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

from tests.support.client import build, chat

_NONCE = re.compile(rb"n\d+c\d+e")
_GONE = (ConnectionError, asyncio.IncompleteReadError)

# Ways of an upstream to fail that take no time.
FAULTS = (
    "429", "500", "garbage_200", "html_200", "half_json", "short_body", "reset_mid_stream", "fin_mid_stream",
    "reset_before_head", "fin_in_head", "error_in_stream", "error_first_in_stream", "gzip_though_identity", "401",
    "400", "garbage_http", "extra_bytes", "two_responses", "done_only", "empty_stream", "close_after_answer",
    "many_headers", "bad_chunk_size", "redirect_302", "trailers", "1xx_then_answer", "sse_no_terminal",
    "http10_close_delimited",
)  # fmt: skip
WRONG = (b"{", b'{"model": 7}', b'{"model": "lab/m"}', b'{"model": "no-such", "messages": []}')


@dataclass(frozen=True)
class Mix:
    """Shares of calls, 0 to 1: those that are left, sent in a row without waiting, to a failing model, mistaken; the
    models to ask for; and whether every call carries its nonce in a header too, so that no two heads are the same.
    """

    left: float = 0.1
    row: float = 0.1
    fault: float = 0.1
    wrong: float = 0.02
    models: Sequence[str] = ("lab/m",)
    labels: bool = True


@dataclass
class Tally:
    """What the callers saw."""

    calls: int = 0
    answered: int = 0
    left: int = 0
    cut: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    foreign: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.calls} calls, {self.left} left, {self.cut} cut, {len(self.foreign)} foreign; {statuses}"


def crowd(port: int, key: str, calls: int, *, callers: int = 48, mix: Mix = Mix(), seed: int = 1) -> Tally:
    """`calls` calls by `callers` callers at once; returns when all are through."""
    tally = Tally()

    async def run() -> None:
        await asyncio.gather(*(_Caller(port, key, calls, mix, seed * 10_000 + n, tally).run() for n in range(callers)))

    uvloop.run(run())
    return tally


class _Caller:
    """One of them."""

    def __init__(self, port: int, key: str, calls: int, mix: Mix, seed: int, tally: Tally) -> None:
        self._port, self._key, self._calls, self._mix, self._tally = port, key, calls, mix, tally
        self._rng = random.Random(seed)
        self._seed = seed
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        while self._tally.calls < self._calls:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            count = self._rng.randint(2, 4) if self._rng.random() < self._mix.row else 1
            try:
                await self._ask(*self._streams, count)
            except _GONE:
                self._tally.cut += 1
                self._end()
        self._end()

    def _end(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
        asked = [self._request() for _ in range(count)]
        writer.write(b"".join(request for _, request, _ in asked))
        if self._rng.random() < self._mix.left:
            await self._leave(reader, writer)
            return
        for nonce, _, polite in asked:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await _body(reader, head)
            self._judge(nonce, head, body, polite)
            if b"connection: close" in head.lower():
                self._end()
                return

    def _request(self) -> tuple[bytes, bytes, bool]:
        rng, tally = self._rng, self._tally
        tally.calls += 1
        nonce = f"n{self._seed}c{tally.calls}e"
        dice = rng.random() - self._mix.wrong
        body: object = rng.choice(WRONG)
        polite = dice >= self._mix.fault
        if dice >= 0:
            model = rng.choice(self._mix.models) if polite else f"lab/fault-{rng.choice(FAULTS).replace('_', '-')}"
            slow = f' behave: {{"name": "slow_chunks", "chunks": 3, "interval": {rng.choice([0.002, 0.01])}}}'
            text = f"token:{nonce}" + (slow if polite and rng.random() < 0.1 else "")
            body = chat(text, model, stream=rng.random() < 0.5)
        headers = {"x-request-id": nonce} if self._mix.labels else {}
        return nonce.encode(), build("POST", "/v1/chat/completions", body, headers, self._key), polite and dice >= 0

    async def _leave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """At a random moment: at once, a little later, or after some of the answer."""
        self._tally.left += 1
        if self._rng.random() < 0.3:
            await reader.read(self._rng.choice([1, 100, 1000]))
        else:
            await asyncio.sleep(self._rng.choice([0.0, 0.001, 0.004, 0.01]))
        writer.transport.abort() if self._rng.random() < 0.5 else writer.close()
        self._streams = None

    def _judge(self, nonce: bytes, head: bytes, body: bytes, polite: bool) -> None:
        tally = self._tally
        tally.answered += 1
        tally.statuses[head[9:12].decode()] += 1
        found = set(_NONCE.findall(head + body))
        labelled = not self._mix.labels or b"x-client-request-id: " + nonce in head
        if found - {nonce} or not labelled:
            tally.foreign.append(f"{nonce!r}: {(head + body)[:600]!r}")
        elif polite and not (head.startswith(b"HTTP/1.1 200") and b"token:" + nonce in body):
            tally.odd.append(f"{nonce!r}: {(head + body)[:600]!r}")
        elif polite and b"event-stream" in head and not body.endswith(b"data: [DONE]\n\n"):
            tally.odd.append(f"{nonce!r} has no end: {body[-300:]!r}")


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lower = head.lower()
    if b"transfer-encoding: chunked" not in lower:
        return await reader.readexactly(int(lower.split(b"content-length: ")[1].split(b"\r\n")[0]))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(parts)
