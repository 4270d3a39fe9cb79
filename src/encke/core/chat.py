"""The hub: a chat request and its answer in no dialect's words. Every dialect reads into these and writes from them.

What a dialect cannot express is named as a loss when it is written, never left out in silence.

Canonical form, so that what was written and read again is equal:
- a message of role "tool" holds `ToolResult`s and nothing else, and they stand nowhere else; a message of role "system"
  or "developer" holds `Text`s; "user" holds `Text`, `Image`, `File`, `Audio`, `Foreign`; "assistant" any part but a
  `ToolResult`;
- neighbouring tool messages are one; other messages are never joined or split by reading;
- a string as content is one `Text`; empty texts are left out, and a message may have no parts;
- JSON that the gateway does not look into (schemas, arguments, extra fields) is its bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from encke.core.usage import Usage

Role = Literal["system", "developer", "user", "assistant", "tool"]

# Why an answer ended. `tool_calls`: the caller has to run tools; `refusal`: the model would not; `content_filter`:
# somebody stopped it; `pause`: it wants to be asked again (Anthropic's pause_turn); `error`: it broke; `other`: a
# reason that no other dialect has a word for.
Finish = Literal[
    "stop", "stop_sequence", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"
]

CacheTtl = Literal["5m", "1h"]


class Citation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a text is from. `start` and `end` are characters of the text that cites; `quote` is what is cited;
    `file_id` is the provider's, of a file that is cited. `origin` is the dialect that `raw`, the citation as it came,
    is in.
    """

    url: str = ""
    title: str = ""
    quote: str = ""
    start: int | None = None
    end: int | None = None
    raw: bytes = b""
    origin: str = ""
    file_id: str = ""


class Text(msgspec.Struct, frozen=True, omit_defaults=True, tag="text"):
    """Text. `cache`: a prompt-cache mark stands after it. `signature`: opaque, of who wrote it (Gemini), see
    `Thinking`."""

    text: str
    cache: CacheTtl | None = None
    citations: tuple[Citation, ...] = ()
    signature: str = ""
    origin: str = ""


class Image(msgspec.Struct, frozen=True, omit_defaults=True, tag="image"):
    """An image: an address, or base64 `data` with its `media_type`, or a provider's `file_id` (in dialect `origin`)."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    file_id: str = ""
    origin: str = ""
    detail: str = ""
    cache: CacheTtl | None = None
    signature: str = ""


class File(msgspec.Struct, frozen=True, omit_defaults=True, tag="file"):
    """A document: an address, base64 `data` with its `media_type`, plain `text`, or a provider's `file_id`. `citable`:
    the answer may cite it (Anthropic's citations.enabled)."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    text: str = ""
    file_id: str = ""
    origin: str = ""
    name: str = ""
    context: str = ""
    citable: bool = False
    cache: CacheTtl | None = None


class Audio(msgspec.Struct, frozen=True, omit_defaults=True, tag="audio"):
    """Sound: base64 `data` in `format` ("wav", "mp3", …: the last part of its media type). `transcript` in answers."""

    data: str
    format: str
    id: str = ""
    transcript: str = ""
    expires_at: int = 0


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True, tag="thinking"):
    """What was thought. `signature` is opaque and only of use to dialect `origin`; `redacted`: all of it is opaque, and
    `signature` holds it. `summary`: it is a summary (Responses, Gemini). `id`: the item's own (Responses).
    """

    text: str = ""
    signature: str = ""
    origin: str = ""
    redacted: bool = False
    summary: bool = False
    id: str = ""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """What the model says when it will not."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="tool_call"):
    """A tool the caller is to run. `arguments` is JSON text as the model wrote it (free text if `custom`). `signature`
    as for `Thinking` (Gemini signs calls). `item_id`: Responses' own."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    signature: str = ""
    origin: str = ""
    item_id: str = ""
    cache: CacheTtl | None = None


class ToolResult(msgspec.Struct, frozen=True, omit_defaults=True, tag="tool_result"):
    """What a tool gave. `name` is the tool's, where the dialect says it, or by its call's id."""

    id: str
    parts: tuple[Text | Image | File, ...]
    name: str = ""
    error: bool = False
    custom: bool = False
    cache: CacheTtl | None = None


class Foreign(msgspec.Struct, frozen=True, tag="foreign"):
    """Something that only dialect `origin` has a word for: `raw` is its JSON, `kind` what it is called there."""

    origin: str
    kind: str
    raw: bytes


Part = Text | Image | File | Audio | Thinking | Refusal | ToolCall | ToolResult | Foreign


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message. `name` is the participant's."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function that the caller runs. `parameters` is a JSON schema, b"" for none. `custom`: it takes free text, in
    the form that `grammar` (JSON, as in OpenAI's `custom.format`) says."""

    name: str
    description: str = ""
    parameters: bytes = b""
    strict: bool | None = None
    custom: bool = False
    grammar: bytes = b""
    cache: CacheTtl | None = None


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which tools may or must be called. `names`: only these ("function": that one must be)."""

    mode: Literal["auto", "none", "required", "function"]
    names: tuple[str, ...] = ()


class Format(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form of the answer."""

    kind: Literal["json_object", "json_schema"]
    schema: bytes = b""
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much to think: an `effort` by name ("none", "minimal", "low", "medium", "high", "xhigh", "max"), or a
    `budget` in tokens (0: none, -1: as the model likes), or only that it may (`enabled`). `summary` ("auto", "concise",
    "detailed"): what is thought is to be told."""

    effort: str = ""
    budget: int | None = None
    enabled: bool | None = None
    summary: str = ""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request. `tools` may hold `Foreign`s: tools that a provider runs. `max_tokens` bounds what is thought, too.

    `extra` are top-level fields that have no place here, by OpenAI's name where OpenAI has one (`metadata`, `store`,
    `service_tier`, `prompt_cache_key`, `safety_identifier`, `verbosity`, `logit_bias`, `modalities`, …), else by their
    dialect's own with the dialect before it ("google_generate.safetySettings"); their JSON as it came.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool | Foreign, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    format: Format | None = None
    reasoning: Reasoning | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    n: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    user: str = ""
    stream: bool = False
    extra: dict[str, bytes] = {}


class TokenLogprob(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token and how likely it was, with the likeliest others."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: tuple[TokenLogprob, ...] = ()


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer. `finish` None: it was not told. `finish_raw` is the reason in the upstream's own word."""

    parts: tuple[Part, ...]
    finish: Finish | None = None
    finish_raw: str = ""
    stop_sequence: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()


class ChatReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole answer. `id` and `model` are upstream's; `created` in UTC seconds, 0 if it was not told."""

    choices: tuple[Choice, ...]
    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None
    service_tier: str = ""
    fingerprint: str = ""


class CountReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many tokens a request has; `estimated`: by the gateway."""

    tokens: int
    cached: int = 0
    estimated: bool = False
