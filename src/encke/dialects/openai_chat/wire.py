"""The shapes of the wire that the gateway reads. Everything else passes as raw bytes.

Source: OpenAI's OpenAPI description (CreateChatCompletionRequest, CreateChatCompletionStreamResponse, CompletionUsage,
ErrorResponse), and the deltas that compatible providers add (`reasoning`, `reasoning_content`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

NOTHING: Final = msgspec.Raw(b"")
NULL: Final = msgspec.Raw(b"null")

# Names of the bound on an answer's length. Both are in use; the older is all that most compatible servers know.
OUTPUT_LIMITS: Final = ("max_completion_tokens", "max_tokens")


class Delta(msgspec.Struct):
    """The fields of a stream's delta that carry content; raw, so that odd types pass."""

    content: msgspec.Raw = NOTHING
    reasoning_content: msgspec.Raw = NOTHING
    reasoning: msgspec.Raw = NOTHING
    tool_calls: msgspec.Raw = NOTHING
    function_call: msgspec.Raw = NOTHING
    refusal: msgspec.Raw = NOTHING
    audio: msgspec.Raw = NOTHING


class Choice(msgspec.Struct):
    """A choice of a chunk. `text` is that of the older completions route."""

    index: int = 0
    delta: Delta | None = None
    text: msgspec.Raw = NOTHING
    finish_reason: str | None = None


class Aside(msgspec.Struct):
    """A provider's own member of a stream event: some tell usage there, and nowhere else."""

    usage: msgspec.Raw = NOTHING


class Chunk(msgspec.Struct):
    """A stream event."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = NOTHING
    x_groq: Aside | None = None
    error: msgspec.Raw = NOTHING


# Whether `prompt_tokens` counts what was read from a cache and written into one too. (Anthropic's own wire does not.)
INPUT_INCLUDES_CACHE: Final[bool] = True


class CacheCreation(msgspec.Struct):
    """Tokens written into a cache, by how long they stay there: Anthropic's names, which LiteLLM and others pass on."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class UsageDetails(msgspec.Struct):
    """`prompt_tokens_details` and `completion_tokens_details` in one; any of them may be null."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None  # OpenAI, OpenRouter
    audio_tokens: int | None = None
    image_tokens: int | None = None  # xAI, Alibaba, Xiaomi
    reasoning_tokens: int | None = None
    cache_creation_tokens: int | None = None  # LiteLLM
    cache_creation_input_tokens: int | None = None  # Hugging Face
    cache_creation_token_details: CacheCreation | None = None  # LiteLLM


class WireUsage(msgspec.Struct):
    """`usage` as it stands on the wire."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: UsageDetails | None = None
    completion_tokens_details: UsageDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's name for cached_tokens
    reasoning_tokens: int | None = None  # Together's place for it
    image_tokens: int | None = None  # Cerebras's place for it
    # Anthropic's names, as Databricks and LiteLLM pass them on.
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    prompt_audio_seconds: msgspec.Raw = NOTHING  # Mistral, where the model hears; null or {} where it does not


class ReplyChoice(msgspec.Struct):
    """A choice of a whole answer; only its end is read, whatever it is."""

    finish_reason: msgspec.Raw = NOTHING


class UsualChoice(msgspec.Struct):
    """The same where its end is told as it should be."""

    finish_reason: str | None = None


class Reply(msgspec.Struct):
    """A whole answer of any of the dialect's routes: an object; usage and error are looked at."""

    choices: list[ReplyChoice] | None = None
    data: msgspec.Raw = NOTHING
    results: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class UsualReply(msgspec.Struct):
    """A `Reply` of the usual types: most are, and are read in one go."""

    choices: list[UsualChoice] | None = None
    data: msgspec.Raw = NOTHING
    results: msgspec.Raw = NOTHING
    usage: WireUsage | None = None
    error: msgspec.Raw = NOTHING


class LargeReply(msgspec.Struct):
    """A `Reply` whose choices may be too many to be looked at."""

    choices: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING
    results: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class RouteShape(NamedTuple):
    """What a request on a route must hold, besides `model`: fields, with the bytes that a value there may begin with
    (a JSON value's first byte tells its type).
    """

    required: tuple[tuple[str, bytes], ...]
    reply: str  # the field that a good answer must have
    streams: bool


ROUTES: Final[dict[str, RouteShape]] = {
    "chat": RouteShape((("messages", b"["),), "choices", True),
    "completions": RouteShape((("prompt", b'"['),), "choices", True),
    "embeddings": RouteShape((("input", b'"['),), "data", False),
    "moderations": RouteShape((("input", b'"['),), "results", False),
}

# Why answers end, in the words of this dialect and of servers that translate from others. The ledger keeps one of
# these, never a text that an upstream has made up, which could be anything: a key, a prompt.
FINISHES: Final = frozenset(
    {
        "stop", "length", "tool_calls", "content_filter", "function_call", "error", "eos", "eos_token", "complete",
        "completed", "end_turn", "max_tokens", "stop_sequence", "tool_use", "tool_call", "refusal", "pause_turn",
        "safety", "recitation", "model_length", "insufficient_system_resource", "sensitive", "network_error", "abort",
        "cancelled", "incomplete", "repetition", "load", "unload", "model_context_window_exceeded",
        "compaction",
        "max_output_tokens", "failed", "in_progress", "queued",
        "language", "other", "blocklist", "prohibited_content", "spii", "malformed_function_call",
        "unexpected_tool_call", "too_many_tool_calls", "missing_thought_signature", "malformed_response",
        "image_safety", "image_prohibited_content", "image_recitation", "image_other", "no_image", "model_armor",
        "jailbreak",
    }
)  # fmt: skip


def shown_finish(reason: str) -> str:
    """A finish reason as it may be recorded."""
    return reason if not reason or reason.lower() in FINISHES else "other"
