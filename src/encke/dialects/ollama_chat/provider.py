"""Ollama's chat as a provider."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatRequest
from encke.core.traits import Traits
from encke.dialects.measure import text_bytes, texts_of
from encke.dialects.ollama_chat.parse import parse_reply
from encke.dialects.ollama_chat.reader import OllamaReader
from encke.dialects.ollama_chat.render import render_request
from encke.dialects.port import CHAT, Hub, HubReply, ProviderSide, Reader, Rendered

_TEXTS: Final = texts_of("content", "thinking")


class OllamaChat(ProviderSide):
    """`POST /api/chat`."""

    op = "ollama_chat"
    kind = CHAT
    framing = "json_lines"

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_request(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        return parse_reply(data, call_id)

    def reader(self, request: Hub, call_id: str) -> Reader:
        """See `ProviderSide`."""
        return OllamaReader(call_id)

    def content_bytes(self, body: bytes) -> int:
        """See `ProviderSide`."""
        return text_bytes(_TEXTS, body)
