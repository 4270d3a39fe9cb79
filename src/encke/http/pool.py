"""Keep-alive connections to one upstream, the last used first."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from encke.config.addresses import allowed
from encke.core.faults import Fault, Verdict
from encke.http.client import UpstreamConnection
from encke.http.drive import Signal
from encke.http.sweep import Sweeper

IDLE_SECONDS = 55.0  # below the 60 s after which common servers and proxies close
UNIX_IDLE_SECONDS = 4.0  # the embedded engine closes after 5 s, and connecting again costs next to nothing

_NO_ENGINE = "The embedded model is starting, or could not be started; the gateway's output says which."


class Endpoint(NamedTuple):
    """Where an upstream is. `unix` is a socket's path and wins over host and port; `tls` is None for plain HTTP."""

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    unix: str | None
    allow_private: bool
    connect_timeout: float
    max_connections: int


class Pool:
    """The connections to one endpoint. `connects` counts those ever made."""

    def __init__(self, endpoint: Endpoint, loop: asyncio.AbstractEventLoop, sweeper: Sweeper) -> None:
        self.endpoint = endpoint
        self.connects = 0
        self._loop = loop
        self._sweeper = sweeper
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._idle_seconds = IDLE_SECONDS if endpoint.unix is None else UNIX_IDLE_SECONDS
        self._waiting: deque[Signal[UpstreamConnection]] = deque()
        self._waiting_fresh: deque[Signal[UpstreamConnection]] = deque()  # for connections that nobody has used
        self._closed = False
        self._retired = False

    def take(self) -> UpstreamConnection | None:
        """An idle connection, if there is one."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection: an idle one, or one that gets free, or a new one; only the last when `fresh` asks for it.

        Raises Fault upstream_unreachable, or overloaded when the endpoint has as many as it may and none gets free.
        """
        connection = None if fresh else self.take()
        if connection is not None:
            return connection
        signal: Signal[UpstreamConnection] = Signal()
        if not fresh:
            self._waiting.append(signal)
        else:
            self._waiting_fresh.append(signal)
            if self._full and self._idle:
                self._idle[0].close()
        self._grow()
        # A little longer than a connect may take, whose own message says more.
        timer = self._loop.call_later(self.endpoint.connect_timeout + 0.5, self._give_up, signal)
        try:
            return await signal
        except BaseException:
            # Only here: who got a connection was taken out of the queue, and need not be looked for in it.
            self._drop(signal)
            raise
        finally:
            timer.cancel()

    def _grow(self) -> None:
        """Connect once for everyone who waits, as far as the limit allows."""
        while len(self._connecting) < len(self._waiting) + len(self._waiting_fresh) and not self._full:
            task = self._loop.create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connected)

    @property
    def _full(self) -> bool:
        return len(self._open) + len(self._connecting) >= self.endpoint.max_connections

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if not self._closed:
            self._grow()

    def give_back(self, connection: UpstreamConnection) -> None:
        """A connection is free: hand it to who waits, or keep it."""
        signal = self._next(fresh=connection.uses == 0)
        if signal is not None:
            signal.set(connection)
            return
        if self._retired or (self._waiting_fresh and self._full):
            connection.close()  # makes room for one that nobody has used
            return
        connection.deadline = self._sweeper.now + self._idle_seconds
        self._idle.append(connection)

    def _next(self, fresh: bool) -> Signal[UpstreamConnection] | None:
        """Who is served next; `fresh`: with a new connection, or the failure to make one."""
        for waiting in (self._waiting_fresh, self._waiting) if fresh else (self._waiting,):
            while waiting:
                signal = waiting.popleft()
                if not signal.ready:
                    return signal
        return None

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        elif (self._waiting or self._waiting_fresh) and not self._closed:
            self._grow()  # there is room again

    def close(self) -> None:
        """Close what is idle, stop connecting."""
        self._closed = True
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self._idle):
            connection.close()

    def retire(self) -> None:
        """No new calls will come: close what is idle, and every other connection when its call is over. Calls that are
        under way may still connect."""
        self._retired = True
        for connection in list(self._idle):
            connection.close()

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many connections are open, idle, and being made."""
        return len(self._open), len(self._idle), len(self._connecting)

    def _drop(self, signal: Signal[UpstreamConnection]) -> None:
        """The waiter is gone. A connection that was on its way to it goes to the next."""
        for waiting in (self._waiting, self._waiting_fresh):
            if signal in waiting:
                waiting.remove(signal)

    def _give_up(self, signal: Signal[UpstreamConnection]) -> None:
        signal.fail(Fault("overloaded", "All connections to the provider are in use.", verdict="next", retry_after=1.0))

    def _make(self) -> UpstreamConnection:
        return UpstreamConnection(self, self._sweeper)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self.endpoint.connect_timeout):
                connection = await self._dial()
        except Fault as fault:
            self._refuse(fault)
        except TimeoutError:
            seconds = self.endpoint.connect_timeout
            self._refuse(_unreachable(f"The provider did not accept a connection within {seconds:g} s."))
        except ssl.SSLError as error:
            reason = error.reason or "handshake failed"
            if isinstance(error, ssl.SSLCertVerificationError):
                reason = error.verify_message
            self._refuse(_unreachable(f"TLS with the provider failed: {reason}."))
        except OSError as error:
            if self.endpoint.unix is not None:
                self._refuse(_unreachable(_NO_ENGINE))
                return
            text = f"The provider cannot be reached: {error.strerror or type(error).__name__}."
            self._refuse(_unreachable(text, "again"))
        else:
            self.connects += 1
            if connection.closed:  # it was accepted and ended at once
                self._refuse(_unreachable("The provider closed the connection as soon as it was made.", "again"))
                return
            self._open.add(connection)
            self.give_back(connection)

    def _refuse(self, fault: Fault) -> None:
        # One failed connect fails one waiter: each of the others has its own.
        signal = self._next(fresh=True)
        if signal is not None:
            signal.fail(fault)

    async def _dial(self) -> UpstreamConnection:
        endpoint = self.endpoint
        make: Callable[[], Any] = self._make
        if endpoint.unix is not None:
            _, made = await self._loop.create_unix_connection(make, endpoint.unix)
            return cast(UpstreamConnection, made)
        error: OSError | None = None
        for address in await self._resolve():
            try:
                # The vetted address, with the name for TLS: a second look-up could give another address.
                _, made = await self._loop.create_connection(
                    make,
                    address,
                    endpoint.port,
                    ssl=endpoint.tls,
                    server_hostname=endpoint.host if endpoint.tls is not None else None,
                )
            except ssl.SSLError:
                raise
            except OSError as problem:
                error = problem
            else:
                return cast(UpstreamConnection, made)
        raise error or OSError("no address")

    async def _resolve(self) -> list[str]:
        endpoint = self.endpoint
        try:
            found = await self._loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:  # the latter for names that cannot be one
            raise _unreachable("The provider's host name cannot be resolved.") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        good = [address for address in addresses if allowed(address, endpoint.allow_private)]
        if not good:
            raise _unreachable(
                "The provider's address is private, which its configuration does not allow (allow_private = true does)."
            )
        return good


def _unreachable(message: str, verdict: Verdict = "next") -> Fault:
    """`verdict` is "again" where another connect, a moment later, may well succeed."""
    return Fault("upstream_unreachable", message, verdict=verdict)
