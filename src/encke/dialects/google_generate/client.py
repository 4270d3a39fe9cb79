"""Google's dialect as callers use it: generateContent and its stream, countTokens, embeddings."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatReply, CountReply
from encke.core.embed import EmbedReply
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.core.usage import Usage
from encke.dialects.cost import CostPlace, array_with_cost
from encke.dialects.google_generate.bounds import copies, others, output_limit, unbounded
from encke.dialects.google_generate.embed import read_batch, read_embed, render_embed_reply
from encke.dialects.google_generate.faults import render_fault, render_stream_fault
from encke.dialects.google_generate.parse import ARRAY, parse_reply, parse_request
from encke.dialects.google_generate.parse_request import read_chat, read_count
from encke.dialects.google_generate.render import render_request
from encke.dialects.google_generate.render_reply import render_chat_reply, render_count_reply
from encke.dialects.google_generate.seals import without_seals
from encke.dialects.google_generate.shown import shown
from encke.dialects.google_generate.tap import ArrayTap, GenerateTap
from encke.dialects.google_generate.usage import usage_json
from encke.dialects.google_generate.writer import GenerateWriter
from encke.dialects.port import CHAT, COUNT, EMBED, LARGE_EVENT, ClientSide, Hub, HubReply, ParsedReply, Tap, Writer
from encke.dialects.request import Request

_KINDS: Final = {"generate": CHAT, "google_count": COUNT, "embed_content": EMBED, "batch_embed": EMBED}
_COST: Final = CostPlace("usageMetadata", usage_json)


class GoogleClient(ClientSide):
    """One of its routes."""

    max_event = LARGE_EVENT
    service_fields: tuple[str, ...] = ("serviceTier", "service_tier")  # protobuf's JSON has two names for each field
    keepalive = b""  # its SDKs take a comment for a broken answer

    def __init__(self, route: str) -> None:
        self.route = route
        self.native = route
        self.kind = _KINDS[route]
        self.cost_place = _COST if self.kind != COUNT else None

    def read(self, data: bytes, target: str, headers: dict[bytes, bytes]) -> Request:
        """See `ClientSide`."""
        return parse_request(self.route, data, target)

    def stream_type(self, request: Request) -> str:
        """See `ClientSide`."""
        return "application/json; charset=UTF-8" if request.form == ARRAY else "text/event-stream"

    def output_limit(self, request: Request) -> int | None:
        """See `ClientSide`."""
        return output_limit(request.body) if self.kind == CHAT else None

    def copies(self, request: Request) -> int:
        """See `ClientSide`."""
        return copies(request.body) if self.kind == CHAT else 1

    def unbounded(self, request: Request) -> str | None:
        """See `ClientSide`."""
        return unbounded(request.body) if self.kind != COUNT else None

    def others(self, request: Request) -> str | None:
        """See `ClientSide`."""
        return others(request.body) if self.kind != EMBED else None

    def render(self, request: Request, model: str, traits: Traits) -> list[bytes | memoryview]:
        """See `ClientSide`."""
        return render_request(request, model)

    def without_seals(self, request: Request, all_: bool) -> Request | None:
        """See `ClientSide`."""
        return without_seals(request, all_) if self.kind == CHAT else None

    def tap(self, request: Request) -> Tap:
        """See `ClientSide`."""
        return ArrayTap() if request.form == ARRAY else GenerateTap()

    def read_reply(self, data: bytes) -> ParsedReply:
        """See `ClientSide`."""
        return parse_reply(self.route, data)

    def to_hub(self, request: Request) -> Hub:
        """See `ClientSide`."""
        if self.kind == COUNT:
            return read_count(request)
        if self.kind == EMBED:
            return read_batch(request) if self.route == "batch_embed" else read_embed(request)
        return read_chat(request)

    def render_reply(self, reply: HubReply, request: Request, call_id: str, created: int) -> bytes:
        """See `ClientSide`."""
        if isinstance(reply, CountReply):
            return render_count_reply(reply)
        if isinstance(reply, EmbedReply):
            return render_embed_reply(reply, batch=self.route == "batch_embed")
        assert isinstance(reply, ChatReply)
        return render_chat_reply(reply, request, call_id)

    def writer(self, request: Request, call_id: str, created: int) -> Writer:
        """See `ClientSide`."""
        return GenerateWriter(request.model, call_id, request.form == ARRAY)

    def end_with_cost(self, end: bytes, request: Request, cost: bytes, usage: Usage) -> bytes | None:
        """See `ClientSide`."""
        if request.form == ARRAY:
            return array_with_cost(end, cost, usage, _COST)
        return super().end_with_cost(end, request, cost, usage)

    def shown_name(self, name: str) -> str:
        """See `ClientSide`."""
        return shown(name)

    def render_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_fault(fault, request_id)

    def render_stream_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_stream_fault(fault, request_id)
