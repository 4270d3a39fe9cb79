"""The OpenAI dialect as providers speak it: chat completions and embeddings."""

from __future__ import annotations

from encke.core.chat import ChatReply, ChatRequest
from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.traits import Traits
from encke.dialects.openai_chat.embeddings import read_embed_reply, render_embed
from encke.dialects.openai_chat.measure import content_bytes
from encke.dialects.openai_chat.reader import ChatReader
from encke.dialects.openai_chat.render_request import render_chat
from encke.dialects.openai_chat.reply import read_reply
from encke.dialects.port import CHAT, EMBED, Hub, ProviderSide, Reader, Rendered


class OpenAIProvider(ProviderSide):
    """What both have."""

    def content_bytes(self, body: bytes) -> int:
        """See `ProviderSide`."""
        return content_bytes(body)


class ChatProvider(OpenAIProvider):
    """Chat completions."""

    op = "chat"
    kind = CHAT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_chat(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> ChatReply:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return read_reply(data, request, call_id)

    def reader(self, request: Hub, call_id: str) -> Reader:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return ChatReader(request, call_id)


class EmbeddingsProvider(OpenAIProvider):
    """Embeddings."""

    op = "embeddings"
    kind = EMBED

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        return render_embed(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> EmbedReply:
        """See `ProviderSide`."""
        return read_embed_reply(data)
