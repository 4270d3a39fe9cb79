"""The reading half of a client's connection: bytes in, whole requests out, in the order in which they came.

`_parse` is where the parser stands: idle, head or body. What is whole stands in `_queue`; what cannot be read, or may
not be, ends the reading with a Fault. Who runs the calls is the subclass (`encke.http.server`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httptools

from encke.core.faults import Fault
from encke.http.headers import (
    KEPT_REQUEST_HEADERS,
    LIST_REQUEST_HEADERS,
    ONCE_REQUEST_HEADERS,
    SINGLE_REQUEST_HEADERS,
)
from encke.http.known import KnownHead, KnownHeads
from encke.http.request import Request
from encke.http.sweep import Sweeper

MAX_HEAD: Final = 64 * 1024
MAX_FIELDS: Final = 100
MAX_SHOWN: Final = 1024
MAX_DISCARD: Final = 64 * 1024
# Pieces of a body: so many are free, then each must bring as many bytes on average. A megabyte in chunks of one byte
# costs a hundred times what it costs in one piece.
FREE_PIECES: Final = 65_536
PIECE_BYTES: Final = 64
MAX_UNKNOWN: Final = 8  # so many heads unlike the one before, and no more are learned on a connection
FOREVER: Final = float("inf")

IDLE, HEAD, BODY = range(3)

_HOST: Final = re.compile(rb"[A-Za-z0-9._\-]*(:[0-9]*)?|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")
_AUTHORITY: Final = re.compile(rb"https?://[^/?#]*", re.I)


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


class Reception(Protocol):
    """What looks at heads."""

    @property
    def epoch(self) -> int:
        """Changes when `check` may say something else about the same head."""

    def check(self, request: Request) -> Fault | None:
        """Look at a head before its body is read; a Fault refuses it there and then."""


class Incoming:
    """What is read on a connection, and how far. The parser calls the methods `on_…`."""

    __slots__ = (
        "_body",
        "_body_started",
        "_current",
        "_dry",
        "_fields",
        "_fresh",
        "_head_bytes",
        "_heads",
        "_known",
        "_limits",
        "_parse",
        "_parser",
        "_pieces",
        "_queue",
        "_received",
        "_reception",
        "_request",
        "_stop_fault",
        "_sweeper",
        "_target",
        "_unknown",
        "_upgrading",
        "deadline",
    )

    def __init__(self, reception: Reception, sweeper: Sweeper, limits: ServerLimits, heads: KnownHeads | None) -> None:
        self._reception = reception
        self._sweeper = sweeper
        self._limits = limits
        self._heads = heads if heads is not None else KnownHeads()
        self._known: KnownHead | None = None  # the last head that was read here
        self._unknown = 0
        self._parse = IDLE
        self._body_started = 0.0
        self._upgrading = False
        self._queue: list[Request] = []  # not a deque: an empty one is as large as all the rest
        self._stop_fault: Fault | None = None
        self._head_bytes = 0
        self._fields = 0
        self._fresh = True
        self._dry = 0
        self._received = 0
        self._pieces = 0
        self._target = b""
        self._request = Request()  # the one the parser is at
        self._current = self._request  # the one whose call is open
        self._body: bytes | bytearray = b""
        self.deadline = FOREVER
        self._parser = httptools.HttpRequestParser(self)

    # Of the subclass.

    def _run(self) -> None:
        """Requests are whole: begin their calls."""
        raise NotImplementedError

    def _invite(self) -> None:
        """The client waits for a word before it sends a body."""
        raise NotImplementedError

    def _refuse_after_queue(self, fault: Fault) -> None:
        """Answer what came whole before the fault, then refuse."""
        raise NotImplementedError

    def _crashed(self, error: BaseException) -> None:
        """One of our own callbacks failed."""
        raise NotImplementedError

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
        fault = self._reception.check(request)
        if fault is not None:
            request.refusal = fault
            if chunked or length > MAX_DISCARD or b"expect" in headers:
                self._stop(fault)
        elif b"expect" in headers and (length or chunked):
            self._expected(request)

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
        if known.epoch != self._reception.epoch:
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
        epoch = self._reception.epoch
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
            self._crashed(error.__context__ or error)
            return crash()
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

    def _expected(self, request: Request) -> None:
        """The client waits for a word before it sends the body; not while answers to earlier requests are due."""
        if request.headers[b"expect"].lower() == b"100-continue" and request.http11 and not self._queue:
            self._invite()

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


def _length(headers: dict[bytes, bytes]) -> int:
    """The Content-Length, 0 without one. Digits only: the parser has checked it, and that it is not absurd."""
    text = headers.get(b"content-length", b"0")
    # Zeros in front are no length; but Python converts 4,300 digits at most.
    return int(text) if len(text) < 100 else int(text.strip().lstrip(b"0") or b"0")


def crash() -> Fault:
    """Of a failure that is nobody's but ours."""
    return Fault("internal_error", "The gateway failed; this is its fault.")


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.rstrip(".")[:200]
