"""What every dialect gives: `ClientSide`, one for each route that callers use, and `ProviderSide`, one for each
operation of providers. Base classes, not protocols, since compiled code calls them faster.

Where a call's route is an operation of its target, the request and the answer pass as they are (`ClientSide.render`,
`tap`, `read_reply`). Elsewhere they meet in the hub: `to_hub`, `ProviderSide.render`; `ProviderSide.read_reply`,
`render_reply`; and a stream in `reader` and `writer` (`encke.dialects.translate`). State lives in taps, readers and
writers, never in the sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from encke.core.chat import ChatReply, ChatRequest, CountReply
from encke.core.delta import Delta
from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.core.usage import Usage
from encke.dialects.cost import CostPlace, end_with_cost, with_cost
from encke.dialects.faults import parse_fault
from encke.dialects.others import others
from encke.dialects.places import Map, Places

if TYPE_CHECKING:
    from encke.dialects.request import Request

Hub = ChatRequest | EmbedRequest
HubReply = ChatReply | EmbedReply | CountReply

# What an event means to the relay; flags, as one event may be several things.
PASS: Final = 0
CONTENT: Final = 1  # there is something of the answer in it
DROP: Final = 2  # nothing for the client
END: Final = 4  # the stream's own end mark
ERROR: Final = 8  # upstream reports a failure: `fault`

# Kinds of routes and operations: what can be translated into what. "" passes to the same operation only.
CHAT: Final = "chat"
EMBED: Final = "embed"
COUNT: Final = "count"  # tokens are counted, nothing is generated

MAX_EVENT: Final = 1 << 20  # bytes of one event of a stream, and of what is held before there is content
LARGE_EVENT: Final = 16 << 20  # where pictures come in one piece, or the request is told again (Responses, Gemini)


class ParsedReply:
    """What the gateway reads of a whole answer. `usage` is None where upstream sent none that can be believed."""

    __slots__ = ("finish_reason", "usage")

    def __init__(self, usage: Usage | None, finish_reason: str) -> None:
        self.usage = usage
        self.finish_reason = finish_reason


class Rendered:
    """A request as it goes to a provider. `dropped`: what it could not express, by the hub's names ("seed",
    "messages[2].content[0]"); `fields`: headers of its own, each with CRLF."""

    __slots__ = ("body", "dropped", "fields")

    def __init__(self, body: bytes, dropped: tuple[str, ...] = (), fields: bytes = b"") -> None:
        self.body = body
        self.dropped = dropped
        self.fields = fields


class Tap:
    """Watches one stream on its way to a client. `feed` takes an event's data and returns flags.

    `usage` is what upstream last said, None until then; `usage_at` is `content_bytes` when it was: what came later is
    not in it. `content_bytes` is how much of the answer has come, as text, for an estimate where usage never comes.
    `finished`: a clean end of the response is the stream's end, even without an end mark.
    """

    __slots__ = ("content_bytes", "fault", "finish_reason", "finished", "rewrites", "usage", "usage_at")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.usage_at = 0
        self.content_bytes = 0
        self.finish_reason = ""
        self.finished = False
        self.fault: Fault | None = None
        self.rewrites = False  # what `take` gives goes to the client in place of the event

    def feed(self, data: bytes) -> int:
        """Look at one event's data."""
        raise NotImplementedError

    def keep_usage(self) -> None:
        """Usage that the client did not ask for goes to it all the same, where it would be dropped."""

    def take(self) -> bytes:
        """What goes to the client for the events since the last time; with END and `close`, the stream's last bytes."""
        return b""

    def close(self) -> bytes:
        """The response has ended cleanly, `finished` and without an end mark: what goes to the client as its end."""
        return b""

    def is_whole(self, rest: bytes) -> bool:
        """Whether an event without its blank line at the end of a stream is all of it."""
        return False

    def break_off(self, fault: Fault, request_id: str) -> bytes | None:
        """How the client is told of a failure after the head, if that depends on what came before; None: as always."""
        return None


class Reader:
    """Reads one stream of a provider. After `fault` is set nothing more is fed. The attributes are a `Tap`'s; `ended`:
    its end mark was seen."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.finish_reason = ""
        self.finished = False
        self.ended = False
        self.fault: Fault | None = None

    def feed(self, data: bytes) -> list[Delta]:
        """Read one event's data (a line, where the framing is JSON lines)."""
        raise NotImplementedError

    def finish(self) -> list[Delta]:
        """The stream is over: what it has kept back."""
        return []


class Writer:
    """Writes one stream for a client, in an order that its dialect allows, whatever comes. Appends bytes of whole
    events to `out`."""

    def __init__(self) -> None:
        self.out: list[bytes] = []

    def feed(self, delta: Delta) -> None:
        """Write what a delta adds."""
        raise NotImplementedError

    def finish(self, usage: Usage | None) -> None:
        """Write the end. No end mark, and no reason for the end that nobody has told, is ever made up."""
        raise NotImplementedError

    def break_off(self, fault: Fault, request_id: str) -> bytes:
        """How the client is told that the stream has failed."""
        raise NotImplementedError


