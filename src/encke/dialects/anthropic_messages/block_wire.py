"""The shapes of messages, blocks and tools, where they are read whole: for the hub.

Source: the types of Anthropic's Python SDK (`anthropic.types.message_create_params` and what it names, `ContentBlock`).
What a shape does not name is looked for by name, so that it can be told as lost.
"""

from __future__ import annotations

import msgspec

from encke.dialects.anthropic_messages.wire import NOTHING


class CacheControl(msgspec.Struct):
    """A prompt-cache mark."""

    type: str
    ttl: str | None = None


class Message(msgspec.Struct):
    """A message of a request."""

    role: str
    content: msgspec.Raw


class TextBlock(msgspec.Struct):
    """Text."""

    text: str
    citations: list[msgspec.Raw] | None = None
    cache_control: CacheControl | None = None


class Source(msgspec.Struct):
    """Where an image or a document is, or all of it."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: msgspec.Raw = NOTHING


class CitationsConfig(msgspec.Struct):
    """Whether the answer may cite it."""

    enabled: bool | None = None


class MediaBlock(msgspec.Struct):
    """An image or a document."""

    source: Source
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class SearchResultBlock(msgspec.Struct):
    """Something found by the caller."""

    source: str
    title: str
    content: list[TextBlock]
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class ToolUseBlock(msgspec.Struct):
    """A call of a tool that the caller runs."""

    id: str
    name: str
    input: msgspec.Raw = NOTHING
    cache_control: CacheControl | None = None


class ToolResultBlock(msgspec.Struct):
    """What a tool gave."""

    tool_use_id: str
    content: msgspec.Raw = NOTHING
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class ToolReferenceBlock(msgspec.Struct):
    """A tool that was found, in a tool's result."""

    tool_name: str


class ThinkingBlock(msgspec.Struct):
    """What was thought."""

    thinking: str
    signature: str | None = None


class RedactedBlock(msgspec.Struct):
    """A thought that is all opaque."""

    data: str


class ToolDefinition(msgspec.Struct):
    """A tool that the caller runs."""

    name: str
    description: str | None = None
    input_schema: msgspec.Raw = NOTHING
    strict: bool | None = None
    cache_control: CacheControl | None = None


class ToolChoiceIn(msgspec.Struct):
    """Which tools may be called."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(msgspec.Struct):
    """How much to think."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class FormatIn(msgspec.Struct):
    """The form of the answer."""

    type: str
    schema: msgspec.Raw = NOTHING


class WireCitation(msgspec.Struct):
    """What all kinds of citations tell."""

    cited_text: str = ""
    url: str | None = None
    title: str | None = None
    document_title: str | None = None
    source: str | None = None
    file_id: str | None = None


class Refused(msgspec.Struct):
    """`stop_details`: why the model would not."""

    explanation: str | None = None


class ReplyUsage(msgspec.Struct):
    """Of a `usage`, what is not tokens."""

    service_tier: str | None = None


class ReplyBody(msgspec.Struct):
    """A whole answer."""

    content: list[msgspec.Raw]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Refused | None = None
    usage: msgspec.Raw = NOTHING


class EventBlock(msgspec.Struct):
    """Of a content_block_start, by type."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NOTHING


class EventDelta(msgspec.Struct):
    """Of a content_block_delta or a message_delta."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    content: str | None = None
    citation: msgspec.Raw = NOTHING
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Refused | None = None


class EventMessage(msgspec.Struct):
    """Of a message_start."""

    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = NOTHING


class Typed(msgspec.Struct):
    """What an event is, whatever the rest of it may be."""

    type: str = ""
    error: msgspec.Raw = NOTHING


class Event(msgspec.Struct):
    """An event of a stream."""

    type: str = ""
    index: int = 0
    delta: EventDelta | None = None
    content_block: msgspec.Raw = NOTHING
    message: EventMessage | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
