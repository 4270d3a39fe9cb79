"""Anthropic's Messages API as a provider."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatRequest, CountReply
from encke.core.traits import Traits
from encke.dialects.anthropic_messages.parse import parse_count
from encke.dialects.anthropic_messages.parse_reply import parse_reply
from encke.dialects.anthropic_messages.reader import MessagesReader
from encke.dialects.anthropic_messages.render_request import render_request
from encke.dialects.measure import text_bytes, texts_of
from encke.dialects.port import CHAT, COUNT, Hub, HubReply, ProviderSide, Reader, Rendered

_TEXTS: Final = texts_of("text", "thinking", "partial_json", "input")


class MessagesProvider(ProviderSide):
    """`POST /v1/messages`."""

    op = "messages"
    kind = CHAT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_request(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return parse_reply(data, request)

    def reader(self, request: Hub, call_id: str) -> Reader:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return MessagesReader(request, call_id)

    def content_bytes(self, body: bytes) -> int:
        """See `ProviderSide`."""
        return text_bytes(_TEXTS, body)


class CountProvider(MessagesProvider):
    """`POST /v1/messages/count_tokens`."""

    op = "count_tokens"
    kind = COUNT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_request(request, model, traits, counts=True)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        return CountReply(parse_count(data))
