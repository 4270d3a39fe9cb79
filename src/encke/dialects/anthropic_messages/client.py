"""Anthropic's dialect as callers use it: `messages`, and `count_tokens`."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatReply, CountReply
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.anthropic_messages.bounds import unbounded
from encke.dialects.anthropic_messages.faults import render_fault, render_stream_fault, status_of
from encke.dialects.anthropic_messages.names import FIELDS, ORIGIN
from encke.dialects.anthropic_messages.parse import max_tokens, parse_count, parse_reply, parse_request
from encke.dialects.anthropic_messages.parse_request import parse_hub
from encke.dialects.anthropic_messages.render import render_passing
from encke.dialects.anthropic_messages.render_reply import render_reply
from encke.dialects.anthropic_messages.seals import without_seals
from encke.dialects.anthropic_messages.tap import MessagesTap
from encke.dialects.anthropic_messages.usage import usage_json
from encke.dialects.anthropic_messages.wire import PING
from encke.dialects.anthropic_messages.writer import MessagesWriter
from encke.dialects.cost import CostPlace
from encke.dialects.port import CHAT, COUNT, ClientSide, Hub, HubReply, ParsedReply, Tap, Writer
from encke.dialects.request import Request

_KINDS: Final = {"messages": CHAT, "count_tokens": COUNT}
_COST: Final = CostPlace("usage", usage_json, frozenset({b'"message_delta"'}))


class AnthropicClient(ClientSide):
    """One of its routes."""

    keepalive = PING
    id_header = "request-id"
    service_fields: tuple[str, ...] = ("speed", "service_tier")

    def __init__(self, route: str) -> None:
        self.route = route
        self.native = route
        self.kind = _KINDS[route]
        self.cost_place = _COST if self.kind == CHAT else None

    def read(self, data: bytes, target: str, headers: dict[bytes, bytes]) -> Request:
        """See `ClientSide`."""
        return parse_request(self.route, data, headers)

    def output_limit(self, request: Request) -> int | None:
        """See `ClientSide`."""
        return max_tokens(request.body["max_tokens"]) if self.route == "messages" else None

    def unbounded(self, request: Request) -> str | None:
        """See `ClientSide`."""
        return unbounded(request.body) if self.route == "messages" else None

    def render(self, request: Request, model: str, traits: Traits) -> list[bytes | memoryview]:
        """See `ClientSide`."""
        return render_passing(request, model)

    def without_seals(self, request: Request, all_: bool) -> Request | None:
        """See `ClientSide`."""
        return without_seals(request, all_) if self.route == "messages" else None

    def tap(self, request: Request) -> Tap:
        """See `ClientSide`."""
        return MessagesTap()

    def read_reply(self, data: bytes) -> ParsedReply:
        """See `ClientSide`."""
        if self.route == "count_tokens":
            parse_count(data)
            return ParsedReply(None, "")
        return parse_reply(data)

    def to_hub(self, request: Request) -> Hub:
        """See `ClientSide`."""
        return parse_hub(request)

    def render_reply(self, reply: HubReply, request: Request, call_id: str, created: int) -> bytes:
        """See `ClientSide`."""
        if isinstance(reply, CountReply):
            return b'{"input_tokens":%d}' % reply.tokens
        assert isinstance(reply, ChatReply)
        return render_reply(reply, request, call_id)

    def writer(self, request: Request, call_id: str, created: int) -> Writer:
        """See `ClientSide`."""
        return MessagesWriter(request, call_id)

    def shown_name(self, name: str) -> str:
        """See `ClientSide`."""
        return FIELDS.get(name, name.removeprefix(f"{ORIGIN}."))

    def fault_status(self, fault: Fault) -> int:
        """See `ClientSide`."""
        return status_of(fault)

    def render_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_fault(fault, request_id)

    def render_stream_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_stream_fault(fault, request_id)
