"""What a wire says in its own way without losing anything: both sides of a comparison are brought to one form."""

from __future__ import annotations

import base64
import json
from typing import Any

from msgspec.structs import replace

from encke.core.chat import (
    ChatRequest,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)


def normal(op: str, request: ChatRequest, dropped: tuple[str, ...]) -> ChatRequest:
    """The request with JSON in one form, and thinking as an effort."""
    tools = tuple(
        replace(
            tool, parameters=_json(tool.parameters or _NOTHING), grammar=_json(tool.grammar), strict=tool.strict or None
        )
        if isinstance(tool, Tool)
        else tool
        for tool in request.tools
    )
    form = request.format
    if isinstance(form, Format):
        form = replace(form, schema=_json(form.schema or b"{}", closed=op == "messages"), strict=form.strict or None)
        if "format.schema" in dropped:
            form = replace(form, schema=b"")  # what the wire does not take of it is left out
        if op in _SYSTEM_ALONE:
            # These have no place for what OpenAI wants it to be called, and keep to it in any case.
            form = replace(form, name="", strict=None)
    extra = {name: _json(raw) for name, raw in request.extra.items() if raw not in _TIERS}
    choice = request.tool_choice
    names = {tool.name for tool in tools if isinstance(tool, Tool)}
    if choice is not None and choice.mode != "function" and set(choice.names) >= names:
        request = replace(request, tool_choice=replace(choice, names=()))  # all of them are no choice
    messages = tuple(_message(message, op, _names(request)) for message in request.messages)
    if op in _SYSTEM_ALONE:
        messages = _one_system(messages)
    if op == "responses":
        messages = _joined(messages)
    if "reasoning" in dropped:
        request = replace(request, reasoning=None)  # it could be told nearly, and that is said
    if op in _IMAGES_ASIDE:
        messages = _aside(messages)
    for name, usual in _USUAL.items():
        if getattr(request, name) == usual:
            request = replace(request, **{name: None})
    if request.reasoning is not None:
        request = replace(
            request, reasoning=Reasoning(_effort(request.reasoning), summary=_summary(op, request.reasoning))
        )
    return replace(request, tools=tools, format=form, extra=extra, messages=messages)


_SYSTEM_ALONE = frozenset({"messages", "generate"})
# Of service: OpenAI's own words for "as usual", and its "priority", which is Anthropic's "auto".
_TIERS = (b'"default"', b'"auto"', b'"priority"')
_NOTHING = b'{"type": "object", "properties": {}}'
# What is so without saying it.
_USUAL: dict[str, Any] = {
    "n": 1, "top_p": 1.0, "tool_choice": ToolChoice("auto"), "presence_penalty": 0, "frequency_penalty": 0,
    "logprobs": False, "parallel_tools": True,
}  # fmt: skip


def is_mere_leave(reasoning: Reasoning | None) -> bool:
    """Whether a model may think, and nothing is said of how much: what that comes to is the wire's business."""
    return reasoning is not None and reasoning.enabled is True and not reasoning.effort and reasoning.budget is None


def _summary(op: str, reasoning: Reasoning) -> str:
    """Elsewhere what was thought is told if there is a way, at a length of the provider's own."""
    return reasoning.summary if op in ("chat", "responses") else ""


# Tokens to words, as Google documents them for its OpenAI-compatible address, with the words around them.
_EFFORTS = ((1024, "low"), (8192, "medium"), (24576, "high"), (32768, "xhigh"))


def _effort(reasoning: Reasoning) -> str:
    """How much to think, as a word: what a budget or a mere "yes" comes to."""
    if reasoning.effort:
        return "low" if reasoning.effort == "minimal" else reasoning.effort
    if reasoning.enabled is False or reasoning.budget == 0:
        return "none"
    if reasoning.budget is None or reasoning.budget < 0:
        return "medium"
    return next((word for most, word in _EFFORTS if reasoning.budget <= most), "max")


def _names(request: ChatRequest) -> dict[str, str]:
    return {part.id: part.name for message in request.messages for part in message.parts if isinstance(part, ToolCall)}


def _message(message: Message, op: str, names: dict[str, str]) -> Message:
    parts = [
        # Whose result it is stands in the call; some wires say it again.
        replace(part, name="") if isinstance(part, ToolResult) and part.name == names.get(part.id) else part
        for part in message.parts
    ]
    return replace(message, parts=tuple(_part(part, op) for part in parts))


def _part(part: Part, op: str) -> Part:
    if isinstance(part, ToolResult):
        return replace(part, parts=tuple(_part(inner, op) for inner in part.parts))
    if isinstance(part, ToolCall):
        part = replace(part, arguments=_json(part.arguments.encode()).decode())
    # What Responses calls its own items is of no use to anybody else.
    if isinstance(part, ToolCall) and op != "responses":
        part = replace(part, item_id="")
    if isinstance(part, File) and part.data and part.media_type.startswith("text/"):
        part = replace(part, text=base64.b64decode(part.data).decode(), data="", media_type="")
    if isinstance(part, File) and part.text:
        part = Text(part.text) if op == "generate" else replace(part, media_type="")  # there is no other place for it
    if op == "generate" and isinstance(part, Image) and part.url:
        part = File(url=part.url, cache=part.cache)  # a thing at an address is what it turns out to be
    if isinstance(part, File | Image) and part.url:
        part = replace(part, media_type="")  # of an address; whoever fetches it is told there
    if isinstance(part, Image) and part.detail == "auto":
        part = replace(part, detail="")
    if isinstance(part, File) and part.name == "document.pdf":
        part = replace(part, name="")  # what one without a name is called where it must have one
    if isinstance(part, File | Image) and part.origin.startswith("openai_"):
        part = replace(part, origin="openai")  # one store for both of its wires
    if isinstance(part, Thinking) and op != "responses":
        part = replace(part, id="")
    return part


# Wires whose tool messages are text only: images go into a user message of their own behind them.
_IMAGES_ASIDE = frozenset({"chat", "generate"})


def _one_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """These have one place for instructions, and one rank of them."""
    made: list[Message] = []
    for message in messages:
        if message.role in ("system", "developer"):
            message = replace(message, role="system")
            if made and made[-1].role == "system":
                message = replace(message, parts=(*made.pop().parts, *message.parts))
        made.append(message)
    return tuple(made)


def _joined(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Responses has items, and no ends of messages between calls."""
    made: list[Message] = []
    for message in messages:
        if made and message.role == "assistant" == made[-1].role:
            message = replace(message, parts=(*made.pop().parts, *message.parts))
        made.append(message)
    return tuple(made)


def _aside(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    made: list[Message] = []
    for message in messages:
        media: list[Part] = []
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                media += [inner for inner in part.parts if not isinstance(inner, Text)]
                part = replace(part, parts=tuple(inner for inner in part.parts if isinstance(inner, Text)))
            parts.append(part)
        made.append(replace(message, parts=tuple(parts)))
        if media:
            made.append(Message("user", tuple(media)))
    return tuple(made)


def _json(raw: bytes, *, closed: bool = False) -> bytes:
    """JSON in one form; `closed`: Anthropic wants to be told that there are no other properties."""
    try:
        value = json.loads(raw)
    except ValueError:
        return raw
    return json.dumps(_opened(value) if closed else value, sort_keys=True).encode()


def _opened(value: Any) -> Any:
    if isinstance(value, list):
        return [_opened(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _opened(item) for key, item in value.items() if (key, item) != ("additionalProperties", False)}
