"""Google's dialect as callers use it: generateContent and its stream, countTokens, embeddings."""

from __future__ import annotations

from typing import Final

from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.google_generate.bounds import copies, output_limit, unbounded
from encke.dialects.google_generate.faults import render_fault, render_stream_fault
from encke.dialects.google_generate.parse import ARRAY, parse_reply, parse_request
from encke.dialects.google_generate.render import render_request
from encke.dialects.google_generate.tap import ArrayTap, GenerateTap
from encke.dialects.port import CHAT, COUNT, EMBED, ClientSide, ParsedReply, Tap
from encke.dialects.request import Request

_KINDS: Final = {"generate": CHAT, "google_count": COUNT, "embed_content": EMBED, "batch_embed": EMBED}


class GoogleClient(ClientSide):
    """One of its routes."""

    keepalive = b""  # its SDKs take a comment for a broken answer

    def __init__(self, route: str) -> None:
        self.route = route
        self.native = route
        self.kind = _KINDS[route]

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

    def render(self, request: Request, model: str, traits: Traits) -> list[bytes | memoryview]:
        """See `ClientSide`."""
        return render_request(request, model)

    def tap(self, request: Request) -> Tap:
        """See `ClientSide`."""
        return ArrayTap() if request.form == ARRAY else GenerateTap()

    def read_reply(self, data: bytes) -> ParsedReply:
        """See `ClientSide`."""
        return parse_reply(self.route, data)

    def render_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_fault(fault, request_id)

    def render_stream_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_stream_fault(fault, request_id)
