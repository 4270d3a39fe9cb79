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
import struct
import termios
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple, Protocol, cast

import httptools

from encke.core.faults import Fault
from encke.http.drive import Driver
from encke.http.headers import KEPT_REQUEST_HEADERS, ONCE_REQUEST_HEADERS, SINGLE_REQUEST_HEADERS, status_line
from encke.http.sweep import Sweeper

MAX_HEAD: Final = 64 * 1024
MAX_FIELDS: Final = 100
MAX_PENDING: Final = 64 * 1024
MAX_SHOWN: Final = 1024
MAX_DISCARD: Final = 64 * 1024
# Pieces of a body: so many are free, then each must bring as many bytes on average. A megabyte in chunks of one byte
# costs a hundred times what it costs in one piece.
FREE_PIECES: Final = 65_536
PIECE_BYTES: Final = 64
HIGH_WATER: Final = 64 * 1024
# After the last answer, what still comes in is thrown away: so long after the last of it, and so long altogether.
LINGER_SECONDS: Final = 2.0
LONGEST_LINGER: Final = 30.0
FOREVER: Final = float("inf")

IDLE, HEAD, BODY = range(3)
OPEN, CALL, LINGER, CLOSED = range(4)

_HOST: Final = re.compile(rb"[A-Za-z0-9._\-]*(:[0-9]*)?|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")
_AUTHORITY: Final = re.compile(rb"https?://[^/?#]*", re.I)


class ClientGone(Exception):
    """The client left while its call was open."""


class _Stop(Exception):
    """Raised in a parser's callback to stop it; the fault stands on the connection."""


class ServerLimits(NamedTuple):
    """Limits of a client's connection: bytes, seconds, bytes per second."""

    max_body: int = 32 << 20
    header_timeout: float = 10.0
    body_floor: float = 1024.0
    write_stall: float = 120.0
    keepalive: float = 75.0


class Request:
    """A request, whole. `headers` holds those of `KEPT_REQUEST_HEADERS`, names in lower case."""

    __slots__ = ("body", "headers", "http11", "keep_alive", "method", "path", "query", "refusal", "route")

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.query = b""
        self.headers: dict[bytes, bytes] = {}
        self.body: bytes = b""
        self.http11 = True
        self.keep_alive = True
        self.refusal: Fault | None = None
        self.route: object = None  # what the application's check found out; its own business


class Application(Protocol):
    """What answers requests."""

    @property
    def draining(self) -> bool:
        """Whether connections are to be closed after their answer."""

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
    ) -> None:
        self._app = app
        self._sweeper = sweeper
        self._limits = limits
        self._members = members
        self._phase = OPEN
        self._parse = IDLE
        self._body_started = 0.0
        self._upgrading = False
        self._queue: deque[Request] = deque()
        self._pending = b""
        self._driver: Driver | None = None
        self._looping = False
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
        if phase == OPEN and not self._paused:
            self._feed(data)
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
        if self._phase == CALL:
            self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._sweeper.discard(self)
        self._members.discard(self)
        self._leave()
        self._phase = CLOSED

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
                self._transport.abort()
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
