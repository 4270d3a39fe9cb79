"""One try of a call at a target: the exchange with upstream, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from encke.calls.call import Call
from encke.calls.hold import Purse
from encke.calls.meter import Meter
from encke.calls.passing import REJECT, Passage
from encke.calls.relay import StreamRelay
from encke.calls.replies import KeepingRelay
from encke.calls.upstream import Target
from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.core.usage import NO_USAGE, Usage
from encke.dialects.openai_chat.wire import shown_finish
from encke.dialects.port import Tap
from encke.dialects.seals import refused
from encke.dialects.service import served_service
from encke.http.client import UpstreamConnection
from encke.http.drive import Signal
from encke.http.headers import visible, with_fields
from encke.ledger.entry import NOTHING, Entry, Intent, Status
from encke.ledger.journal import Journal
from encke.ledger.settlement import used, with_rest

MAX_ANSWER: Final = 32 << 20
MAX_ERROR: Final = 64 << 10
# Pieces of less are put together: one that is held by itself takes 40 bytes beside its own.
SMALL_PIECE: Final = 4096
FOREVER: Final = float("inf")
OUR_BOUNDS: Final = ("overloaded", "unavailable", "insufficient_quota")


@dataclass(frozen=True, slots=True)
class StreamCare:
    """When a quiet stream gets its head early, and how often it gets a comment then; seconds."""

    early_keepalive: float = 30.0
    keepalive: float = 10.0


class Attempt:
    """An exchange (`encke.http.client.Exchange`): it takes upstream's answer as it comes.

    `opened` happens when there is something to answer with: content of a stream, for which `relay` is there then, or
    the whole of an answer that is none.
    """

    __slots__ = (
        "_answer", "_begun", "_body", "_care", "_connection", "_counted", "_dispatched_at", "_encoded", "_first_at",
        "_headers",
        "_idle_at", "_journal", "_looked_content", "_looked_size", "_meter", "_most", "_passage", "_price", "_purse",
        "_reckoned", "_seat", "_service", "_size", "_slot", "_until", "_usage_told", "answered", "call", "content_type",
        "deadline", "dispatched_ms", "finish_reason", "http_status", "input_estimate", "number", "opened",
        "relay", "reused", "sent", "settled", "target", "usage",
    )  # fmt: skip

    def __init__(
        self, call: Call, target: Target, journal: Journal, care: StreamCare, until: float, purse: Purse
    ) -> None:
        call.attempts += 1
        call.provider = target.upstream.name
        call.credential = target.upstream.credential
        call.upstream_model = target.model
        self.call = call
        self.target = target
        self.number = call.attempts
        self.http_status = 0
        self.content_type = "application/json"
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.input_estimate = 0
        self.sent = False
        self.reused = False
        self.answered = False
        self.settled = False
        self.dispatched_ms = 0
        self.relay: StreamRelay | None = None
        # Fails with the Fault of anything else.
        self.opened: Signal[None] = Signal()
        self.deadline = FOREVER
        self._begun = False
        self._care = care
        self._counted = -1.0  # when its target was praised
        self._purse = purse
        self._reckoned: tuple[Usage, int | None, str] | None = None
        self._most = target.pricing.most(call.service, call.started_ms)  # what it is held at
        self._price = target.pricing.at(call.started_ms)  # of the class of service that was asked of this provider
        self._passage = Passage(call, target)
        self._meter: Meter | None = None  # of a stream that is charged to budgets
        self._journal = journal
        self._until = until
        self._idle_at = FOREVER
        self._connection: UpstreamConnection | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes | bytearray] = []
        self._looked_size = 0
        self._looked_content = 0
        self._answer = b""
        self._size = 0
        self._service: str | None = None  # the class of service that the answer names
        self._encoded = False  # compressed, though it was asked not to be: of an error the status still tells
        self._slot = -1
        self._seat: int | None = None
        self._dispatched_at = 0.0
        self._first_at = 0.0
        self._usage_told: Usage | None = None

    async def send(self, *, fresh: bool = False) -> None:
        """Render, connect, journal that it is about to go out, send. Raises Fault."""
        call, upstream = self.call, self.target.upstream
        parsed = call.parsed
        assert parsed is not None
        passage = self._passage
        body, fields = passage.request(call, self.target)
        if passage.service:
            self._price = self.target.pricing.of(passage.service).at(call.started_ms)
        size = 0
        for piece in body:
            size += len(piece)
        self.input_estimate = passage.estimate(call, size)
        if upstream.seats is not None:
            self._seat = upstream.seats.take()
            if self._seat is None:
                raise Fault(
                    "overloaded",
                    f"The model `{call.asked}` has as many calls as it can queue. Try again shortly.",
                    verdict="next",
                    retry_after=1.0,
                )
        self.target.begin()
        self._begun = True
        connection = upstream.pool.take() if not fresh else None
        if connection is None:
            connection = await upstream.pool.acquire(fresh=fresh)
        self.reused = connection.uses > 0
        self._connection = connection
        try:
            self._open_journal()
        except Fault:
            upstream.pool.give_back(connection)
            self._connection = None
            raise
        now = self._dispatched_at
        patience = upstream.patience
        self._idle_at = now + patience.first_byte if parsed.stream else FOREVER
        self.deadline = min(self._until, self._idle_at, call.next_keepalive)
        self.sent = True
        heads, op = self.target.heads, passage.op
        head = heads[op] if not parsed.stream else heads.get(op + ".stream", heads[op])
        if fields:
            head, fields = with_fields(head, fields)
        connection.send(self, b"%b%d\r\n%b\r\n" % (head, size, fields), body, size)

    def _open_journal(self) -> None:
        call, journal = self.call, self._journal
        parsed, grant, price = call.parsed, call.grant, self._price
        assert parsed is not None and grant is not None
        slot = journal.take_slot()
        self._dispatched_at = now = monotonic()
        self.dispatched_ms = call.started_ms + int((now - call.started) * 1000)
        try:
            journal.intend(
                Intent(
                    call.id,
                    self.number,
                    grant.public_id,
                    call.route,
                    call.asked,
                    self.target.upstream.name,
                    self.target.model,
                    parsed.stream,
                    call.started_ms,
                    self.dispatched_ms,
                    self.input_estimate,
                    slot,
                    call.client_request_id,
                    self.target.upstream.credential,
                    grant.project,
                    call.charged,
                    NOTHING if price is None else msgspec.Raw(price.packed),
                    call.cap,
                )
            )
        except Fault:
            journal.free_slot(slot)
            raise
        self._slot = slot

    # The connection calls these (`Exchange`).

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The answer's head."""
        self.http_status = status
        self._headers = headers
        self.answered = True
        self._encoded = headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b"")
        if self._encoded and status == 200:
            raise Fault(
                "upstream_bad_response",
                "The provider compressed its answer although it was asked not to.",
                verdict="next",
            )
        kind = headers.get(b"content-type", b"").lower()
        parsed = self.call.parsed
        assert parsed is not None
        if status == 200:
            if kind.startswith(b"text/html"):
                raise Fault("upstream_bad_response", "The provider answered with a web page.", verdict="next")
            if parsed.stream and (kind.startswith(b"text/event-stream") or self._passage.lines):
                self.relay = self._start_relay()
            elif not parsed.stream and kind.startswith(b"text/event-stream"):
                raise Fault(
                    "upstream_bad_response", "The provider sent a stream that was not asked for.", verdict="next"
                )

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._size += len(data)
        relay = self.relay
        if relay is not None:
            relay.take(data)
            return
        parsed = self.call.parsed
        first = not self._body and self.http_status == 200 and parsed is not None and parsed.stream
        # A stream with an odd content type: what it begins with tells.
        if first and data.lstrip()[:1] not in (b"{", b"[", b"<", b""):
            self.relay = relay = self._start_relay()
            relay.take(data)
            return
        limit = MAX_ANSWER if self.http_status == 200 else MAX_ERROR
        if self._size > limit and self.http_status == 200:
            raise Fault("upstream_too_large", f"The provider's answer is larger than {MAX_ANSWER} bytes.")
        if self._size > MAX_ANSWER:
            raise self._refusal()
        if self._size <= limit and not self._encoded:
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        pieces = self._body
        if not pieces or len(data) >= SMALL_PIECE:
            pieces.append(data)
            return
        last = pieces[-1]
        if isinstance(last, bytearray):
            last += data
        else:
            pieces.append(bytearray(data))

    def on_read(self) -> None:
        """One read from the socket is through the parser."""
        relay = self.relay
        if relay is None:
            if self._size and self._connection is not None and self.http_status == 200:
                self._tell_part()
            return
        patience = self.target.upstream.patience
        connection = self._connection
        if connection is not None:
            now = connection.now
            self._idle_at = idle_at = now + patience.idle
            until, keepalive = self._until, self.call.next_keepalive
            soonest = idle_at if idle_at < until else until
            self.deadline = soonest if soonest < keepalive else keepalive
        if not self._first_at and relay.tap.content_bytes:
            self._first_at = monotonic()
        tap = relay.tap
        self._journal.progress(self._slot, self._size, tap.content_bytes)
        if tap.usage is not self._usage_told or (tap.usage is not None and tap.content_bytes > tap.usage_at):
            self._tell_usage(tap)
        if relay.stopped and self._meter is not None:
            self._meter.go_on()
            connection = self._connection
        if relay.finish is not None and connection is not None:
            # Its last event is here; what the connection still brings is nobody's.
            self._connection = None
            if relay.finish.fault is None:
                connection.drain(self)
            else:
                connection.abandon(self)
        relay.flush()

    def _tell_part(self) -> None:
        """A whole answer that has not come in one read: how much of it is text is looked at when it has doubled."""
        if self._size >= 2 * self._looked_size:
            self._looked_size = self._size
            self._looked_content = self._passage.content_bytes(b"".join(self._body))
        self._journal.progress(self._slot, self._size, self._size * self._looked_content // self._looked_size)

    def on_end(self) -> None:
        """The answer is whole."""
        self._connection = None
        relay = self.relay
        if relay is None:
            self._complete()
            return
        if not self._first_at and relay.tap.content_bytes:
            self._first_at = monotonic()
        # What came with the end goes to the client before the entry is written.
        self._journal.progress(self._slot, self._size, relay.tap.content_bytes)
        relay.close(
            True, Fault("upstream_bad_response", "The provider's stream ended before the answer did.", verdict="next")
        )
        self._go_on_to_the_end(relay)

    def _go_on_to_the_end(self, relay: StreamRelay) -> None:
        """All of it has come, and there may be a mark before its end."""
        if relay.stopped and self._meter is not None:
            self._meter.go_on()
        if relay.stopped:
            relay.flush()

    def on_lost(self, fault: Fault, clean: bool) -> None:
        """The connection ended first."""
        self._connection = None
        relay = self.relay
        if relay is not None:
            relay.close(clean, fault)
            if clean:
                self._go_on_to_the_end(relay)
        elif clean:
            self._complete()
        else:
            self.opened.fail(fault)

    def on_crash(self, error: Exception) -> None:
        """A fault of ours: whoever waits gets it."""
        self._connection = None
        self.opened.fail(error)
        if self.relay is not None:
            self.relay.ended.fail(error)

    def expire(self, now: float) -> None:
        """A deadline has passed: a keep-alive is due, or patience is at its end."""
        call, relay = self.call, self.relay
        if now >= call.next_keepalive and (relay is None or not relay.flowing):
            call.keep_alive(now, self._care.keepalive)
        elif relay is not None and relay.flowing and (call.client.is_paused or self._asks) and now < self._until:
            self._idle_at = now + self.target.upstream.patience.idle  # it is the client who is slow, or the keeper
        if now < min(self._until, self._idle_at):
            self.deadline = min(self._until, self._idle_at, call.next_keepalive)
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(self)
        fault = self._overdue(now)
        if relay is not None:
            relay.close(False, fault)
        else:
            self.opened.fail(fault)

    def _overdue(self, now: float) -> Fault:
        patience = self.target.upstream.patience
        if now >= self._until:
            return Fault("upstream_timeout", f"The provider took longer than {patience.total:g} s in all.")
        if self.relay is None or not self._size:
            return Fault("upstream_timeout", f"The provider sent nothing within {patience.first_byte:g} s.")
        return Fault("upstream_idle", f"The provider's stream was silent for {patience.idle:g} s.")

    # A slow client (`Sink`).

    def pause(self) -> None:
        """Read no more from upstream."""
        if self._connection is not None:
            self._connection.pause(self)

    def resume(self) -> None:
        """Read on."""
        if self._connection is not None and not self._asks:
            self._connection.resume(self)

    # What it came to.

    def may_go_unsealed(self, fault: Fault) -> bool:
        """Whether its provider has refused it for what another has sealed, and it may be sent without."""
        call = self.call
        return call.unsupported != REJECT and not call.unsealed and refused(fault) and self._passage.is_sealed(call)

    def praise(self) -> None:
        """Tell the target's breaker that it answers."""
        self._counted = self.target.end(None)

    def blame(self, fault: Fault) -> None:
        """Tell the target's breaker of a failure; also of one after praise, which counts no attempt twice."""
        if self._counted >= 0:
            self.target.spoil(fault, self._counted)
        elif not self._begun:
            pass  # it could not be asked at all, which says nothing of the provider
        elif not self.sent and fault.code in OUR_BOUNDS:
            self.target.left()  # it is a bound of our own that was reached
        else:
            self.target.end(fault)

    def _start_relay(self) -> StreamRelay:
        call, price = self.call, self._most
        once = call.once
        tap, splitter = self._passage.tap(call), self._passage.splitter()
        opened = self.opened
        relay = StreamRelay(tap, opened, splitter) if once is None else KeepingRelay(tap, opened, splitter, once)
        place = call.side.cost_place
        if call.shows_cost and self._passage.native and place is not None:
            relay.keep_usage(finish=not place.spare)  # what is translated has its usage in the end
        if call.hold is not None and call.hold.charges.budgets and price is not None and not price.free:
            self._meter = Meter(call, price, self._purse, relay, self)
        return relay

    def _complete(self) -> None:
        """A whole answer that is no stream."""
        self._first_at = monotonic()
        try:
            if self.http_status != 200:
                raise self._refusal()
            body = b"".join(self._body)
            self._body = [body]
            parsed = self.call.parsed
            assert parsed is not None
            answer, usage, finish_reason = self._passage.answer(self.call, body)
            if parsed.stream:
                raise Fault(
                    "upstream_bad_response", "The provider sent no stream, though one was asked for.", verdict="next"
                )
        except Fault as fault:
            self.opened.fail(fault)
            return
        self._answer = answer
        self._service = served_service(body)
        self.usage = usage
        self.finish_reason = finish_reason
        content_type = self._headers.get(b"content-type") if self._passage.native else None
        if content_type is not None:
            self.content_type = visible(content_type.decode("latin-1"))
        self.opened.set(None)

    def _refusal(self) -> Fault:
        if 200 < self.http_status < 300:
            return Fault(
                "upstream_bad_response", f"The provider answered with status {self.http_status}.", verdict="next"
            )
        return self._passage.fault(self.http_status, b"".join(self._body), self._headers)

    @property
    def body(self) -> bytes:
        """A whole answer, for the client."""
        return self._answer

    def _tell_usage(self, tap: Tap) -> None:
        self._usage_told = usage = tap.usage
        if usage is not None:
            usage = with_rest(usage, tap.content_bytes - tap.usage_at, self.call.cap)
            self._journal.usage(self._slot, usage.total_input, usage.total_output, usage.cache_read)

    @property
    def cost(self) -> int | None:
        """What the call has cost by now, in nano-dollars; None where an attempt that counts has no price."""
        call = self.call
        return None if call.unpriced or self._price is None else call.cost

    def _charge(self, total: Usage) -> tuple[int | None, str]:
        """What it cost, in nano-dollars (None: no price), and the version of the price."""
        call, price, service = self.call, self._price, self._service
        if service is not None and service != self._passage.service:
            price = self.target.pricing.of(service).at(call.started_ms)
        tokens = total.total_input + total.total_output
        call.tokens += tokens
        if price is None:
            call.unpriced = call.unpriced or tokens > 0
            return None, ""
        # The fee for a request is due when there was one: whoever refused it, or never had it, gets nothing.
        cost = price.cost(total) if total is not NO_USAGE else 0
        call.cost += cost
        if call.hold is not None:
            self._purse.book.charge(call.hold, cost)
        return cost, price.version

    # Its stream is metered (`encke.calls.meter.Metered`).

    @property
    def _asks(self) -> bool:
        """Whether the keeper is asked for more."""
        return self._meter is not None and self._meter.asking

    def stand(self) -> None:
        """Read no more from upstream."""
        self.pause()

    def move(self) -> None:
        """Read on, unless it is the client who is slow."""
        if not self.call.client.is_paused:
            self.resume()
        self.on_read()

    def cut(self, fault: Fault) -> None:
        """It may not go on."""
        relay = self.relay
        assert relay is not None
        self.abandon()
        relay.cut(fault)
        relay.flush()

    def abandon(self) -> None:
        """Stop at once: the client left, or something failed. Nothing after the settlement may be needed of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(self)

    def reckon(self, status: Status, reason: str) -> tuple[Usage, int | None, str]:
        """What it used, what that cost, and the version of the price. Once: what it has come to before its settlement
        is what is settled.
        """
        if self._reckoned is not None:
            return self._reckoned
        call, relay = self.call, self.relay
        content = 0
        if relay is not None:
            tap = relay.tap
            content = tap.content_bytes
            self._service = relay.service
            self.finish_reason = tap.finish_reason
            self.usage = usage = tap.usage
            if usage is not None and status != "complete":
                self.usage = with_rest(usage, content - tap.usage_at, call.cap)
        elif self.http_status == 200 and self.usage is None:
            content = self._passage.content_bytes(b"".join(self._body))
        # Whoever answers 200 with something has read the request, whatever the answer is worth.
        nonsense = relay is None or reason == "upstream_bad_response"  # not an error that a stream told
        garbage = status == "failed" and nonsense and self.http_status == 200 and self._size > 0
        ending = "uncertain" if garbage else status if self.sent else "failed"
        total = used(ending, self.usage, self.input_estimate, 0 if garbage else content, call.cap)
        call.usage = total
        cost, version = self._charge(total)
        self._reckoned = reckoned = (total, cost, version)
        return reckoned

    def settle(self, status: Status, reason: str, *, final: bool) -> None:
        """Write the entry. Once; later calls do nothing. Seat and connection are free afterwards."""
        if self.settled:
            return
        self.settled = True
        self.abandon()
        if self._seat is not None and self.target.upstream.seats is not None:
            self.target.upstream.seats.free(self._seat)
        call = self.call
        grant, parsed = call.grant, call.parsed
        assert grant is not None and parsed is not None
        total, cost, version = self.reckon(status, reason)
        now = monotonic()
        self.target.upstream.tally.count(status, total.total_input, total.total_output, total.cache_read, cost)
        if self._first_at and self.http_status == 200:
            call.first_at = self._first_at  # of the last that answered: one that was refused answers fast
        entry = Entry(
            call.id,
            self.number,
            grant.public_id,
            call.route,
            call.asked,
            self.target.upstream.name,
            self.target.model,
            status,
            reason or shown_finish(self.finish_reason),
            self.http_status,
            parsed.stream,
            final,
            call.started_ms,
            self.dispatched_ms,
            int((self._first_at - self._dispatched_at) * 1e6) if self._first_at else 0,
            int((now - call.started) * 1e6),
            total,
            cost,
            version,
            self._size,
            call.client_request_id,
            self.target.upstream.credential,
            grant.project,
            call.charged,
        )
        if self._slot >= 0:
            self._journal.settle(entry, self._slot)
        else:
            self._journal.note(entry)
