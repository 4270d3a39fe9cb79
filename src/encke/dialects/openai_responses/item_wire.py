"""The shapes of items, parts, tools and settings of this wire, where they are read whole: for the hub.

Source: OpenAI's OpenAPI description (CreateResponse, InputItem, Item, OutputItem, Tool, ToolChoiceParam,
ResponseTextParam, Reasoning, ResponseStreamEvent).
"""

from __future__ import annotations

import msgspec

from encke.dialects.openai_responses.wire import NOTHING, Details


class Typed(msgspec.Struct):
    """What an item or a part is. Messages may leave their type out, and so may references."""

    type: str | None = None
    role: str | None = None


class Annotation(msgspec.Struct):
    """Where a text is from. Of the kinds only addresses are known elsewhere."""

    type: str = ""
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    filename: str | None = None
    file_id: str | None = None


class Part(msgspec.Struct):
    """A part of a message's content, of a tool's output or of a thought."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None
    annotations: msgspec.Raw = NOTHING
    input_audio: msgspec.Raw = NOTHING
    prompt_cache_breakpoint: msgspec.Raw = NOTHING
    logprobs: msgspec.Raw = NOTHING


class StrictPart(Part, forbid_unknown_fields=True):
    """A part that has nothing else in it."""


class Sound(msgspec.Struct):
    """`input_audio`."""

    data: str
    format: str


class MessageItem(msgspec.Struct):
    """A message. `content` is a text or parts."""

    role: str
    content: msgspec.Raw = NOTHING


class StrictMessageItem(MessageItem, forbid_unknown_fields=True):
    """A message that has nothing else in it."""


class Content(msgspec.Struct):
    """A message of an answer. Some servers write its text alone."""

    content: list[msgspec.Raw] | str | None = None


class CallItem(msgspec.Struct):
    """A function or a custom tool that is called."""

    call_id: str = ""
    name: str = ""
    arguments: str | None = None
    input: str | None = None
    id: str | None = None


class StrictCallItem(CallItem, forbid_unknown_fields=True):
    """A call that has nothing else in it."""


class CalledItem(msgspec.Struct):
    """The same in an answer. Arguments are text; some servers write the object itself."""

    call_id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = NOTHING
    input: str | None = None
    id: str | None = None


class OutputItem(msgspec.Struct):
    """What a tool gave: a text or parts."""

    call_id: str
    output: msgspec.Raw
    name: str | None = None


class StrictOutputItem(OutputItem, forbid_unknown_fields=True):
    """What a tool gave that has nothing else in it."""


class ReasoningItem(msgspec.Struct):
    """What was thought: told in a summary, in full, or in what only its maker can read."""

    id: str | None = None
    summary: list[Part | str] | None = None  # OpenRouter has texts alone
    content: list[Part | str] | None = None
    encrypted_content: str | None = None


class ToolsItem(msgspec.Struct):
    """More tools in the middle of a conversation."""

    tools: list[msgspec.Raw]


class ImageItem(msgspec.Struct):
    """An image that the provider has drawn."""

    result: str | None = None
    output_format: str | None = None


class Tool(msgspec.Struct):
    """A function, or a custom tool."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NOTHING
    strict: bool | None = None
    format: msgspec.Raw = NOTHING


class StrictTool(Tool, forbid_unknown_fields=True):
    """A tool that has nothing else in it."""


class Grammar(msgspec.Struct):
    """`format` of a custom tool. Chat has what is here in an object of its own."""

    type: str = ""
    syntax: msgspec.Raw = NOTHING
    definition: msgspec.Raw = NOTHING
    grammar: msgspec.Raw = NOTHING


class Allowed(msgspec.Struct):
    """One of the tools that may be called."""

    type: str = ""
    name: str | None = None


class Choice(msgspec.Struct):
    """`tool_choice` as an object."""

    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[Allowed] | None = None


class Format(msgspec.Struct):
    """`text.format`."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NOTHING
    strict: bool | None = None


class TextField(msgspec.Struct):
    """`text`."""

    format: Format | None = None
    verbosity: msgspec.Raw = NOTHING


class ReasoningField(msgspec.Struct):
    """`reasoning`. `generate_summary` is an older name of `summary`."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    mode: msgspec.Raw = NOTHING
    context: msgspec.Raw = NOTHING


class TopLogprob(msgspec.Struct):
    """A token that might have been."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class Logprob(TopLogprob):
    """A token, and what might have been in its place."""

    top_logprobs: list[TopLogprob] | None = None


class Response(msgspec.Struct):
    """A whole Response."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    incomplete_details: Details | None = None
    service_tier: str | None = None


class StreamEvent(msgspec.Struct):
    """A stream event, with what goes into the hub of it. What tells the whole of a text again, `text`, `refusal`,
    `arguments` and `input`, is read only where it has not come in pieces."""

    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item_id: str = ""
    delta: str = ""
    item: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING
    annotation: msgspec.Raw = NOTHING
    logprobs: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    text: msgspec.Raw = NOTHING
    refusal: msgspec.Raw = NOTHING
    arguments: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
