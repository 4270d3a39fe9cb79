"""The shapes of messages, tools and answers of this wire, where they are read whole: for the hub.

Source: OpenAI's OpenAPI description (CreateChatCompletionRequest and Response and what they hold,
CreateChatCompletionStreamResponse); `reasoning_content` is DeepSeek's, `reasoning`, `reasoning_details`, `images` and
`cache_control` are OpenRouter's (openrouter.ai/docs), `extra_content` is Google's (ai.google.dev/gemini-api/docs),
lists as content with thoughts in them are Mistral's.
"""

from __future__ import annotations

import msgspec

from encke.dialects.openai_chat.wire import NOTHING


class Function(msgspec.Struct):
    """A function that is called. Arguments are text; some servers write the object itself."""

    name: str | None = None
    arguments: msgspec.Raw = NOTHING


class Custom(msgspec.Struct):
    """A custom tool that is called."""

    name: str | None = None
    input: str | None = None


class Call(msgspec.Struct):
    """A tool call of a message, or a piece of one in a stream. `index` is a stream's."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: msgspec.Raw = NOTHING


class Message(msgspec.Struct):
    """A message of a request or an answer, or a stream's delta."""

    role: str | None = None
    content: msgspec.Raw = NOTHING
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking: msgspec.Raw = NOTHING
    reasoning_details: msgspec.Raw = NOTHING
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: msgspec.Raw = NOTHING
    audio: msgspec.Raw = NOTHING
    images: msgspec.Raw = NOTHING
    extra_content: msgspec.Raw = NOTHING
    name: str | None = None
    tool_call_id: str | None = None
    cache_control: msgspec.Raw = NOTHING


class StrictMessage(Message, forbid_unknown_fields=True):
    """A message that has nothing else in it."""


class Part(msgspec.Struct):
    """A part of a message's content."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: msgspec.Raw = NOTHING
    input_audio: msgspec.Raw = NOTHING
    file: msgspec.Raw = NOTHING
    file_url: msgspec.Raw = NOTHING
    document_url: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    signature: str | None = None
    cache_control: msgspec.Raw = NOTHING
    prompt_cache_breakpoint: msgspec.Raw = NOTHING


class StrictPart(Part, forbid_unknown_fields=True):
    """A part that has nothing else in it."""


class ImageUrl(msgspec.Struct):
    """Where an image is, or `data:` and all of it."""

    url: str
    detail: str | None = None


class InputAudio(msgspec.Struct):
    """Sound in base64."""

    data: str
    format: str


class FilePart(msgspec.Struct):
    """A file: its data, or the id that it was stored by."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class CacheControl(msgspec.Struct):
    """A prompt-cache mark as Anthropic, OpenRouter and LiteLLM write it."""

    type: str = "ephemeral"
    ttl: str | None = None


class ToolFunction(msgspec.Struct):
    """A function that may be called."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = NOTHING
    strict: bool | None = None


class ToolCustom(msgspec.Struct):
    """A custom tool that may be called."""

    name: str
    description: str | None = None
    format: msgspec.Raw = NOTHING


class Tool(msgspec.Struct):
    """A tool."""

    type: str = "function"
    function: ToolFunction | None = None
    custom: ToolCustom | None = None
    cache_control: msgspec.Raw = NOTHING


class StrictFunction(ToolFunction, forbid_unknown_fields=True):
    """A function that has nothing else in it."""


class StrictTool(msgspec.Struct, forbid_unknown_fields=True):
    """A tool that has nothing else in it."""

    type: str = "function"
    function: StrictFunction | None = None
    custom: ToolCustom | None = None
    cache_control: msgspec.Raw = NOTHING


class Named(msgspec.Struct):
    """Something by its name."""

    name: str


class AllowedTool(msgspec.Struct):
    """A tool that is allowed."""

    type: str = "function"
    function: Named | None = None
    custom: Named | None = None


class AllowedTools(msgspec.Struct):
    """Which tools are allowed, and whether one of them must be called."""

    mode: str
    tools: list[AllowedTool]


class Choice(msgspec.Struct):
    """`tool_choice` where it is an object."""

    type: str
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(msgspec.Struct):
    """The schema of an answer."""

    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NOTHING
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    """`response_format`; llama.cpp and Together have the schema beside the type."""

    type: str
    json_schema: JsonSchema | None = None
    schema: msgspec.Raw = NOTHING


class ReasoningField(msgspec.Struct):
    """OpenRouter's `reasoning`."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class ThinkingField(msgspec.Struct):
    """`thinking` as Anthropic's compatible address, LiteLLM, DeepSeek, Z.ai and others have it."""

    type: str | None = None
    budget_tokens: int | None = None


class Detail(msgspec.Struct, omit_defaults=True):
    """An entry of OpenRouter's `reasoning_details`."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class UrlCitation(msgspec.Struct):
    """Where something is from; the indexes are characters of the content."""

    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    content: str | None = None


class Annotation(msgspec.Struct):
    """An annotation. Xiaomi writes the citation's fields into it."""

    type: str = ""
    url_citation: UrlCitation | None = None
    url: str = ""
    title: str | None = None
    summary: str | None = None


class AudioPart(msgspec.Struct):
    """Sound of an answer, or a piece of it."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class TopLogprob(msgspec.Struct):
    """A token that might have been."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    """A token."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


class Logprobs(msgspec.Struct):
    """`logprobs`; Together has lists beside each other."""

    content: list[Logprob] | None = None
    refusal: list[Logprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None


class GoogleContent(msgspec.Struct):
    """Google's part of `extra_content`."""

    thought_signature: str | None = None


class ExtraContent(msgspec.Struct):
    """`extra_content`."""

    google: GoogleContent | None = None
