"""An upstream's connection: one exchange at a time, HTTP/1.1 out, answers in.

The rules that keep connections from being mixed up:

- a connection goes back to its pool only after the parser has returned, the answer's end was seen, and the exchange
has taken it;
- one that was cut off, cancelled, or sent anything that was not asked for is closed, never pooled;
- whether it may be kept is read when the answer's head is complete: the parser forgets it when the message ends.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

import httptools

from encke.core.faults import Fault
from encke.http.headers import KEPT_RESPONSE_HEADERS
from encke.http.narrow import NarrowReads
from encke.http.sweep import Sweeper

MAX_HEAD: Final = 64 * 1024
MAX_FIELDS: Final = 1000
MAX_DRAIN: Final = 256 * 1024
DRAIN_SECONDS: Final = 2.0
FOREVER: Final = float("inf")
HIGH_WATER: Final = 1 << 20
# From a read of this size on, an upstream is faster than streams are, and its client may be slower: uvloop's own reads,
# of up to 250 KiB, would all have to be held then.
WIDE_READ: Final = 32 * 1024
# Stands in for the parser of a connection that is gone.
SPENT: Final = httptools.HttpResponseParser(None)


class Exchange(Protocol):
    """What takes an answer. `deadline` is watched by the connection; `expire` must say what to do about it."""

    deadline: float

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The answer's head. May raise Fault to refuse the rest."""

    def on_body(self, data: bytes) -> None:
        """A piece of the body. May raise Fault to refuse the rest."""

    def on_read(self) -> None:
        """All that one read from the socket brought has been handed over; now signals may be set."""

    def on_end(self) -> None:
        """The answer is whole, and its end was marked."""

    def on_lost(self, fault: Fault, clean: bool) -> None:
        """The connection ended first. `clean` where an answer without length ended with the connection, as it may."""

    def on_crash(self, error: Exception) -> None:
        """One of the above failed by a fault of ours; the connection is closed."""

    def expire(self, now: float) -> None:
        """The deadline has passed."""


class Home(Protocol):
    """Where a connection goes back to."""

    def give_back(self, connection: UpstreamConnection) -> None:
        """It is free for the next exchange."""

    def forget(self, connection: UpstreamConnection) -> None:
        """It is closed."""


class _Stop(Exception):
    """Raised in a parser's callback to stop it; the fault stands on the connection."""


