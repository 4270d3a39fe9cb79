"""Reads of 64 KiB at most, for upstreams that are faster than streams are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from encke.http.client import WIDE_READ, UpstreamConnection
from encke.http.drive import Signal
from encke.http.narrow import READ_SIZE
from encke.http.pool import Endpoint, Pool
from encke.testing import wire
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from tests.http.support import LoopThread, ask

LARGE = wire.http_response(200, [], b"x" * (4 << 20))
SMALL = wire.http_response(200, [], b"{}")


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """An upstream that says as much as the request names."""
    sizes = {b"large": LARGE, b"small": SMALL}
    with FakeUpstream(lambda request: Script([Send(sizes[request.body])])) as running:
        yield running


class Sizes:
    """An exchange that notes the sizes of what it gets (`encke.http.client.Exchange`)."""

    def __init__(self) -> None:
        self.deadline = float("inf")
        self.sizes: list[int] = []
        self.done: Signal[None] = Signal()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None: ...

    def on_body(self, data: bytes) -> None:
        self.sizes.append(len(data))

    def on_read(self) -> None: ...

    def on_end(self) -> None:
        self.done.set(None)

    def on_lost(self, fault: Exception, clean: bool) -> None:
        self.done.fail(fault)

    def on_crash(self, error: Exception) -> None:
        self.done.fail(error)

    def expire(self, now: float) -> None: ...


async def take(pool: Pool, what: bytes, seen: Sizes) -> None:
    """Ask for it."""
    connection: UpstreamConnection = await pool.acquire()
    head = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n" % len(what)
    connection.send(seen, head, [what], len(what))
    await seen.done


def test_reads_are_bounded_once_they_are_wide(thread: LoopThread, upstream: FakeUpstream) -> None:
    """After the first wide read no piece is larger than 64 KiB; all of it comes, and the connection serves on."""
    endpoint = Endpoint("t", "127.0.0.1", upstream.port, None, None, True, 1.0, 4)
    pool = thread.call(lambda: Pool(endpoint, thread.loop, thread.sweeper))
    for _ in range(3):
        seen = Sizes()
        thread.drive(take(pool, b"large", seen)).result()
        wide = next(n for n, size in enumerate(seen.sizes) if size > WIDE_READ // 2)
        assert sum(seen.sizes) == 4 << 20 and max(seen.sizes[wide + 1 :]) <= READ_SIZE
        assert thread.drive(ask(pool, b"small")).result() == (200, b"{}")
    assert upstream.statement.connects == 1
    thread.call(pool.close)
