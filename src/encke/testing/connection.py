"""One connection of the fake upstream: takes requests, plays a script for each, and writes both into the statement."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

from encke.testing import wire
from encke.testing.host import Host
from encke.testing.request import BadRequest, Request, RequestParser
from encke.testing.script import Cut, Fin, PauseReading, ResumeReading, Rst, Script, Send, Sleep, Stall, WaitGone
from encke.testing.statement import Connected, Disconnected, Ended, Outcome, Rejected, received


class _PeerLeft(Exception):
    """The peer ended the connection while a script was playing."""


class _Over(Exception):
    """A step ended the connection."""

    def __init__(self, ended: Ended) -> None:
        self.ended = ended


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, host: Host) -> None:
        self.gone = asyncio.Event()
        self._host = host
        self._number = host.next_connection()
        self._parser = RequestParser()
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._gone = self._by_us = self._by_peer = self._paused = False
        self._received = self._written = self._tokens = self._first_ns = self._last_ns = 0

    # what the event loop calls

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        self._tls = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=0)
        self._host.connections.add(self)
        self._host.statement.add(Connected(self._number, time.monotonic_ns()))

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        self._parser.buffer += data
        if self._task is None:
            self._take()

    def eof_received(self) -> bool:
        self._leave()
        return self._task is not None and not self._transport.get_extra_info("sslcontext")

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._host.connections.discard(self)
        record = Disconnected(self._number, self._by_peer, self._received, time.monotonic_ns())
        self._host.statement.add(record)
        self.gone.set()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    # requests

    def _leave(self) -> None:
        self._by_peer = self._by_peer or not self._by_us
        self._gone = True
        self._wake()

    def _take(self) -> None:
        try:
            request = self._parser.take()
        except BadRequest as error:
            self._reject(str(error))
            return
        if request is not None:
            self._begin(request, None)
            return
        early = self._parser.early()
        script = self._host.choose_early(early) if early is not None else None
        if early is not None and script is not None:
            self._begin(early, script)
        elif early is not None and early.header("expect") and not early.body:
            self._transport.write(wire.head(100))

    def _reject(self, problem: str) -> None:
        self._host.statement.add(Rejected(self._number, problem, time.monotonic_ns()))
        error = {"error": {"message": f"bad request: {problem}", "type": "invalid_request_error"}}
        self._transport.write(wire.json_response(400, error, [("connection", "close")]))
        self._end(self._transport.close)

    def _begin(self, request: Request, script: Script | None) -> None:
        request.number, request.connection = self._host.next_call(), self._number
        moment = time.monotonic_ns()
        problem = None
        if script is None:
            try:
                script = self._host.choose(request)
            except Exception as error:
                problem = f"choosing a script failed: {error!r}"
                text = wire.json_response(500, {"error": {"message": f"fake upstream: {problem}"}})
                script = Script([Send(text)], name="failed")
        self._host.statement.add(received(request, script.name, moment, self._host.keep_body))
        self._task = asyncio.get_running_loop().create_task(self._play(request, script, problem))

    async def _play(self, request: Request, script: Script, problem: str | None) -> None:
        start, self._tokens, self._first_ns, self._last_ns = self._sent, 0, 0, 0
        ended: Ended = "failed" if problem else "completed"
        try:
            for step in script.steps:
                await _PLAY[type(step)](self, step)
        except _PeerLeft:
            ended = "peer_left"
        except _Over as over:
            ended = over.ended
        except asyncio.CancelledError:
            ended = "stopped"
            raise
        except Exception as error:
            ended, problem = "failed", repr(error)
        finally:
            sent, moment = self._sent - start, time.monotonic_ns()
            claimed = (self._tokens, script.prompt_tokens)
            moments = (self._first_ns, self._last_ns, moment)
            outcome = Outcome(request.number, self._number, script.name, ended, sent, *claimed, *moments, problem)
            self._host.statement.add(outcome)
            self._task = None
        self._next(request, ended)

    def _next(self, request: Request, ended: Ended) -> None:
        if ended == "failed":
            self._end(self._transport.abort)
        elif self._gone or not request.keep_alive:
            self._end(self._transport.close)
        elif not self._transport.is_closing():
            self._take()

    def _end(self, how: Callable[[], None]) -> None:
        self._by_us = True
        how()

    def stop(self) -> None:
        """End whatever is going on, at once."""
        if self._task is not None:
            self._task.cancel()
        self._end(self._transport.abort)

    # steps

    @property
    def _sent(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, seconds: float | None = None) -> None:
        """Until woken, or for `seconds`."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self._wake) if seconds is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    async def _send(self, step: Send) -> None:
        if self._gone:
            raise _PeerLeft
        if step.tokens:
            self._last_ns = time.monotonic_ns()
        self._transport.write(step.data)
        self._written += len(step.data)
        while self._paused and not self._gone:
            # uvloop's TLS may say that it is full and never that it is not: then the buffer itself has to be asked.
            await self._wait(0.002 if self._tls else None)
            if self._tls and not self._transport.get_write_buffer_size():
                self._paused = False
        if self._paused:
            raise _PeerLeft
        self._first_ns = self._first_ns or time.monotonic_ns()
        self._tokens += step.tokens
        await asyncio.sleep(0)

    async def _sleep(self, step: Sleep) -> None:
        if not self._gone:
            await self._wait(step.seconds)
        if self._gone:
            raise _PeerLeft

    async def _stall(self, _: Stall) -> None:
        while not self._gone:
            await self._wait()
        raise _PeerLeft

    async def _wait_gone(self, step: WaitGone) -> None:
        if not self._gone:
            await self._wait(step.seconds)

    async def _fin(self, _: Fin) -> None:
        self._end(self._transport.close)
        raise _Over("fin")

    async def _cut(self, _: Cut) -> None:
        with socket.socket(fileno=socket.dup(self._transport.get_extra_info("socket").fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        raise _Over("fin")

    async def _rst(self, _: Rst) -> None:
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end(self._transport.abort)
        raise _Over("reset")

    async def _pause_reading(self, _: PauseReading) -> None:
        self._transport.pause_reading()

    async def _resume_reading(self, _: ResumeReading) -> None:
        self._transport.resume_reading()


_PLAY: dict[type, Callable[[Connection, Any], Awaitable[None]]] = {
    Send: Connection._send,
    Sleep: Connection._sleep,
    Fin: Connection._fin,
    Cut: Connection._cut,
    Rst: Connection._rst,
    Stall: Connection._stall,
    WaitGone: Connection._wait_gone,
    PauseReading: Connection._pause_reading,
    ResumeReading: Connection._resume_reading,
}