class UpstreamConnection:
    """One connection to an upstream: an `asyncio.Protocol` in all but its base, which would keep it from compiling.

    `uses` counts exchanges begun on it.
    """

    __slots__ = (
        "_closed",
        "_draining",
        "_ended",
        "_error",
        "_exchange",
        "_fault",
        "_field_bytes",
        "_fields",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_home",
        "_keep",
        "_narrow",
        "_parser",
        "_paused",
        "_status",
        "_sweeper",
        "_transport",
        "answered",
        "deadline",
        "uses",
    )  # fmt: skip

    def __init__(self, home: Home, sweeper: Sweeper) -> None:
        self._home = home
        self._sweeper = sweeper
        self._exchange: Exchange | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._status = 0
        self._fields = 0
        self._field_bytes = 0
        self._head_bytes = 0
        self._head_done = False
        self._ended = False
        self._keep = False
        self._draining = -1
        self._narrow = False
        self._paused = False
        self._fault: Fault | None = None
        self._error: Exception | None = None  # of ours, in one of the parser's callbacks
        self._closed = False
        self.answered = False  # a byte of the present answer has come
        self.uses = 0
        self.deadline = FOREVER

    # The pool and the attempt call these.

    def send(self, exchange: Exchange, head: bytes, body: list[bytes | memoryview], size: int) -> None:
        """Begin an exchange: write the request. `size` is that of all pieces of the body."""
        self._exchange = exchange
        self._head_done = self._ended = self._keep = False
        self._draining = -1
        self.answered = False
        if self._narrow:
            self._narrow = False
            self._transport.set_protocol(cast(asyncio.BaseProtocol, self))
        self.uses += 1
        self.deadline = exchange.deadline
        if size < 65536:
            self._transport.write(b"".join([head, *body]))
        else:
            self._transport.write(head)
            for piece in body:
                self._transport.write(piece)

    def abandon(self, exchange: Exchange) -> None:
        """The exchange is over before its answer is: close at once, so that upstream sees it and stops.

        This and the next do nothing once the exchange has ended: the connection may be another's by then.
        """
        if self._exchange is exchange:
            self._exchange = None
            self._close()

    def drain(self, exchange: Exchange) -> None:
        """The exchange has all it wants; what follows is thrown away, and if it ends soon the connection is kept."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        self._draining = 0
        self._resume()
        self.deadline = self._sweeper.now + DRAIN_SECONDS

    def pause(self, exchange: Exchange) -> None:
        """Read no more until `resume`: the client is slow."""
        if self._exchange is exchange and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self, exchange: Exchange) -> None:
        """Read on."""
        if self._exchange is exchange:
            self._resume()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._closed:
                self._transport.resume_reading()

    @property
    def now(self) -> float:
        """The sweeper's time: a quarter of a second old at most."""
        return self._sweeper.now

    @property
    def closed(self) -> bool:
        """Whether it can carry no more exchanges."""
        return self._closed or self._transport.is_closing()

    def close(self) -> None:
        """Close it, for the pool."""
        self._close()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_WATER)
        self._sweeper.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        if len(data) > WIDE_READ and not self._narrow:
            self._narrow = True
            self._transport.set_protocol(cast(asyncio.BaseProtocol, NarrowReads(self)))
        exchange = self._exchange
        if exchange is None and self._draining < 0:
            self._close()  # nothing was asked: whatever this is, the connection cannot be trusted
            return
        self.answered = True
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._lose(Fault("upstream_bad_response", "The provider switched protocols.", verdict="next"))
            return
        except httptools.HttpParserError:
            if self._error is not None and exchange is not None:
                self._crash(exchange, self._error)
                return
            if self._ended and exchange is not None:
                # The answer is whole; what follows it was not asked for, so nothing more is read from here.
                self._keep = False
                self._exchange = None
                try:
                    exchange.on_end()
                except Exception as error:
                    self._crash(exchange, error)
                    return
                self._close()
                return
            fault = self._fault or Fault(
                "upstream_bad_response", "The provider's answer is not valid HTTP/1.1.", verdict="next"
            )
            self._lose(fault)
            return
        if not self._head_done and self._head_bytes > MAX_HEAD:
            self._lose(_large_head())
            return
        if exchange is None:
            self._drained(len(data))
            return
        # The parser has returned: from here on the exchange may wake its call, which may give this connection away.
        try:
            if self._ended:
                self._exchange = None
                exchange.on_end()
            else:
                exchange.on_read()
        except Exception as error:
            self._crash(exchange, error)
            return
        if self._ended:
            self._release()
        elif self._exchange is exchange:
            self.deadline = exchange.deadline

    def eof_received(self) -> bool:
        """Upstream will send no more, and says so: over TLS by its goodbye, without which this is not called.

        All is known then; under TLS the connection's own end may take its time.
        """
        exchange, self._exchange = self._exchange, None
        # An answer without a length ends with the connection; the parser knows whether that was one.
        clean = self._head_done and not self._ended and self._close_delimited()
        self._close()
        if exchange is not None:
            self._tell_lost(exchange, clean)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._closed = True
        self._sweeper.discard(self)
        self._home.forget(self)
        self._parser = SPENT  # which holds methods of this: a circle that only the collector would find
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._tell_lost(exchange, False)  # a reset, or TLS without a goodbye: somebody may have cut it

    def _tell_lost(self, exchange: Exchange, clean: bool) -> None:
        fault = Fault("upstream_reset", "The provider closed the connection before its answer was whole.")
        try:
            exchange.on_lost(fault, clean)
        except Exception as error:
            self._crash(exchange, error)

    def pause_writing(self) -> None:
        """Upstream reads the request slowly; the total deadline bounds that."""

    def resume_writing(self) -> None:
        """It has caught up."""

    def expire(self, now: float) -> None:
        """The exchange's deadline has passed, or draining took too long."""
        exchange = self._exchange
        if exchange is None:
            self._close()
            return
        if exchange.deadline > now:
            self.deadline = exchange.deadline
            return
        try:
            exchange.expire(now)
        except Exception as error:
            self._crash(exchange, error)
            return
        if self._exchange is exchange:
            self.deadline = exchange.deadline

    # httptools calls these.

    def on_message_begin(self) -> None:
        """A status line begins."""
        if self._ended:
            self._fault = Fault("upstream_bad_response", "The provider sent two answers to one request.")
            self._keep = False
            raise _Stop
        self._headers = {}
        self._fields = self._field_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or a trailer, which is dropped."""
        self._fields += 1
        self._field_bytes += len(name) + len(value)
        if self._fields > MAX_FIELDS or self._field_bytes > MAX_HEAD:
            self._fault = _large_head()
            raise _Stop
        if not self._head_done:
            name = name.lower()
            if name in KEPT_RESPONSE_HEADERS or name == b"content-length" or name == b"transfer-encoding":
                self._headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._status = status = self._parser.get_status_code()
        if status < 200:
            if status < 100:  # fewer than three digits
                raise self._wrong("The provider's answer has no status.")
            return
        self._head_done = True
        self._head_bytes = 0
        self._keep = self._parser.should_keep_alive()
        if self._exchange is not None:
            try:
                self._exchange.on_head(status, self._headers)
            except Fault as fault:
                self._fault = fault
                raise
            except Exception as error:
                self._error = error  # the parser would make one of its own of it
                raise

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._head_done:  # of an interim answer, which has none
            raise self._wrong("The provider's interim answer (1xx) has a body.")
        if self._exchange is not None:
            try:
                self._exchange.on_body(data)
            except Fault as fault:
                self._fault = fault
                raise
            except Exception as error:
                self._error = error
                raise

    def _wrong(self, text: str) -> Fault:
        self._fault = fault = Fault("upstream_bad_response", text, verdict="next")
        return fault

    def on_message_complete(self) -> None:
        """The answer is whole; an interim one (1xx) is not the answer."""
        if self._head_done:
            self._ended = True

    # Endings.

    def _close_delimited(self) -> bool:
        return b"content-length" not in self._headers and b"transfer-encoding" not in self._headers

    def _release(self) -> None:
        # An answer that came before all of its request was sent leaves a rest that nobody reads.
        if (
            self._keep
            and not self._closed
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        ):
            self.deadline = FOREVER
            self._resume()
            self._home.give_back(self)
        else:
            self._close()

    def _drained(self, size: int) -> None:
        self._draining += size
        if self._ended:
            self._draining = -1
            self._release()
        elif self._draining > MAX_DRAIN:
            self._close()

    def _crash(self, exchange: Exchange, error: Exception) -> None:
        """A fault of ours. The call must not wait for what will never come."""
        self._exchange = None
        self._close()
        exchange.on_crash(error)

    def _lose(self, fault: Fault) -> None:
        exchange, self._exchange = self._exchange, None
        self._fault = None
        self._close()
        if exchange is not None:
            try:
                exchange.on_lost(fault, False)
            except Exception as error:
                self._crash(exchange, error)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._sweeper.discard(self)
            self._transport.abort()
            self._home.forget(self)


def _large_head() -> Fault:
    return Fault("upstream_too_large", "The headers of the provider's answer are too large.")
