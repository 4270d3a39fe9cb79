"""The shapes of a provider's answers and events as they are read for translation. Not compiled: structs.

Sources as for `wire`.
"""

from __future__ import annotations

import msgspec

from encke.dialects.google_generate.wire import NOTHING, WireFeedback


class EventPart(msgspec.Struct):
    """A part. What is not text is raw, and read only where it is."""

    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None
    functionCall: msgspec.Raw = NOTHING
    inlineData: msgspec.Raw = NOTHING
    fileData: msgspec.Raw = NOTHING
    executableCode: msgspec.Raw = NOTHING
    codeExecutionResult: msgspec.Raw = NOTHING
    toolCall: msgspec.Raw = NOTHING
    toolResponse: msgspec.Raw = NOTHING


class EventContent(msgspec.Struct):
    """A candidate's content."""

    parts: list[EventPart] | None = None


class Log(msgspec.Struct):
    """A token and how likely it was."""

    token: str | None = None
    logProbability: float | None = None


class Logs(msgspec.Struct):
    """The likeliest at one place."""

    candidates: list[Log] | None = None


class LogResult(msgspec.Struct):
    """`logprobsResult`."""

    chosenCandidates: list[Log] | None = None
    topCandidates: list[Logs] | None = None


class EventCandidate(msgspec.Struct):
    """A candidate of an event or an answer."""

    index: int | None = None
    content: EventContent | None = None
    finishReason: str | int | None = None
    finishMessage: str | None = None
    groundingMetadata: msgspec.Raw = NOTHING
    citationMetadata: msgspec.Raw = NOTHING
    logprobsResult: msgspec.Raw = NOTHING


class Event(msgspec.Struct):
    """An event of a stream, or a whole answer."""

    candidates: list[EventCandidate] | None = None
    usageMetadata: msgspec.Raw = NOTHING
    promptFeedback: WireFeedback | None = None
    modelVersion: str | None = None
    responseId: str | None = None
    error: msgspec.Raw = NOTHING


class PartialArg(msgspec.Struct):
    """A piece of an argument, at a JSONPath."""

    jsonPath: str = ""
    stringValue: str | None = None
    numberValue: float | None = None
    boolValue: bool | None = None
    nullValue: msgspec.Raw = NOTHING
    willContinue: bool | None = None


class EventCall(msgspec.Struct):
    """A call of a function, whole or in pieces."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = NOTHING
    partialArgs: list[PartialArg] | None = None
    willContinue: bool | None = None


class Blob(msgspec.Struct):
    """Data of a type."""

    mimeType: str | None = None
    data: str | None = None


class Segment(msgspec.Struct):
    """A piece of a text, by bytes."""

    partIndex: int | None = None
    startIndex: int | None = None
    endIndex: int | None = None
    text: str | None = None


class Source(msgspec.Struct):
    """A page, a place, or a document."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None


class ImageSource(msgspec.Struct):
    """A picture, and the page that it is on."""

    sourceUri: str | None = None
    imageUri: str | None = None
    title: str | None = None


class Chunk(msgspec.Struct):
    """What was found."""

    web: Source | None = None
    image: ImageSource | None = None
    maps: Source | None = None
    retrievedContext: Source | None = None


class Support(msgspec.Struct):
    """Which piece rests on what was found."""

    segment: Segment | None = None
    groundingChunkIndices: list[int] | None = None


class Grounding(msgspec.Struct):
    """`groundingMetadata`."""

    groundingChunks: list[Chunk] | None = None
    groundingSupports: list[Support] | None = None


class WireCitation(msgspec.Struct):
    """A citation of what the model has learnt."""

    startIndex: int | None = None
    endIndex: int | None = None
    uri: str | None = None
    title: str | None = None


class Citations(msgspec.Struct):
    """`citationMetadata`; the older name of the list is `citationSources`."""

    citations: list[WireCitation] | None = None
    citationSources: list[WireCitation] | None = None


class Vector(msgspec.Struct):
    """A content's embedding."""

    values: tuple[float, ...]


class EmbedAnswer(msgspec.Struct):
    """An answer of `:embedContent` or `:batchEmbedContents`."""

    embedding: Vector | None = None
    embeddings: list[Vector] | None = None
    usageMetadata: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
