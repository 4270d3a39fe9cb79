"""A client's connection: HTTP/1.1 in, one call at a time, answers out.

A connection has two states. `_phase` is open (requests are read), call (the application answers one), linger (the last
answer is written; input is thrown away so that the peer can read it) or closed. `_parse` is where the parser stands
(`encke.http.incoming`). Requests that arrive while a call is open wait as raw bytes, 64 KiB at most; reading goes on up
to there so that a client that leaves is seen at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol, cast

import httptools

from encke.core.faults import Fault
from encke.http.drive import Driver
from encke.http.headers import status_line
from encke.http.incoming import BODY, FOREVER, HEAD, IDLE, MAX_DISCARD, Incoming, Reception, ServerLimits, crash
from encke.http.kernel import cut, has_input, unsent
from encke.http.known import KnownHeads
from encke.http.request import Request
from encke.http.sweep import Sweeper

MAX_PENDING: Final = 64 * 1024
PER_TURN: Final = 64  # so many calls that are answered at once, then the other connections' turn comes
HIGH_WATER: Final = 64 * 1024
# After the last answer, what still comes in is thrown away: so long after the last of it, and so long altogether.
LINGER_SECONDS: Final = 2.0
LONGEST_LINGER: Final = 30.0

OPEN, CALL, LINGER, CLOSED = range(4)

# Stands in for the parser of a connection that is gone.
SPENT: Final = httptools.HttpRequestParser(None)


class ClientGone(Exception):
    """The client left while its call was open."""


class Application(Reception, Protocol):
    """What answers requests."""

    @property
    def draining(self) -> bool:
        """Whether connections are to be closed after their answer."""

    def handle(self, request: Request, connection: ServerConnection) -> Coroutine[Any, None, None]:
        """Answer a request, by `respond` or by `start_stream` … `end_stream`."""

    def refuse(self, request: Request | None, connection: ServerConnection, fault: Fault) -> None:
        """Answer with an error, by `respond`; without a request when it could not be read."""

    def crashed(self, connection: ServerConnection, error: BaseException) -> None:
        """A call ended with an exception: tell the log."""


class Sink(Protocol):
    """What feeds a stream to the client, and can wait."""

    def pause(self) -> None:
        """The client reads too slowly."""

    def resume(self) -> None:
        """It has caught up."""


class ServerConnection(Incoming):
    """One client's connection, an `asyncio.Protocol` in all but its base, which would keep it from being compiled.

    `members` is the set of open connections, kept by it.
    """

    __slots__ = (
        "__weakref__",
        "_app",
        "_chunked",
        "_driver",
        "_head_sent",
        "_linger_until",
        "_looping",
        "_members",
        "_method_is_head",
        "_must_close",
        "_paused",
        "_pending",
        "_phase",
        "_reading_paused",
        "_stalled_at",
        "_transport",
        "_turn_due",
        "bytes_sent",
        "peer",
        "sink",
    )

    def __init__(
        self,
        app: Application,
        sweeper: Sweeper,
        limits: ServerLimits,
        members: set[ServerConnection],
        heads: KnownHeads | None = None,
    ) -> None:
        super().__init__(app, sweeper, limits, heads)
        self._app = app
        self._members = members
        self._phase = OPEN
        self._pending = b""
        self._driver: Driver | None = None
        self._looping = False
        self._turn_due = False
        self._reading_paused = False
        self._paused = False
        self._stalled_at = 0
        self._head_sent = False
        self._chunked = False
        self._must_close = False
        self._method_is_head = False
        self._linger_until = FOREVER
        self.sink: Sink | None = None
        self.bytes_sent = 0
        self.peer = ""

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        # The first request has as long as its head may take: who connects and says nothing is a slow attacker.
        self.deadline = self._sweeper.now + self._limits.header_timeout
        self._sweeper.add(self)
        self._members.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of one that must wait."""
        phase = self._phase
        if phase == OPEN and not self._paused and not self._turn_due:
            # Nothing is half read and nothing waits: the parser stands where a message begins.
            if self._parse != IDLE or self._queue:
                self._feed(data)
            elif self._known is None or not self._again(data, self._known):
                self._feed_whole(data)
        elif phase <= CALL:
            self._pending += data
            if len(self._pending) > MAX_PENDING:
                self._reading_paused = True
                self._transport.pause_reading()
        elif phase == LINGER:
            # Who sends a body that was refused gets to read why, rather than a reset; but not for ever.
            self._received += len(data)
            if self._received > max(MAX_DISCARD * 16, 2 * self._limits.max_body):
                self._transport.abort()
            elif not self._paused:
                self.deadline = min(self._sweeper.now + LINGER_SECONDS, self._linger_until)

    def eof_received(self) -> bool:
        """The client will send no more. With its call open that means that it left, as for nginx."""
        if self._phase == CALL or self._turn_due:
            self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._sweeper.discard(self)
        self._members.discard(self)
        self._leave()
        self._phase = CLOSED
        self._parser = SPENT  # which holds methods of this: a circle that only the collector would find

    def pause_writing(self) -> None:
        """The client reads slower than the answer comes."""
        self._paused = True
        self._stalled_at = unsent(self._transport)
        self.deadline = self._sweeper.now + self._limits.write_stall
        if self.sink is not None:
            self.sink.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused = False
        if self._phase == OPEN:
            self.deadline = self._sweeper.now + self._limits.keepalive
            self._go_on()
        elif self._phase == CALL:
            self.deadline = FOREVER
        if self.sink is not None:
            self.sink.resume()

    def expire(self, now: float) -> None:
        """The deadline of the present state has passed."""
        if self._paused or self._phase >= LINGER:
            # Something is to be written out still: while it gets less, the client is slow; else it is stuck.
            size = unsent(self._transport)
            if 0 < size < self._stalled_at:
                self._stalled_at = size
                self.deadline = now + self._limits.write_stall
            else:
                cut(self._transport, size)
        elif self._phase == CALL:
            self.deadline = FOREVER
        elif self._parse == IDLE:
            self.close_if_idle()
        else:
            what = "headers" if self._parse == HEAD else "body"
            self._refuse(Fault("request_timeout", f"The request's {what} did not arrive in time."))

    # Running calls.

    def _run(self) -> None:
        """Start calls one after the other; a loop, so that many small pipelined ones do not nest."""
        if self._looping:
            return
        self._looping = True
        begun = 0
        try:
            # Not while answers pile up: a client that does not read them has no more calls begun for it.
            while self._phase == OPEN and not self._paused:
                if begun >= PER_TURN:
                    if not self._turn_due:
                        self._turn_due = True
                        self._sweeper.soon(self._turn)
                    return
                if not self._queue:
                    if not self._pending:
                        break
                    data, self._pending = self._pending, b""
                    self._feed(data)  # may queue requests, or refuse
                    if not self._queue:
                        break
                    continue
                begun += 1
                self._begin(self._queue.pop(0))
        finally:
            self._looping = False
        if self._phase == OPEN and not self._paused:
            if self._reading_paused:
                self._reading_paused = False
                self._transport.resume_reading()
            if self._parse == BODY:
                # The time that earlier calls took is not this body's.
                self._body_started = self._sweeper.now
                self._set_body_deadline()
            elif self._parse == HEAD:
                self.deadline = self._sweeper.now + self._limits.header_timeout

    def _turn(self) -> None:
        """Go on where the last turn ended."""
        self._turn_due = False
        if self._phase == OPEN:
            self._run()

    def _begin(self, request: Request) -> None:
        self._head_sent = False
        self._must_close = not request.keep_alive or self._app.draining
        self._method_is_head = request.method == "HEAD"
        self._current = request
        self._phase = CALL
        self.bytes_sent = 0
        if not self._paused:
            self.deadline = FOREVER
        if request.refusal is not None:
            self._app.refuse(request, self, request.refusal)
            self._next()
            return
        try:
            coroutine = self._app.handle(request, self)
        except Exception as error:
            self._ended(error)
            return
        driver = self._driver = Driver(coroutine, self._ended)
        driver.start()

    def _ended(self, error: BaseException | None) -> None:
        self._driver = None
        self.sink = None
        if error is not None and not isinstance(error, ClientGone):
            self._app.crashed(self, error)
            if self._phase == CALL:
                if self._head_sent:
                    self._transport.abort()
                else:
                    self._must_close = True
                    self._app.refuse(self._current, self, crash())
        self._next()

    def _next(self) -> None:
        """The answer is written: wait for the next request, or close."""
        if self._phase != CALL:
            return
        if self._must_close:
            self._close()
            return
        self._phase = OPEN
        self._current.body = b""  # it may be large, and the connection may stay for long
        if not self._paused:
            self.deadline = self._sweeper.now + self._limits.keepalive
        self._go_on()

    def _go_on(self) -> None:
        if self._queue or self._pending or self._reading_paused or self._parse != IDLE:
            self._run()

    def _leave(self) -> None:
        """The client has left: the call, if one is open, learns it now."""
        self._queue.clear()
        self._pending = b""
        driver = self._driver
        if driver is not None:
            self._must_close = True
            driver.cancel(ClientGone())

    def _invite(self) -> None:
        if self._phase == OPEN:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _crashed(self, error: BaseException) -> None:
        self._app.crashed(self, error)

    # Answering.

    def respond(self, status: int, head: str, body: bytes) -> None:
        """Write a whole answer. `head` is the header lines, each with its line end, without length and connection."""
        if self._phase != CALL:
            return
        self._head_sent = True
        data = b"".join(
            (
                f"{status_line(status)}{head}content-length: {len(body)}\r\n{self._connection_field()}\r\n".encode(
                    "latin-1"
                ),
                b"" if self._method_is_head else body,
            )
        )
        self.bytes_sent += len(data)
        self._transport.write(data)

    def start_stream(self, status: int, head: str, first: bytes) -> None:
        """Write the head of an answer whose length is not known, and its first bytes."""
        self._head_sent = True
        self._chunked = self._current.http11
        if not self._chunked:
            self._must_close = True
        framing = "transfer-encoding: chunked\r\n" if self._chunked else ""
        lines = f"{status_line(status)}{head}{framing}{self._connection_field()}\r\n".encode("latin-1")
        data = lines + self._frame(first) if first else lines
        self.bytes_sent += len(data)
        self._transport.write(data)

    def write_stream(self, data: bytes) -> None:
        """Write more of it."""
        if self._phase == CALL:
            if self._chunked:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            self.bytes_sent += len(data)
            self._transport.write(data)

    def end_stream(self, last: bytes) -> None:
        """Write the last bytes and the end."""
        if self._phase == CALL:
            data = self._frame(last) if last else b""
            if self._chunked:
                data += b"0\r\n\r\n"
            self.bytes_sent += len(data)
            self._transport.write(data)

    def break_stream(self, last: bytes) -> None:
        """Write the last bytes and close without the end that would say all is well."""
        if self._phase == CALL:
            self._must_close = True
            if last:
                self.write_stream(last)

    def close_after_answer(self) -> None:
        """Have the connection end with the answer to the open call."""
        self._must_close = True

    @property
    def head_sent(self) -> bool:
        """Whether the status is fixed."""
        return self._head_sent

    @property
    def is_paused(self) -> bool:
        """Whether the client reads too slowly just now."""
        return self._paused

    @property
    def idle(self) -> bool:
        """Whether no request is being received or answered."""
        return self._phase == OPEN and self._parse == IDLE and not self._turn_due

    def idle_since(self) -> float:
        """When an idle connection finished its last call, or was made, by the sweeper's clock."""
        limits = self._limits
        return self.deadline - (limits.keepalive if self.bytes_sent else limits.header_timeout)

    def use_limits(self, limits: ServerLimits) -> None:
        """Other limits, for what comes from now on."""
        self._limits = limits

    def close_if_idle(self) -> None:
        """For draining: idle connections end now, others after their answer.

        One whose next request has arrived in the kernel already is not idle: to close it would be to lose a call.
        """
        if self.idle and not has_input(self._transport):
            if unsent(self._transport):
                self._close()  # it has not read its last answer: to be cut off if it never does
                return
            self._phase = LINGER
            self._stalled_at = 1
            self.deadline = self._sweeper.now + LINGER_SECONDS
            self._transport.close()
        else:
            self._must_close = True

    def cancel_call(self, error: BaseException) -> None:
        """Raise `error` in the open call, if there is one."""
        if self._driver is not None:
            self._driver.cancel(error)

    def _frame(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def _connection_field(self) -> str:
        if self._must_close or self._app.draining:
            self._must_close = True
            return "connection: close\r\n"
        return "" if self._current.http11 else "connection: keep-alive\r\n"

    def _refuse_after_queue(self, fault: Fault) -> None:
        """Answer what came whole before the fault, then refuse."""
        if self._queue:
            refused = self._half_read() or Request()
            refused.keep_alive = False
            refused.refusal = fault
            self._queue.append(refused)
            self._run()
        else:
            self._refuse(fault)

    def _refuse(self, fault: Fault) -> None:
        """Refuse what is coming in, and close."""
        self._stop_fault = None
        request = self._half_read()
        if request is not None:
            request.keep_alive = False
            self._current = request
        self._method_is_head = request is not None and request.method == "HEAD"
        self._head_sent = False  # that of an earlier answer
        self.bytes_sent = 0
        self._phase = CALL
        self._must_close = True
        self._app.refuse(request, self, fault)
        self._close()

    def _close(self) -> None:
        """End the connection once what is written has gone out; what still comes in is thrown away for a while."""
        self._phase = LINGER
        self._received = 0
        self._pending = b""
        self._queue.clear()
        self._stalled_at = unsent(self._transport) + 1
        self._linger_until = self._sweeper.now + LONGEST_LINGER
        self.deadline = self._sweeper.now + (self._limits.write_stall if self._paused else LINGER_SECONDS)
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
