"""An event loop in a thread, an application that says what it was asked, and exchanges that collect what they get."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Self, TypeVar, cast

import uvloop

from encke.core.faults import Fault
from encke.http.client import UpstreamConnection
from encke.http.drive import Driver, Signal
from encke.http.incoming import ServerLimits
from encke.http.known import KnownHeads
from encke.http.pool import Pool
from encke.http.request import Request
from encke.http.server import ClientGone, ServerConnection
from encke.http.sweep import Sweeper

T = TypeVar("T")
PLAIN = "content-type: text/plain\r\n"


class LoopThread:
    """A uvloop with a running Sweeper, in a thread of its own."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.sweeper = self.call(lambda: Sweeper(self.loop))
        self.call(self.sweeper.start)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the loop's thread; its result."""

        async def run() -> T:
            return function()

        return self.await_(run())

    def await_(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine as a task; its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def drive(self, coroutine: Coroutine[Any, None, T]) -> Driven[T]:
        """Run a coroutine that awaits signals, under a Driver."""
        driven: Driven[T] = Driven(coroutine)
        self.call(driven.driver.start)
        return driven

    def stop(self) -> None:
        """End the loop and its thread."""
        self.call(self.sweeper.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Driven(Generic[T]):
    """A coroutine under a Driver, and the future of its result."""

    def __init__(self, coroutine: Coroutine[Any, None, T]) -> None:
        self.future: concurrent.futures.Future[T] = concurrent.futures.Future()

        async def run() -> None:
            self.future.set_result(await coroutine)

        self.driver = Driver(run(), self._ended)

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            self.future.set_exception(error)

    def result(self, seconds: float = 10.0) -> T:
        """Its result, or its exception."""
        return self.future.result(seconds)


class EchoApp:
    """Answers with method, path, body length and number; what a path begins with changes how.

    `/hold` waits until `release`, `/stream` is two chunks, `/boom` fails (`/check-boom` in the check, `/handle-boom`
    before there is a coroutine), `/refuse` is refused by `check` with 403, `/big` is a large answer. `handled` lists
    what came, `gone` the paths whose client left, `refusals` the faults, `refused` method and path of what was refused.
    """

    def __init__(self) -> None:
        self.draining = False
        self.epoch = 0
        self.handled: list[tuple[str, str, bytes]] = []
        self.requests: list[Request] = []
        self.refusals: list[Fault] = []
        self.refused: list[tuple[str, str]] = []
        self.gone: list[str] = []
        self.crashes: list[BaseException] = []
        self.held: list[Signal[None]] = []

    def check(self, request: Request) -> Fault | None:
        """See `Application`."""
        if request.path.startswith("/check-boom"):
            raise RuntimeError("boom")
        if request.path.startswith("/refuse"):
            return Fault("not_found", "refused by the check", status=403)
        request.lasting = True
        return None

    def handle(self, request: Request, connection: ServerConnection) -> Coroutine[Any, None, None]:
        """See `Application`."""
        if request.path.startswith("/handle-boom"):
            raise RuntimeError("boom")
        return self._answer(request, connection)

    async def _answer(self, request: Request, connection: ServerConnection) -> None:
        self.requests.append(request)
        self.handled.append((request.method, request.path, request.body))
        number = len(self.handled)
        path = request.path
        try:
            if path.startswith("/boom"):
                raise RuntimeError("boom")
            if path.startswith("/hold"):
                signal: Signal[None] = Signal()
                self.held.append(signal)
                await signal
            if path.startswith("/stream"):
                connection.start_stream(200, PLAIN, b"first ")
                signal = Signal()
                self.held.append(signal)
                await signal
                connection.write_stream(b"second ")
                connection.end_stream(path.encode())
                return
        except ClientGone:
            self.gone.append(path)
            raise
        body = (
            b"x" * (8 << 20)
            if path.startswith("/big")
            else b"%s %s %d"
            % (
                request.method.encode(),
                path.encode(),
                len(request.body),
            )
        )
        connection.respond(200, f"{PLAIN}x-number: {number}\r\n", body)

    def refuse(self, request: Request | None, connection: ServerConnection, fault: Fault) -> None:
        """See `Application`."""
        self.refusals.append(fault)
        self.refused.append((request.method, request.path) if request is not None else ("", ""))
        connection.respond(fault.status, PLAIN, fault.code.encode())

    def crashed(self, connection: ServerConnection, error: BaseException) -> None:
        """See `Application`."""
        self.crashes.append(error)


class EchoServer:
    """`EchoApp` behind ServerConnections on a free loopback port."""

    def __init__(self, thread: LoopThread, limits: ServerLimits | None = None) -> None:
        self.app = EchoApp()
        self.members: set[ServerConnection] = set()
        heads = KnownHeads()
        self._thread = thread
        given = limits or ServerLimits()

        def connection() -> asyncio.Protocol:
            # It has a protocol's methods without its base class, so that it can be compiled.
            return cast(asyncio.Protocol, ServerConnection(self.app, thread.sweeper, given, self.members, heads))

        async def start() -> asyncio.AbstractServer:
            return await thread.loop.create_server(connection, "127.0.0.1", 0)

        self._server = thread.await_(start())
        self.port: int = self._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    def release(self) -> None:
        """Let all held calls go on."""

        def go() -> None:
            held, self.app.held = self.app.held, []
            for signal in held:
                signal.set(None)

        self._thread.call(go)

    def stop(self) -> None:
        """Stop listening."""
        self._thread.call(self._server.close)


class Collected:
    """An exchange (`encke.http.client.Exchange`) that keeps what it gets; `done` has status and body, or a Fault."""

    def __init__(self, connection: UpstreamConnection, deadline: float = float("inf")) -> None:
        self.deadline = deadline
        self.connection = connection
        self.done: Signal[tuple[int, bytes]] = Signal()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.ends = 0

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """See `Exchange`."""
        self.status, self.headers = status, headers

    def on_body(self, data: bytes) -> None:
        """See `Exchange`."""
        self.body += data

    def on_read(self) -> None:
        """See `Exchange`."""

    def on_end(self) -> None:
        """See `Exchange`."""
        self.ends += 1
        self.done.set((self.status, self.body))

    def on_lost(self, fault: Fault, clean: bool) -> None:
        """See `Exchange`."""
        self.ends += 1
        if clean:
            self.done.set((self.status, self.body))
        else:
            self.done.fail(fault)

    def on_crash(self, error: Exception) -> None:
        """See `Exchange`. A crash is a bug: whoever waits sees it as it is."""
        self.done.fail(error)

    def expire(self, now: float) -> None:
        """See `Exchange`."""
        self.connection.abandon(self)
        self.done.fail(Fault("upstream_timeout", "too slow"))


async def ask(pool: Pool, body: bytes = b"{}", path: str = "/v1/chat/completions") -> tuple[int, bytes]:
    """One POST over the pool; status and body. Raises Fault."""
    connection = await pool.acquire()
    exchange = Collected(connection)
    head = f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    try:
        connection.send(exchange, head.encode(), [body], len(body))
        return await exchange.done
    finally:
        connection.abandon(exchange)
