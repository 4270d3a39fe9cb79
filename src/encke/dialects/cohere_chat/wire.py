"""The shapes of Cohere's chat that the gateway reads.

Source: Cohere's API reference (docs.cohere.com/reference/chat, chat-stream) and the types of its Python SDK
(`V2ChatResponse`, `V2ChatStreamResponse`, `Usage`). Numbers of tokens are floats there.
"""

from __future__ import annotations

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw(b"")


class Function(msgspec.Struct):
    """Of a tool call; in a stream, a piece of one."""

    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct):
    """A tool call."""

    id: str | None = None
    function: Function | None = None


class Content(msgspec.Struct):
    """A block of content; in a stream, a piece of one."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class Source(msgspec.Struct):
    """Where a cited text is from: a document, or what a tool gave. Either is an object of the caller's."""

    id: str | None = None
    document: msgspec.Raw = NOTHING
    tool_output: msgspec.Raw = NOTHING


class WireCitation(msgspec.Struct):
    """Of a text: `start` and `end` are characters of the block `content_index`; of the tool plan if `type` is PLAN."""

    start: int | None = None
    end: int | None = None
    sources: list[Source] | None = None
    type: str | None = None
    content_index: int | None = None


class Message(msgspec.Struct):
    """The message of a whole answer."""

    content: list[Content] | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[msgspec.Raw] | None = None


class Tokens(msgspec.Struct):
    """`usage.tokens` and `usage.billed_units`."""

    input_tokens: float | None = None
    output_tokens: float | None = None
    image_tokens: float | None = None
    reasoning_tokens: float | None = None


class WireUsage(msgspec.Struct):
    """`usage`."""

    billed_units: Tokens | None = None
    tokens: Tokens | None = None


class Logprob(msgspec.Struct):
    """A piece of text, with the logarithm of its probability for each token of it."""

    text: str | None = None
    logprobs: list[float] | None = None


class Reply(msgspec.Struct):
    """A whole answer."""

    message: Message
    id: str | None = None
    finish_reason: str | None = None
    usage: msgspec.Raw = NOTHING
    logprobs: list[Logprob] | None = None


class EventMessage(msgspec.Struct):
    """What an event adds. `message-start` has empty lists where others have one object."""

    content: Content | list[msgspec.Raw] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[msgspec.Raw] | None = None
    citations: msgspec.Raw = NOTHING


class EventDelta(msgspec.Struct):
    """The body of an event."""

    message: EventMessage | None = None
    finish_reason: str | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    error_type: str | None = None


class Event(msgspec.Struct):
    """An event of a stream. `message` is a text in errors that come in place of an event."""

    type: str = ""
    id: str | None = None
    index: int | None = None
    delta: EventDelta | None = None
    logprobs: Logprob | None = None
    message: msgspec.Raw = NOTHING


class EmbedMeta(msgspec.Struct):
    """Of an answer of embeddings: what is charged."""

    billed_units: Tokens | None = None


class EmbedVectors(msgspec.Struct):
    """`embeddings`, by their type."""

    floats: tuple[tuple[float, ...], ...] | None = msgspec.field(default=None, name="float")


class EmbedAnswer(msgspec.Struct):
    """Embeddings."""

    embeddings: EmbedVectors
    meta: EmbedMeta | None = None
