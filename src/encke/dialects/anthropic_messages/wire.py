"""The shapes of the wire that the gateway reads in streams, answers and usage. Nothing else is looked at.

Source: the types of Anthropic's Python SDK (`anthropic.types`: RawMessageStreamEvent, Message, Usage,
MessageDeltaUsage; of `anthropic.types.beta` the iterations of a usage).
"""

from __future__ import annotations

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw(b"")
NULL: Final = msgspec.Raw(b"null")
VERSION: Final = b"2023-06-01"  # of the API, as `anthropic-version` says it

# The last event of every stream.
STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'


class CacheCreation(msgspec.Struct):
    """Tokens written into a cache, by how long they stay there."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """What of the output was thought."""

    thinking_tokens: int | None = None


class Iteration(msgspec.Struct):
    """One of several rounds of an answer: those of type "compaction" are not in the sums beside them."""

    type: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None


class WireUsage(msgspec.Struct):
    """`usage`, of an answer, of a message_start, or, summed up so far, of a message_delta."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    iterations: list[Iteration] | None = None


class TapMessage(msgspec.Struct):
    """Of a message_start."""

    usage: msgspec.Raw = NOTHING


class TapBlock(msgspec.Struct):
    """Of a content_block_start."""

    type: str = ""
    text: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    name: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING


class TapDelta(msgspec.Struct):
    """Of a content_block_delta, or of a message_delta."""

    type: str = ""
    text: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    partial_json: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING  # of a compaction
    stop_reason: str | None = None


class TapEvent(msgspec.Struct):
    """An event of a stream that passes."""

    type: str = ""
    delta: TapDelta | None = None
    content_block: TapBlock | None = None
    message: TapMessage | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class TapReply(msgspec.Struct):
    """A whole answer that passes."""

    type: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING
    stop_reason: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class CountBody(msgspec.Struct):
    """How many tokens a request has."""

    input_tokens: int
