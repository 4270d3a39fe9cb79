"""The shapes of the Responses wire that the gateway reads. Everything else passes as raw bytes.

Source: OpenAI's OpenAPI description (CreateResponse, Response, ResponseStreamEvent, ResponseUsage, ResponseErrorEvent),
and what compatible providers add. An error event holds its error in an object (OpenAI, in truth) or beside its type
(OpenAI, as described).
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.dialects.openai_chat.wire import UsageDetails

NOTHING: Final = msgspec.Raw(b"")
NULL: Final = msgspec.Raw(b"null")
NAME: Final = "openai_responses"

# The events that end a stream, and what of them is a failure.
ENDS: Final = frozenset({"response.completed", "response.incomplete"})
FAILED: Final = frozenset({"response.failed", "response.cancelled", "error"})


class Event(msgspec.Struct):
    """A stream event, as far as a stream that passes is looked at."""

    type: str = ""
    sequence_number: int = -1
    delta: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING
    item: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class Details(msgspec.Struct):
    """`incomplete_details`."""

    reason: str | None = None


class WireUsage(msgspec.Struct):
    """`usage` as it stands on the wire. The details have more in them than OpenAI's: xAI, OpenRouter."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: UsageDetails | None = None
    output_tokens_details: UsageDetails | None = None


class Head(msgspec.Struct):
    """What a Response tells of itself before there is anything in it."""

    id: str = ""
    model: str = ""
    created_at: float = 0


class Reply(msgspec.Struct):
    """A whole Response, or the one in the event that ends a stream."""

    status: str | None = None
    output: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    incomplete_details: Details | None = None
