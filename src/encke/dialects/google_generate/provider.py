"""Google's dialect as providers have it: generateContent and its stream, countTokens, embeddings."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatReply, ChatRequest, CountReply
from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.google_generate.embed import read_embed_reply, render_batch, render_embed
from encke.dialects.google_generate.faults import read_fault
from encke.dialects.google_generate.parse_reply import read_chat_reply, read_count_reply
from encke.dialects.google_generate.reader import GenerateReader
from encke.dialects.google_generate.render_chat import render_chat, render_count
from encke.dialects.measure import text_bytes, texts_of
from encke.dialects.port import CHAT, COUNT, EMBED, LARGE_EVENT, Hub, ProviderSide, Reader, Rendered

# An answer's own words, and what is code or an argument in it.
_TEXTS: Final = texts_of("text", "code", "output", "data")


class GoogleProvider(ProviderSide):
    """What they have in common: how Google says no."""

    def read_fault(self, status: int, body: bytes, retry_after: float | None) -> Fault:
        """See `ProviderSide`."""
        return read_fault(status, body, retry_after)


class GoogleChat(GoogleProvider):
    """`:generateContent` and `:streamGenerateContent?alt=sse`."""

    op = "generate"
    kind = CHAT
    max_event = LARGE_EVENT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_chat(request, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> ChatReply:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return read_chat_reply(data, request, call_id)

    def reader(self, request: Hub, call_id: str) -> Reader:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return GenerateReader(request, call_id)

    def content_bytes(self, body: bytes) -> int:
        """See `ProviderSide`."""
        return text_bytes(_TEXTS, body)


class GoogleCount(GoogleProvider):
    """`:countTokens`."""

    op = "google_count"
    kind = COUNT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_count(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> CountReply:
        """See `ProviderSide`."""
        return read_count_reply(data)


class GoogleEmbed(GoogleProvider):
    """`:batchEmbedContents`, or `:embedContent` for one input."""

    kind = EMBED

    def __init__(self, op: str) -> None:
        self.op = op

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        return render_batch(request, model) if self.op == "batch_embed" else render_embed(request, model)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> EmbedReply:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        return read_embed_reply(data, request)
