"""All dialects: the routes that callers use, the operations that providers have, and which goes to which."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from encke.dialects.anthropic_messages.client import AnthropicClient
from encke.dialects.anthropic_messages.provider import CountProvider, MessagesProvider
from encke.dialects.cohere_chat.embed import CohereEmbed
from encke.dialects.cohere_chat.provider import CohereChat
from encke.dialects.google_generate.client import GoogleClient
from encke.dialects.google_generate.provider import GoogleChat, GoogleCount, GoogleEmbed
from encke.dialects.mistral_chat.provider import MistralChat
from encke.dialects.mistral_embed.provider import MistralEmbed
from encke.dialects.ollama_chat.embed import OllamaEmbed
from encke.dialects.ollama_chat.provider import OllamaChat
from encke.dialects.openai_chat.client import OpenAIClient
from encke.dialects.openai_chat.provider import ChatProvider, EmbeddingsProvider
from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.openai_responses.provider import ResponsesProvider
from encke.dialects.port import ClientSide, ProviderSide
from encke.dialects.voyage_embed.provider import VoyageEmbed

_CLIENTS: Final[tuple[ClientSide, ...]] = (
    OpenAIClient("chat"),
    OpenAIClient("completions"),
    OpenAIClient("embeddings"),
    OpenAIClient("moderations"),
    ResponsesClient(),
    AnthropicClient("messages"),
    AnthropicClient("count_tokens"),
    GoogleClient("generate"),
    GoogleClient("google_count"),
    GoogleClient("embed_content"),
    GoogleClient("batch_embed"),
)
_PROVIDERS: Final[tuple[ProviderSide, ...]] = (
    ResponsesProvider(),
    ChatProvider(),
    EmbeddingsProvider(),
    CohereChat(),
    CohereEmbed(),
    OllamaChat(),
    OllamaEmbed(),
    VoyageEmbed(),
    MistralChat(),
    MistralEmbed(),
    GoogleChat(),
    GoogleCount(),
    GoogleEmbed("batch_embed"),
    GoogleEmbed("embed_content"),
    MessagesProvider(),
    CountProvider(),
)

CLIENTS: Final[dict[str, ClientSide]] = {side.route: side for side in _CLIENTS}
# Whose envelope answers have that belong to no route, or to one that asks no model.
PLAIN_CLIENT: Final[ClientSide] = CLIENTS["chat"]
PROVIDERS: Final[dict[str, ProviderSide]] = {side.op: side for side in _PROVIDERS}

# What a provider of a dialect has where nothing else is said, in order of preference for what is translated.
DIALECT_OPS: Final[dict[str, tuple[str, ...]]] = {
    "openai_chat": ("chat", "completions", "embeddings", "moderations", "models"),
    "openai_responses": ("responses", "models"),
    "anthropic_messages": ("messages", "count_tokens", "models"),
    "google_generate": ("generate", "google_count", "batch_embed", "embed_content", "models"),
    "mistral_chat": ("mistral_chat", "mistral_embed", "models"),
    "cohere_chat": ("cohere_chat", "cohere_embed", "models"),
    "ollama_chat": ("ollama_chat", "ollama_embed", "models"),
    "voyage_embed": ("voyage_embed",),
}


def op_for(route: str, served: Collection[str], preferred: Collection[str] = ()) -> str | None:
    """The operation that a call on `route` becomes at a target that has those `served`; None if it cannot.

    The same wire if there is one, else the first that it can be translated into, `preferred` ones first.
    """
    client = CLIENTS[route]
    if preferred:
        served = [op for op in preferred if op in served]
    if client.native in served:
        return client.native
    if not client.kind:
        return None
    for op in served:
        side = PROVIDERS.get(op)
        if side is not None and side.kind == client.kind:
            return op
    return None