class ClientSide:
    """A route that callers use. `native`: the operation on the same wire; `kind`: what it may be translated into;
    `keepalive`: what keeps a quiet stream open, b"" for nothing; `max_event`: bytes of one event of a stream;
    `id_header`: its own name for the header with the request's id, "" if it has none; `cost_place`: where its answers
    can show what they cost, None for nowhere; `cache_field`: what it calls a cache mark; `service_fields`: its own
    fields for the class of service (what another dialect calls it asks for nothing here)."""

    route = ""
    native = ""
    kind = ""
    id_header = ""
    cache_field = "cache_control"
    keepalive = b": keep-alive\n\n"
    max_event = MAX_EVENT
    cost_place: CostPlace | None = None
    service_fields: tuple[str, ...] = ("service_tier",)

    def read(self, data: bytes, target: str, headers: dict[bytes, bytes]) -> Request:
        """Read a request: what admission, limits and routing need. `target` is the path after the route's own, with the
        query: where the model stands for Gemini. Raises Fault invalid_json, missing_required_parameter, invalid_type,
        invalid_value."""
        raise NotImplementedError

    def stream_type(self, request: Request) -> str:
        """The content type of its streams."""
        return "text/event-stream; charset=utf-8"

    def output_limit(self, request: Request) -> int | None:
        """The most tokens that each answer may have, where the request says so."""
        return None

    def copies(self, request: Request) -> int:
        """How many answers are asked for."""
        return 1

    def unbounded(self, request: Request) -> str | None:
        """What in the request has a cost that neither its bytes nor its limits bound, by name; None: nothing."""
        return None

    def others(self, request: Request) -> str | None:
        """What in the request lets a provider take another model than the one that is asked for, by name; None:
        nothing. Looked for once. Raises Fault invalid_value."""
        if request.others is None:
            request.others = others(request.body) or ""
        return request.others or None

    def render(self, request: Request, model: str, traits: Traits) -> list[bytes | memoryview]:
        """The body for an upstream of the same dialect, in pieces: all stays as it was read, but for the model, and
        `request.output_limit` where the gateway sets one."""
        raise NotImplementedError

    def without_seals(self, request: Request, all_: bool) -> Request | None:
        """The request without thoughts that other dialects have sealed, or without `all_` sealed ones
        (`encke.dialects.seals`); None where there are none."""
        return None

    def tap(self, request: Request) -> Tap:
        """For a stream of the same dialect."""
        raise NotImplementedError

    def read_reply(self, data: bytes) -> ParsedReply:
        """Read a whole answer of the same dialect with status 200. Raises Fault upstream_bad_response."""
        raise NotImplementedError

    def to_hub(self, request: Request) -> Hub:
        """The whole request. Raises Fault as `read`, with `param` the path of what is wrong."""
        raise NotImplementedError

    def render_reply(self, reply: HubReply, request: Request, call_id: str, created: int) -> bytes:
        """A whole answer. `created` in UTC seconds, for where upstream has not told it."""
        raise NotImplementedError

    def writer(self, request: Request, call_id: str, created: int) -> Writer:
        """For a stream from another dialect."""
        raise NotImplementedError

    def whole_with_cost(self, body: bytes, cost: bytes, usage: Usage) -> bytes:
        """A whole answer with what it cost (`encke.dialects.cost`)."""
        return body if self.cost_place is None else with_cost(body, cost, usage, self.cost_place)

    def end_with_cost(self, end: bytes, request: Request, cost: bytes, usage: Usage) -> bytes | None:
        """The last events of a stream, the same; None if the cost has no place in them."""
        return None if self.cost_place is None else end_with_cost(end, cost, usage, self.cost_place)

    def places(self, request: Request, asked: ChatRequest) -> Map | None:
        """From the hub's places in `asked`, which `to_hub` has read of the request, to the caller's; None where they
        cannot be told. Without `request.places` of that reading, it is read once more."""
        if request.places is not None:
            return Map(asked, asked, request.places)
        request.places = places = Places()
        try:
            again = self.to_hub(request)
        finally:
            request.places = None
        return Map(asked, again, places) if isinstance(again, ChatRequest) else None

    def shown_name(self, name: str) -> str:
        """What this dialect calls something that was dropped."""
        return name

    def fault_status(self, fault: Fault) -> int:
        """The status of an answer that tells of a failure."""
        return fault.status

    def render_fault(self, fault: Fault, request_id: str) -> bytes:
        """The error envelope."""
        raise NotImplementedError

    def render_stream_fault(self, fault: Fault, request_id: str) -> bytes:
        """A failure after the head."""
        raise NotImplementedError


class ProviderSide:
    """An operation of providers. `framing` is "sse" or "json_lines"; `max_event`: bytes of one event of a stream."""

    op = ""
    kind = ""
    framing = "sse"
    max_event = MAX_EVENT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """The request on this wire. Raises Fault for what cannot be asked at all."""
        raise NotImplementedError

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """Read a whole answer with status 200. Raises Fault upstream_bad_response, upstream_error."""
        raise NotImplementedError

    def reader(self, request: Hub, call_id: str) -> Reader:
        """For a stream. `call_id` is what ids are made of where a wire has none."""
        raise NotImplementedError

    def read_fault(self, status: int, body: bytes, retry_after: float | None) -> Fault:
        """The Fault of an answer that is not a success."""
        return parse_fault(status, body, retry_after)

    def content_bytes(self, body: bytes) -> int:
        """How much of an answer there is in a body that is no stream, or a part of one, in bytes of text. Vectors and
        counts are none: what they cost follows from what was asked."""
        return 0
