"""A client's connection: HTTP/1.1 in, one call at a time, answers out.

A connection has two states. `_phase` is open (requests are read), call (the application answers one), linger (the last
answer is written; input is thrown away so that the peer can read it) or closed. `_parse` is where the parser stands:
idle, head or body. Requests that arrive while a call is open wait as raw bytes, 64 KiB at most; reading goes on up to
there so that a client that leaves is seen at once.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
import socket
import struct
import termios
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import httptools

from encke.core.faults import Fault
from encke.http.drive import Driver
from encke.http.headers import (
    KEPT_REQUEST_HEADERS,
    LIST_REQUEST_HEADERS,
    ONCE_REQUEST_HEADERS,
    SINGLE_REQUEST_HEADERS,
    status_line,
)
from encke.http.known import KnownHead, KnownHeads
from encke.http.request import Request as Request
from encke.http.sweep import Sweeper

MAX_HEAD: Final = 64 * 1024
MAX_FIELDS: Final = 100
MAX_PENDING: Final = 64 * 1024
MAX_SHOWN: Final = 1024
PER_TURN: Final = 64  # so many calls that are answered at once, then the other connections' turn comes
MAX_DISCARD: Final = 64 * 1024
# Pieces of a body: so many are free, then each must bring as many bytes on average. A megabyte in chunks of one byte
# costs a hundred times what it costs in one piece.
FREE_PIECES: Final = 65_536
PIECE_BYTES: Final = 64
MAX_UNKNOWN: Final = 8  # so many heads unlike the one before, and no more are learned on a connection
HIGH_WATER: Final = 64 * 1024
# After the last answer, what still comes in is thrown away: so long after the last of it, and so long altogether.
LINGER_SECONDS: Final = 2.0
LONGEST_LINGER: Final = 30.0
FOREVER: Final = float("inf")

IDLE, HEAD, BODY = range(3)
OPEN, CALL, LINGER, CLOSED = range(4)

# Stands in for the parser of a connection that is gone.
SPENT: Final = httptools.HttpRequestParser(None)

_HOST: Final = re.compile(rb"[A-Za-z0-9._\-]*(:[0-9]*)?|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")
_AUTHORITY: Final = re.compile(rb"https?://[^/?#]*", re.I)


class ClientGone(Exception):
    """The client left while its call was open."""


class _Stop(Exception):
    """Raised in a parser's callback to stop it; the fault stands on the connection."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits of a client's connection: bytes, seconds, bytes per second."""

    max_body: int = 32 << 20
    header_timeout: float = 10.0
    body_floor: float = 1024.0
    write_stall: float = 120.0
    keepalive: float = 75.0


class Application(Protocol):
    """What answers requests."""

    @property
    def draining(self) -> bool:
        """Whether connections are to be closed after their answer."""

    @property
    def epoch(self) -> int:
        """Changes when `check` may say something else about the same head."""

    def check(self, request: Request) -> Fault | None:
        """Look at a head before its body is read; a Fault refuses it there and then."""

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


class ServerConnection:
    """One client's connection, an `asyncio.Protocol` in all but its base, which would keep it from being compiled.

    `members` is the set of open connections, kept by it.
    """

    __slots__ = (
        "__weakref__",
        "_app",
        "_body",
        "_body_started",
        "_chunked",
        "_current",
        "_driver",
        "_dry",
        "_fields",
        "_fresh",
        "_head_bytes",
        "_head_sent",
        "_heads",
        "_known",
        "_limits",
        "_linger_until",
        "_looping",
        "_members",
        "_method_is_head",
        "_must_close",
        "_parse",
        "_parser",
        "_paused",
        "_pending",
        "_phase",
        "_pieces",
        "_queue",
        "_reading_paused",
        "_received",
        "_request",
        "_stalled_at",
        "_stop_fault",
        "_sweeper",
        "_target",
        "_transport",
        "_turn_due",
        "_unknown",
        "_upgrading",
        "bytes_sent",
        "deadline",
        "peer",
        "sink",
    )  # fmt: skip

    def __init__(
        self,
        app: Application,
        sweeper: Sweeper,
        limits: ServerLimits,
        members: set[ServerConnection],
        heads: KnownHeads | None = None,
    ) -> None:
        self._app = app
        self._sweeper = sweeper
        self._limits = limits
        self._members = members
        self._heads = heads if heads is not None else KnownHeads()
        self._known: KnownHead | None = None  # the last head that was read here
        self._unknown = 0
        self._phase = OPEN
        self._parse = IDLE
        self._body_started = 0.0
        self._upgrading = False
        self._queue: list[Request] = []  # not a deque: an empty one is as large as all the rest
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
        self._stop_fault: Fault | None = None
        self._head_bytes = 0
        self._fields = 0
        self._fresh = True
        self._dry = 0
        self._received = 0
        self._pieces = 0
        self._linger_until = FOREVER
        self._target = b""
        self._request = Request()  # the one the parser is at
        self._current = self._request  # the one whose call is open
        self._body: bytes | bytearray = b""
        self.sink: Sink | None = None
        self.bytes_sent = 0
        self.peer = ""
        self.deadline = FOREVER
        self._parser = httptools.HttpRequestParser(self)

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
        self._stalled_at = self._unsent()
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
            size = self._unsent()
            if 0 < size < self._stalled_at:
                self._stalled_at = size
                self.deadline = now + self._limits.write_stall
            else:
                self._cut(size)
        elif self._phase == CALL:
            self.deadline = FOREVER
        elif self._parse == IDLE:
            self.close_if_idle()
        else:
            what = "headers" if self._parse == HEAD else "body"
            self._refuse(Fault("request_timeout", f"The request's {what} did not arrive in time."))

    # httptools calls these, while bytes are fed to it. They keep to the parsing; the call starts after it.

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._request = Request()
        self._target = b""
        self._body = b""
        self._head_bytes = 0
        self._fields = 0
        self._fresh = True
        self._dry = 0
        self._received = 0
        self._pieces = 0
        self._parse = HEAD
        self.deadline = self._sweeper.now + self._limits.header_timeout

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._target += url
        if len(self._target) > MAX_HEAD:
            self._stop(Fault("headers_too_large", f"The request target is longer than {MAX_HEAD} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or a trailer field, which is counted and dropped."""
        self._fields += 1
        self._head_bytes += len(name) + len(value)
        if self._fields > MAX_FIELDS or self._head_bytes > MAX_HEAD:
            self._stop(
                Fault(
                    "headers_too_large", f"More than {MAX_FIELDS} header fields, or more than {MAX_HEAD} bytes of them."
                )
            )
        if self._parse != HEAD:
            return
        name = name.lower()
        if name in KEPT_REQUEST_HEADERS:
            headers = self._request.headers
            if name in headers:
                if name in SINGLE_REQUEST_HEADERS and headers[name] != value:
                    self._stop(
                        Fault("bad_request", f"The header {name.decode()} was sent twice, with different values.")
                    )
                if name in ONCE_REQUEST_HEADERS:
                    self._stop(Fault("bad_request", f"The header {name.decode()} was sent twice."))
                if name in LIST_REQUEST_HEADERS:
                    value = headers[name] + b"," + value
            headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole: look at it before the body comes."""
        request = self._request
        parser = self._parser
        request.method = parser.get_method().decode("ascii", "replace")
        version = parser.get_http_version()
        request.http11 = version == "1.1"
        # Read now: the parser clears its flags when the message ends.
        request.keep_alive = parser.should_keep_alive()
        if parser.should_upgrade():
            self._upgrading = True  # `_without_upgrade` follows
            return
        if version not in ("1.0", "1.1"):
            self._stop(Fault("bad_request", f"HTTP/{version} is not spoken here; send HTTP/1.1."))
        self._take_target(request)
        headers = request.headers
        host = headers.get(b"host")
        if (host is None and request.http11) or (host is not None and not _HOST.fullmatch(host)):
            self._stop(Fault("bad_request", "The Host header is missing or is not a host name."))
        self._parse = BODY
        self._head_bytes = 0
        self._body_started = self._sweeper.now
        length = _length(headers)
        chunked = b"transfer-encoding" in headers
        if chunked and (headers[b"transfer-encoding"].lower() != b"chunked" or not request.http11):
            # The parser takes any list that ends in chunked, and from HTTP/1.0 too; others read such things otherwise.
            self._stop(Fault("bad_request", "The only transfer-encoding understood is chunked, in HTTP/1.1."))
        if length > self._limits.max_body:
            self._stop(Fault("request_too_large", self._too_large(length)))
        fault = self._app.check(request)
        if fault is not None:
            request.refusal = fault
            if chunked or length > MAX_DISCARD or b"expect" in headers:
                self._stop(fault)
        elif b"expect" in headers and (length or chunked):
            self._continue(request)

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._received += len(data)
        self._pieces += 1
        if self._received > self._limits.max_body:
            self._stop(Fault("request_too_large", self._too_large(None)))
        if self._pieces > FREE_PIECES and (self._pieces - FREE_PIECES) * PIECE_BYTES > self._received:
            self._stop(Fault("bad_request", f"The body comes in chunks of less than {PIECE_BYTES} bytes."))
        if self._request.refusal is not None:
            return
        if not self._body:
            self._body = data
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._upgrading:
            return
        request = self._request
        body = self._body
        request.body = body if isinstance(body, bytes) else bytes(body)
        self._body = b""
        self._queue.append(request)
        self._parse = IDLE
        self._head_bytes = 0

    # Heads known from before.

    def _again(self, data: bytes, known: KnownHead) -> bool:
        """Take a request whose head is the one before it on this connection; False if it is not."""
        if known.epoch != self._app.epoch:
            self._known = None
            return False
        request = known.again(data, self._limits.max_body)
        if request is None:
            return False
        self._queue.append(request)
        self._run()
        return True

    def _feed_whole(self, data: bytes) -> None:
        """Feed the parser where a message begins, and remember the head if all of it was one request."""
        if self._unknown >= MAX_UNKNOWN:
            self._feed(data)
            return
        epoch = self._app.epoch
        self._feed(data)
        request = self._request
        if request.lasting and self._parse == IDLE and self._current is request:
            self._unknown += 1
            self._known = self._heads.learn(data, request, epoch)

    # Feeding the parser.

    def _feed(self, data: bytes) -> None:
        received = self._received
        rest: Any = data
        while True:
            try:
                if self._upgrading:
                    self._parser, head = self._without_upgrade()
                    self._parser.feed_data(head)
                self._parser.feed_data(rest)
                break
            except httptools.HttpParserUpgrade as upgrade:
                if self._request.method == "CONNECT":
                    fault = Fault(
                        "method_not_allowed",
                        "This is not a proxy: CONNECT is not allowed.",
                        headers=(("allow", "GET, HEAD, POST, OPTIONS"),),
                    )
                    self._refuse_after_queue(fault)
                    return
                # A view: many such requests in one read must not copy what follows them each time.
                rest = memoryview(rest)[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                self._refuse_after_queue(self._why_stopped(error))
                return
        if self._parse != IDLE and self._is_endless(len(data), received):
            self._refuse_after_queue(Fault("headers_too_large", f"More than {MAX_HEAD} bytes of headers."))
            return
        if self._queue:
            self._run()
        elif self._parse == BODY:
            self._set_body_deadline()

    def _why_stopped(self, error: Exception) -> Fault:
        if self._stop_fault is not None:
            return self._stop_fault
        if isinstance(error, httptools.HttpParserCallbackError):
            # Not the client's bytes: one of our own callbacks failed.
            self._app.crashed(self, error.__context__ or error)
            return _crash()
        return Fault("bad_request", f"The request is not valid HTTP/1.1: {_reason(error)}.")

    def _is_endless(self, size: int, received: int) -> bool:
        """Whether a field, or a trailer field, grows without end: the parser keeps it until it is whole.

        The read in which a message begins tells nothing, since it may hold other messages as well.
        """
        if self._fresh:
            self._fresh = False
        elif self._received != received:
            self._dry = 0
        else:
            self._dry += size
        return self._dry > MAX_HEAD + 4 * MAX_FIELDS

    def _set_body_deadline(self) -> None:
        # A floor on the rate: what has come so far buys time.
        limits = self._limits
        if limits.body_floor > 0:
            self.deadline = self._body_started + limits.header_timeout + self._received / limits.body_floor
        else:
            self.deadline = FOREVER

    def _continue(self, request: Request) -> None:
        """The client waits for a word before it sends the body; not while answers to earlier requests are due."""
        wanted = request.headers[b"expect"].lower() == b"100-continue"
        if wanted and request.http11 and not self._queue and self._phase == OPEN:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_target(self, request: Request) -> None:
        target = self._target
        if target[:1] != b"/" and target != b"*":
            absolute = _AUTHORITY.match(target)
            if absolute is None:
                self._stop(Fault("bad_request", "The request target must be a path, such as /v1/chat/completions."))
            else:
                target = target[absolute.end() :] or b"/"
        path, _, request.query = target.partition(b"?")
        request.path = path.partition(b"#")[0].decode("ascii", "replace")

    def _too_large(self, length: int | None) -> str:
        has = "is larger" if length is None else f"has {length} bytes; that is more"
        return f"The body {has} than the limit of {self._limits.max_body} bytes."

    def _stop(self, fault: Fault) -> None:
        self._stop_fault = fault
        raise _Stop

    def _without_upgrade(self) -> tuple[httptools.HttpRequestParser, bytes]:
        """For a request that asks for another protocol (h2c, usually), which is answered as if it had not asked.

        The parser stops at such a head; a fresh one gets the same head without the wish, then the bytes that follow.
        """
        request = self._request
        fields = [
            b"%s: %s\r\n" % (name, value)
            for name, value in request.headers.items()
            if name not in (b"upgrade", b"connection")
        ]
        version = b"1.1" if request.http11 else b"1.0"
        kept = b"keep-alive" if request.keep_alive else b"close"
        line = b"%s %s HTTP/%s\r\nconnection: %s\r\n" % (request.method.encode(), self._target, version, kept)
        self._upgrading = False
        self._parse = IDLE
        return httptools.HttpRequestParser(self), b"".join([line, *fields, b"\r\n"])

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
                    self._app.refuse(self._current, self, _crash())
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
        if self.idle and not self._has_input():
            if self._unsent():
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

    def _has_input(self) -> bool:
        try:
            fd = self._transport.get_extra_info("socket").fileno()
            (waiting,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))
        except (OSError, AttributeError):
            return False
        return int(waiting) > 0

    def _cut(self, unsent: int) -> None:
        """End the connection now. What the peer has not taken, megabytes perhaps, the kernel would keep and offer to it
        for minutes yet: it is told to drop that."""
        if unsent:
            try:
                fd = self._transport.get_extra_info("socket").fileno()
                with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as handle:
                    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except (OSError, AttributeError):
                pass
        self._transport.abort()

    def _unsent(self) -> int:
        """Bytes that the client's kernel has not acknowledged: ours, and those the kernel here holds, up to 4 MiB."""
        try:
            fd = self._transport.get_extra_info("socket").fileno()
            (queued,) = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))
        except (OSError, AttributeError):
            queued = 0
        return self._transport.get_write_buffer_size() + int(queued)

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

    def _half_read(self) -> Request | None:
        """The request that the parser is at, with what was read of it; None where not even its first line was."""
        request = self._request
        if self._parse == IDLE or not (request.method or self._target):
            return None
        if not request.method:
            request.method = self._parser.get_method().decode("ascii", "replace")
        if not request.path:
            # Without what may be before or behind the path: an address there may hold a password, a query a key.
            shown = _AUTHORITY.sub(b"", self._target[:MAX_SHOWN], 1)
            request.path = shown.partition(b"?")[0].partition(b"#")[0].decode("ascii", "replace")
        return request

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
        self._stalled_at = self._unsent() + 1
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


def _length(headers: dict[bytes, bytes]) -> int:
    """The Content-Length, 0 without one. Digits only: the parser has checked it, and that it is not absurd."""
    text = headers.get(b"content-length", b"0")
    # Zeros in front are no length; but Python converts 4,300 digits at most.
    return int(text) if len(text) < 100 else int(text.strip().lstrip(b"0") or b"0")


def _crash() -> Fault:
    return Fault("internal_error", "The gateway failed; this is its fault.")


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.rstrip(".")[:200]
