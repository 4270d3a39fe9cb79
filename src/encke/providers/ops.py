"""What follows from an operation or a dialect alone: paths, how a key is presented, fixed headers.

Sources: the references of the APIs themselves (platform.openai.com/docs/api-reference, platform.claude.com/docs/en/api,
ai.google.dev/api, docs.mistral.ai/api, docs.cohere.com/reference, docs.voyageai.com/reference, docs.ollama.com/api).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from encke.config.settings import Auth

AUTH_FIELDS: Final[dict[Auth, str]] = {
    "bearer": "authorization: Bearer {}\r\n",
    "api-key": "api-key: {}\r\n",
    "x-api-key": "x-api-key: {}\r\n",
    "x-goog-api-key": "x-goog-api-key: {}\r\n",
}
# The headers that are ours to set.
AUTH_HEADERS: Final[dict[Auth, str]] = {auth: field.partition(":")[0] for auth, field in AUTH_FIELDS.items()}

# The operations of `encke.dialects.table`, and a list of models.
Served = Literal[
    "chat",
    "completions",
    "embeddings",
    "moderations",
    "responses",
    "messages",
    "count_tokens",
    "generate",
    "google_count",
    "embed_content",
    "batch_embed",
    "mistral_chat",
    "mistral_embed",
    "cohere_chat",
    "cohere_embed",
    "voyage_embed",
    "ollama_chat",
    "ollama_embed",
    "models",
]

# Behind a provider's base URL; `{model}` stands for the model's id. `OP.stream` is the path of an operation's streams,
# where they have one of their own.
PATHS: Final[dict[str, str]] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "moderations": "/moderations",
    "responses": "/responses",
    "messages": "/messages",
    "count_tokens": "/messages/count_tokens",
    "generate": "/models/{model}:generateContent",
    "generate.stream": "/models/{model}:streamGenerateContent?alt=sse",
    "google_count": "/models/{model}:countTokens",
    "embed_content": "/models/{model}:embedContent",
    "batch_embed": "/models/{model}:batchEmbedContents",
    "mistral_chat": "/chat/completions",
    "mistral_embed": "/embeddings",
    "cohere_chat": "/chat",
    "cohere_embed": "/embed",
    "voyage_embed": "/embeddings",
    "ollama_chat": "/chat",
    "ollama_embed": "/embed",
    "models": "/models",
}

# Of those whose answers come in pages, the largest page there is.
DIALECT_PATHS: Final[dict[str, Mapping[str, str]]] = {
    "anthropic_messages": {"models": "/models?limit=1000"},
    "google_generate": {"models": "/models?pageSize=1000"},
    "cohere_chat": {"models": "../v1/models?page_size=1000"},
    "ollama_chat": {"models": "/tags"},
}
DIALECT_AUTH: Final[dict[str, Auth]] = {"anthropic_messages": "x-api-key", "google_generate": "x-goog-api-key"}

# Headers of an operation, wherever it is. Anthropic's own address wants its version with lists of models, too.
_VERSION: Final = {"anthropic-version": "2023-06-01"}
OP_HEADERS: Final[dict[str, Mapping[str, str]]] = {"messages": _VERSION, "count_tokens": _VERSION}
DIALECT_HEADERS: Final[dict[str, Mapping[str, str]]] = {"anthropic_messages": _VERSION}
