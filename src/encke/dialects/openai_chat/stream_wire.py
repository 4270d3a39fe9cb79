"""The shapes of a whole answer and of a stream's events, where they are read for the hub."""

from __future__ import annotations

import msgspec

from encke.dialects.openai_chat.message_wire import Message
from encke.dialects.openai_chat.wire import NOTHING, Aside


class HubChoice(msgspec.Struct):
    """A choice: of an answer its `message`, of an event its `delta`, of the older completions its `text`.

    `stop_reason` (vLLM) and `matched_stop` (SGLang) hold the stop sequence, or a token's number.
    """

    index: int = 0
    message: Message | None = None
    delta: Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = NOTHING
    stop_reason: msgspec.Raw = NOTHING
    matched_stop: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class HubChunk(msgspec.Struct):
    """A whole answer, or an event of a stream."""

    id: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[HubChoice] | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    object: str | None = None
    x_groq: Aside | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    citations: msgspec.Raw = NOTHING
    search_results: msgspec.Raw = NOTHING


class SearchResult(msgspec.Struct):
    """What Perplexity has found."""

    url: str = ""
    title: str | None = None
    snippet: str | None = None


class AudioField(msgspec.Struct):
    """`audio` of a request."""

    format: str = ""


class Embedding(msgspec.Struct):
    """A vector: numbers, or float32 in base64."""

    embedding: msgspec.Raw
    index: int | None = None


class Embeddings(msgspec.Struct):
    """An answer of the embeddings route."""

    data: list[Embedding] | None = None
    model: str | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
