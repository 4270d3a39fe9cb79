"""Cohere's chat as a provider."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatRequest
from encke.core.traits import Traits
from encke.dialects.cohere_chat.parse import parse_reply
from encke.dialects.cohere_chat.reader import CohereReader
from encke.dialects.cohere_chat.render import render_request
from encke.dialects.measure import text_bytes, texts_of
from encke.dialects.port import CHAT, Hub, HubReply, ProviderSide, Reader, Rendered

_TEXTS: Final = texts_of("text", "thinking", "tool_plan", "arguments")


class CohereChat(ProviderSide):
    """`POST /v2/chat`."""

    op = "cohere_chat"
    kind = CHAT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_request(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        return parse_reply(data, call_id)

    def reader(self, request: Hub, call_id: str) -> Reader:
        """See `ProviderSide`."""
        return CohereReader(call_id)

    def content_bytes(self, body: bytes) -> int:
        """See `ProviderSide`."""
        return text_bytes(_TEXTS, body)
