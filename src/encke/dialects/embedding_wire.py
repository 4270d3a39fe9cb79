"""The shapes of embeddings as OpenAI writes them, and Mistral and Voyage after it.

Source: OpenAI's API description (CreateEmbeddingResponse), Mistral's (`EmbeddingResponse`), Voyage's reference
(docs.voyageai.com/reference/embeddings-api).
"""

from __future__ import annotations

import msgspec


class Item(msgspec.Struct):
    """A vector, as numbers or as float32 in base64."""

    embedding: tuple[float, ...] | str
    index: int | None = None


class ListUsage(msgspec.Struct):
    """Voyage tells the total alone."""

    prompt_tokens: int | None = None
    total_tokens: int | None = None


class ItemList(msgspec.Struct):
    """The answer."""

    data: list[Item]
    model: str | None = None
    usage: ListUsage | None = None
