"""Call: what is known of one client request, filled in phase by phase, and the headers of its answer."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from encke.calls.headers import cost_field, limit_fields
from encke.calls.replies import Kept, Once
from encke.core.clock import monotonic, now_ms
from encke.core.faults import Fault
from encke.core.usage import NO_USAGE, Usage
from encke.dialects.port import ClientSide, Hub, Tap
from encke.dialects.request import Body
from encke.dialects.request import Request as AnyRequest
from encke.dialects.table import CLIENTS, PLAIN_CLIENT
from encke.http.headers import visible
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.keys.grant import Grant
from encke.ledger.entry import NOTHING
from encke.limits.book import Charges, Hold

# x-accel-buffering asks nginx, where it stands in front, to pass events as they come.
STREAM_FIELDS: Final = "cache-control: no-cache\r\nx-accel-buffering: no\r\n"
NO_BODY: Final[Body] = {}
MOST_NAMED: Final = 1024  # characters of what was left out


class Call:
    """One client request's whole life. Times are seconds of the monotonic clock; `started_ms` is UTC."""

    __slots__ = (
        "asked",
        "attempts",
        "cap",
        "charged",
        "charges",
        "client",
        "client_request_id",
        "code",
        "cors",
        "cost",
        "credential",
        "dropped",
        "first_at",
        "grant",
        "hold",
        "hub",
        "id",
        "next_keepalive",
        "once",
        "outcome",
        "parsed",
        "place",
        "provider",
        "read",
        "replayed",
        "request",
        "route",
        "service",
        "shows_cost",
        "side",
        "started",
        "started_ms",
        "status",
        "tap",
        "tokens",
        "unpriced",
        "unsealed",
        "unsupported",
        "upstream_model",
        "usage",
        "written",
    )  # fmt: skip

    def __init__(
        self,
        call_id: str,
        request: Request,
        client: ServerConnection,
        route: str,
        grant: Grant | None,
        place: str = "",
    ) -> None:
        """`place` is what the path says beside the route: the model, where it stands there."""
        self.id = call_id
        self.request = request
        self.client = client
        self.route = route
        self.place = place
        self.side: ClientSide = CLIENTS.get(route, PLAIN_CLIENT)
        self.hub: Hub | None = None  # what is asked in no dialect's words, once that is needed
        self.tap: Tap | None = None  # of the stream that the client gets
        self.dropped: tuple[str, ...] = ()  # what the last attempt's target could not be asked, by the hub's names
        self.grant = grant
        self.started = monotonic()
        self.started_ms = now_ms()
        given = request.headers.get(b"x-request-id")
        self.client_request_id = visible(given.decode("latin-1"), 128) if given is not None else ""
        self.cors = ""
        self.parsed: AnyRequest | None = None
        self.asked = ""
        self.attempts = 0
        self.provider = ""
        self.credential = ""
        self.upstream_model = ""
        self.status = 0
        self.code = ""
        self.outcome = ""
        self.usage: Usage = NO_USAGE
        self.first_at = 0.0
        self.next_keepalive = float("inf")
        self.once: Once | None = None  # where it is made under an Idempotency-Key
        self.replayed = ""  # the id of the call whose answer this is once more
        # Money and limits: see `encke.calls.hold`. Tokens that it is held at, and the most it may write (0: no bound).
        self.hold: Hold | None = None
        self.charges: Charges | None = None  # those that hold for it, also when one of them refuses it
        self.charged = NOTHING
        self.read = 0
        self.written = 0
        self.cap = 0
        self.cost = 0  # nano-dollars, of all attempts
        self.tokens = 0  # used by all attempts
        self.unsupported = "warn"  # what becomes of a call that its target cannot be asked in full
        self.service = ""  # the class of service that is asked for, "" for the usual one
        self.unsealed = False  # what its model has thought goes without its seals, which were refused
        self.unpriced = False  # one of them used tokens and has no price
        self.shows_cost = False  # in `usage` (x-encke-include-cost)

    def respond(self, status: int, content_type: str, body: bytes, extra: str = "") -> None:
        """Send a whole answer."""
        self.status = status
        self.client.respond(status, f"content-type: {content_type}\r\n{extra}{self._fields()}", body)

    def replay(self, kept: Kept) -> None:
        """Send an answer that was given before."""
        self.replayed = kept.call
        if not kept.stream:
            self.respond(200, kept.content_type, kept.body, cost_field(0))
            return
        self.open_stream(b"")
        self.client.end_stream(kept.body)

    def open_stream(self, first: bytes) -> None:
        """Send the head of a stream with what has come of it; only the latter when keep-alives have sent the head."""
        self.next_keepalive = float("inf")
        if self.client.head_sent:
            if first:  # an empty chunk would be the end
                self.client.write_stream(first)
            return
        self.status = 200
        self.client.start_stream(200, self._stream_fields() + self._fields(), first)

    def forget_body(self) -> None:
        """Let go of what was asked: a long stream need not keep a long prompt."""
        self.request.body = b""
        parsed = self.parsed
        self.hub = None
        if parsed is not None:
            parsed.data = b""
            parsed.body = NO_BODY
            parsed.places = None

    def _stream_fields(self) -> str:
        parsed = self.parsed
        if parsed is None:  # an answer once more: what was asked has been read by whoever asked first
            return f"content-type: text/event-stream; charset=utf-8\r\n{STREAM_FIELDS}"
        return f"content-type: {self.side.stream_type(parsed)}\r\n{STREAM_FIELDS}"

    def keep_alive(self, now: float, interval: float) -> None:
        """Nothing has come for long: send the head with what is known, and a comment, so that no proxy gives up."""
        self.next_keepalive = now + interval
        comment = self.side.keepalive
        if self.client.head_sent:
            if comment:
                self.client.write_stream(comment)
            return
        self.status = 200
        self.client.start_stream(200, f"{self._stream_fields()}x-request-id: {self.id}\r\n{self.cors}", comment)

    def fail(self, fault: Fault) -> None:
        """Tell the client of a failure: with the fault's own status, or as an event when the head has gone."""
        self.code = fault.code
        if self.client.head_sent:
            told = self.tap.break_off(fault, self.id) if self.tap is not None else None
            self.client.break_stream(told if told is not None else self.side.render_stream_fault(fault, self.id))
        else:
            # Attempts that failed may have cost something all the same.
            cost = cost_field(self.cost) if self.cost and not self.unpriced else ""
            self.respond(
                self.side.fault_status(fault),
                "application/json",
                self.side.render_fault(fault, self.id),
                retry_fields(fault) + cost,
            )

    def _fields(self) -> str:
        milliseconds = int((monotonic() - self.started) * 1000)
        fields = (
            f"x-request-id: {self.id}\r\nx-cometapi-request-id: {self.id}\r\n"
            f"openai-processing-ms: {milliseconds}\r\n{self.cors}"
        )
        if self.client_request_id:
            fields += f"x-client-request-id: {self.client_request_id}\r\n"
        if self.side.id_header:
            fields += f"{self.side.id_header}: {self.id}\r\n"
        if self.dropped:
            fields += f"x-encke-dropped: {named(self)}\r\n"
        if self.replayed:
            fields += f"x-encke-replayed: {self.replayed}\r\n"
        if self.asked:
            fields += f"{_names(self.asked, self.provider)}x-encke-attempts: {self.attempts}\r\n"
        if self.charges is not None:
            fields += limit_fields(self.charges)
        return fields


