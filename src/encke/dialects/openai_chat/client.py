"""The OpenAI dialect as callers use it: chat completions, and completions, embeddings, moderations."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatReply
from encke.core.embed import EmbedReply
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.cost import CHAT_PLACE, CostPlace
from encke.dialects.openai_chat.bounds import copies, output_limit, unbounded
from encke.dialects.openai_chat.embeddings import read_embed, render_embed_reply
from encke.dialects.openai_chat.faults import render_fault, render_stream_fault
from encke.dialects.openai_chat.fields import read_chat
from encke.dialects.openai_chat.parse import parse_reply, parse_request
from encke.dialects.openai_chat.render import render_request
from encke.dialects.openai_chat.render_reply import render_reply
from encke.dialects.openai_chat.stream import ChatTap
from encke.dialects.openai_chat.writer import ChatWriter
from encke.dialects.port import CHAT, EMBED, ClientSide, Hub, HubReply, ParsedReply, Tap, Writer
from encke.dialects.request import Request

_KINDS: Final = {"chat": CHAT, "embeddings": EMBED}
_OWN: Final = "openai_chat."
# What callers know by another name than the hub.
_SHOWN: Final = {
    "parallel_tools": "parallel_tool_calls",
    "format": "response_format",
    "reasoning": "reasoning_effort",
    "thinking": "reasoning_content",
    "reasoning.summary": "reasoning_effort",
    "purpose": "input_type",
}


class OpenAIClient(ClientSide):
    """One of its routes."""

    cost_place: CostPlace | None = CHAT_PLACE

    def __init__(self, route: str) -> None:
        self.route = route
        self.native = route
        self.kind = _KINDS.get(route, "")

    def read(self, data: bytes, target: str, headers: dict[bytes, bytes]) -> Request:
        """See `ClientSide`."""
        return parse_request(self.route, data)

    def output_limit(self, request: Request) -> int | None:
        """See `ClientSide`."""
        return output_limit(request.body)

    def copies(self, request: Request) -> int:
        """See `ClientSide`."""
        return copies(request.body)

    def unbounded(self, request: Request) -> str | None:
        """See `ClientSide`."""
        return unbounded(request.body)

    def render(self, request: Request, model: str, traits: Traits) -> list[bytes | memoryview]:
        """See `ClientSide`."""
        field = traits.limit_field if self.route == "chat" else "max_tokens"
        return render_request(request, model, traits.stream_usage, field)

    def tap(self, request: Request) -> Tap:
        """See `ClientSide`."""
        return ChatTap(request.include_usage)

    def read_reply(self, data: bytes) -> ParsedReply:
        """See `ClientSide`."""
        return parse_reply(self.route, data)

    def to_hub(self, request: Request) -> Hub:
        """See `ClientSide`."""
        return read_chat(request) if self.kind == CHAT else read_embed(request)

    def render_reply(self, reply: HubReply, request: Request, call_id: str, created: int) -> bytes:
        """See `ClientSide`."""
        if isinstance(reply, EmbedReply):
            return render_embed_reply(reply, request)
        assert isinstance(reply, ChatReply)
        return render_reply(reply, request, call_id, created)

    def writer(self, request: Request, call_id: str, created: int) -> Writer:
        """See `ClientSide`."""
        return ChatWriter(request, call_id, created)

    def shown_name(self, name: str) -> str:
        """See `ClientSide`."""
        return _SHOWN.get(name) or name.removeprefix(_OWN)

    def render_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_fault(fault, request_id)

    def render_stream_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_stream_fault(fault, request_id)
