"""The shapes of the wire that the gateway reads, and its words.

Source: the Gemini API's public reference (ai.google.dev/api: GenerateContentResponse, Candidate, Content, Part,
UsageMetadata, GroundingMetadata, Schema), the types of Google's `google-genai` SDK, and google.rpc's error details.
Field names are given in lowerCamelCase; Google reads `snake_case` too, as protobuf's JSON mapping allows.
"""

from __future__ import annotations

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw(b"")
NULL: Final = msgspec.Raw(b"null")

# Numbers for words, in answers that were asked for with `$alt=json;enum-encoding=int`: the order of the enum.
FINISHES: Final = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "LANGUAGE", "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL",
)  # fmt: skip
BLOCKS: Final = (
    "BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY",
)  # fmt: skip
MODALITIES: Final = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")


class ModalityCount(msgspec.Struct):
    """Tokens of one kind."""

    modality: str | int | None = None
    tokenCount: int | None = None


class WireUsage(msgspec.Struct):
    """`usageMetadata` as it stands on the wire. `responseTokenCount` is the Live API's name for the candidates."""

    promptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    totalTokenCount: int | None = None
    promptTokensDetails: list[ModalityCount] | None = None
    promptTokenDetails: list[ModalityCount] | None = None  # embeddings' name for it
    cacheTokensDetails: list[ModalityCount] | None = None
    candidatesTokensDetails: list[ModalityCount] | None = None
    toolUsePromptTokensDetails: list[ModalityCount] | None = None


class AnyObject(msgspec.Struct):
    """An object, of which nothing is read but that it is one."""


class TapPart(msgspec.Struct):
    """Of a part, what is content; raw, so that odd types pass."""

    text: msgspec.Raw = NOTHING
    functionCall: msgspec.Raw = NOTHING
    inlineData: msgspec.Raw = NOTHING
    executableCode: msgspec.Raw = NOTHING
    codeExecutionResult: msgspec.Raw = NOTHING
    toolCall: msgspec.Raw = NOTHING
    toolResponse: msgspec.Raw = NOTHING
    fileData: msgspec.Raw = NOTHING


class TapContent(msgspec.Struct):
    """A candidate's content."""

    parts: list[TapPart] | None = None


class TapCandidate(msgspec.Struct):
    """A candidate of an event."""

    index: int | None = None
    content: TapContent | None = None
    finishReason: str | int | None = None


class WireFeedback(msgspec.Struct):
    """`promptFeedback`: the prompt was refused."""

    blockReason: str | int | None = None
    blockReasonMessage: str | None = None


class TapChunk(msgspec.Struct):
    """An event of a stream, as the tap reads it."""

    candidates: list[TapCandidate] | None = None
    usageMetadata: msgspec.Raw = NOTHING
    promptFeedback: WireFeedback | None = None
    error: msgspec.Raw = NOTHING


class TapReply(msgspec.Struct):
    """A whole answer of any of the dialect's routes, as far as a native pass looks at it; all of it raw."""

    candidates: msgspec.Raw = NOTHING
    usageMetadata: msgspec.Raw = NOTHING
    promptFeedback: msgspec.Raw = NOTHING
    embedding: msgspec.Raw = NOTHING
    embeddings: msgspec.Raw = NOTHING
    totalTokens: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class TapEnd(msgspec.Struct):
    """A candidate's end, whatever it is."""

    finishReason: msgspec.Raw = NOTHING