@lru_cache(maxsize=4096)
def _names(model: str, provider: str) -> str:
    names = f"x-encke-model: {visible(model)}\r\n"
    return names + f"x-encke-provider: {provider}\r\n" if provider else names


def named(call: Call) -> str:
    """What was left out of a request, in the words of its dialect."""
    return visible(", ".join(call.side.shown_name(name) for name in call.dropped), MOST_NAMED)


def retry_fields(fault: Fault) -> str:
    """Headers of an error: its code, which not every dialect's envelope has a place for; whether to try again, when,
    and what the fault brings of its own."""
    retry = fault.kind.retry
    fields = f"x-encke-error-code: {fault.code}\r\n"
    after = fault.retry_after
    if after is None and fault.status == 503:
        after = 1.0  # a 503 always says when: the provider's own may not have
    if after is not None:
        # When a rate of our own has room again is known to the millisecond.
        after = min(max(after, 0.001 if fault.code == "rate_limit_exceeded" else 1.0), 600.0)
        retry = retry and after <= 60.0
        fields += f"retry-after: {int(-(-after // 1))}\r\nretry-after-ms: {round(after * 1000)}\r\n"
    own = ""
    for name, value in fault.headers:
        if name == "x-should-retry":
            retry = value == "true"  # it knows more than its row
        else:
            own += f"{name}: {value}\r\n"
    fields += f"x-should-retry: {'true' if retry else 'false'}\r\n{own}"
    return fields
