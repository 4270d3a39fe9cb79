"""A small GET to an upstream, read whole."""

from __future__ import annotations

from encke.core.faults import Fault
from encke.http.client import UpstreamConnection
from encke.http.drive import Signal
from encke.http.pool import Pool


class Fetch:
    """One GET (`encke.http.client.Exchange`)."""

    def __init__(self, limit: int, deadline: float) -> None:
        self.deadline = deadline
        self.answer: Signal[tuple[int, bytes]] = Signal()
        self.connection: UpstreamConnection | None = None
        self._limit = limit
        self._status = 0
        self._body = bytearray()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The answer's head."""
        self._status = status

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._body += data
        if len(self._body) > self._limit:
            raise Fault("upstream_too_large", f"The answer is larger than {self._limit} bytes.")

    def on_read(self) -> None:
        """Nothing to do before the end."""

    def on_end(self) -> None:
        """The answer is whole."""
        self.connection = None
        self.answer.set((self._status, bytes(self._body)))

    def on_lost(self, fault: Fault, clean: bool) -> None:
        """The connection ended first."""
        self.connection = None
        if clean:
            self.on_end()
        else:
            self.answer.fail(fault)

    def on_crash(self, error: Exception) -> None:
        """A fault of ours."""
        self.connection = None
        self.answer.fail(error)

    def expire(self, now: float) -> None:
        """It took too long."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon(self)
        self.answer.fail(Fault("upstream_timeout", "The provider did not answer in time."))


async def fetch(pool: Pool, head: bytes, limit: int, deadline: float) -> tuple[int, bytes]:
    """Send `head` (a whole request without a body), give status and body. Raises Fault."""
    exchange = Fetch(limit, deadline)
    connection = await pool.acquire()
    exchange.connection = connection
    try:
        connection.send(exchange, head, [], 0)
        return await exchange.answer
    finally:
        connection.abandon(exchange)
