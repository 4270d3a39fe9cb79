"""A fault of ours in an exchange must reach whoever waits for it: nothing may hang."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from encke.http.client import UpstreamConnection
from encke.http.sweep import Sweeper


class Home:
    """A pool that keeps count."""

    def __init__(self) -> None:
        self.given = 0
        self.forgotten = 0

    def give_back(self, connection: UpstreamConnection) -> None:
        """Count."""
        self.given += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """Count."""
        self.forgotten += 1


class Broken:
    """An exchange with a fault in `on_end` and in `on_read`, or before, in `where`."""

    deadline = float("inf")

    def __init__(self, where: str) -> None:
        self.crash: Exception | None = None
        self._where = where

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Perhaps the fault."""
        if self._where == "head":
            raise ZeroDivisionError

    def on_body(self, data: bytes) -> None:
        """Perhaps the fault."""
        if self._where == "body":
            raise ZeroDivisionError

    def on_read(self) -> None:
        """The fault."""
        raise ZeroDivisionError

    def on_end(self) -> None:
        """The fault."""
        raise ZeroDivisionError

    def on_lost(self, fault: Exception, clean: bool) -> None:
        """The fault."""
        raise ZeroDivisionError

    def on_crash(self, error: Exception) -> None:
        """Keep it."""
        self.crash = error

    def expire(self, now: float) -> None:
        """Never here."""
        raise AssertionError


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("end", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        ("end", b"HTTP/1.1 200 OK\r\n"),
        ("end", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and something that nobody asked for\r\n\r\n"),
        ("end", b"no HTTP at all\r\n\r\n"),
        ("head", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"),
        ("body", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        ("body", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"),
    ],
)
def test_crash_is_told(where: str, answer: bytes) -> None:
    """An exception in an exchange closes the connection, is told to the exchange, and the connection is not pooled.

    One in the parser's callbacks too, of which the parser makes another: it is no provider's fault.
    """

    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.write(answer)
        await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        gone.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        home, exchange = Home(), Broken(where)
        connection = UpstreamConnection(home, Sweeper(loop))
        await loop.create_connection(lambda: connection, "127.0.0.1", port)  # type: ignore[type-var]
        connection.send(exchange, b"head", [], 0)
        for _ in range(200):
            if exchange.crash is not None:
                break
            await asyncio.sleep(0.01)
        assert isinstance(exchange.crash, ZeroDivisionError)
        assert connection.closed
        assert home.given == 0 and home.forgotten
        server.close()
        await server.wait_closed()
        await gone.wait()
        await asyncio.sleep(0.01)

    asyncio.run(main())
