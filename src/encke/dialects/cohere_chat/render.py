"""Requests of the hub in Cohere's words.

Cohere has one place for text beside tool calls, `tool_plan`; a document that is plain text is one of `documents`. A
tool that must be called is asked for as REQUIRED with no other tool beside it, since no tool can be named. `p` is
between 0.01 and 0.99 there and `k` at most 500: what is outside means the same as the end it is near to.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Tool
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.cohere_chat.messages import Conversation
from encke.dialects.effort import budget_of
from encke.dialects.losses import Losses, own_extra
from encke.dialects.port import Rendered

ORIGIN: Final = "cohere_chat"
MOST_STOPS: Final = 5
MOST_K: Final = 500

# Cohere's own fields, which callers may set beside those of their dialect.
_OWN: Final = ("citation_options", "documents", "priority", "safety_mode", "strict_tools", "thinking")

_encode: Final = msgspec.json.Encoder().encode
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_dict: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def render_request(request: ChatRequest, model: str, traits: Traits) -> Rendered:
    """The body of `POST /v2/chat`."""
    losses = Losses()
    conversation = Conversation(losses)
    body: dict[str, Any] = {
        "model": model,
        "messages": conversation.render(request.messages),
        "stream": request.stream,
    }
    _tools(request, body, losses)
    _format(request, body, losses)
    _numbers(request, body, losses)
    if request.stop:
        body["stop_sequences"] = request.stop[:MOST_STOPS]
        if len(request.stop) > MOST_STOPS:
            losses.add("stop")
    if request.reasoning is not None:
        _thinking(request, traits, body, losses)
    for name in _OWN:
        raw = own_extra(request, ORIGIN, name)
        if raw:
            body[name] = msgspec.Raw(raw)
    if conversation.documents:
        body["documents"] = [*_given(own_extra(request, ORIGIN, "documents")), *conversation.documents]
    losses.add_extra(request, ORIGIN, _OWN)
    return Rendered(_encode(body), losses.all())


def _given(raw: bytes) -> list[msgspec.Raw]:
    if not raw:
        return []
    try:
        return _list.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Fault("invalid_type", "`documents` must be a list of documents.", param="documents") from error


def _numbers(request: ChatRequest, body: dict[str, Any], losses: Losses) -> None:
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["p"] = min(max(request.top_p, 0.01), 0.99)
    if request.top_k is not None:
        body["k"] = min(max(request.top_k, 0), MOST_K)
    if request.seed is not None:
        body["seed"] = request.seed
    for name, value in (
        ("presence_penalty", request.presence_penalty),
        ("frequency_penalty", request.frequency_penalty),
    ):
        if value is None:
            continue
        if 0 <= value <= 1:
            body[name] = value
        else:
            losses.add(name)  # Cohere's go from 0 to 1
    if request.logprobs:
        body["logprobs"] = True
    if request.top_logprobs:
        losses.add("top_logprobs")
    if request.n is not None and request.n > 1:
        losses.add("n")
    if request.parallel_tools is False:
        losses.add("parallel_tools")
    if request.user:
        losses.add("user")


def _tools(request: ChatRequest, body: dict[str, Any], losses: Losses) -> None:
    choice = request.tool_choice
    names = choice.names if choice is not None else ()
    tools: list[Tool] = []
    strict = []
    for at, tool in enumerate(request.tools):
        if isinstance(tool, Foreign) or tool.custom:
            losses.add(f"tools[{at}]")
            continue
        if names and tool.name not in names:
            continue
        losses.add_marks(tool, f"tools[{at}]")
        if tool.strict:
            strict.append(at)
        tools.append(tool)
    if not tools:
        if choice is not None and choice.mode in ("required", "function"):
            losses.add("tool_choice")
        return
    body["tools"] = [_tool(tool) for tool in tools]
    if strict and len(strict) == len(tools) and all(_has_required(tool) for tool in tools):
        body["strict_tools"] = True
    else:
        for at in strict:
            losses.add(f"tools[{at}].strict")
    if choice is not None and choice.mode != "auto":
        body["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED"


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = msgspec.Raw(tool.parameters or b'{"type":"object","properties":{}}')
    return {"type": "function", "function": function}


def _has_required(tool: Tool) -> bool:
    """Cohere's strict tools must each have a parameter that is required."""
    try:
        required = _list.decode(_dict.decode(tool.parameters).get("required", msgspec.Raw(b"[]")))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return bool(required)


def _format(request: ChatRequest, body: dict[str, Any], losses: Losses) -> None:
    format = request.format
    if format is None:
        return
    body["response_format"] = {"type": "json_object"}
    if format.kind == "json_schema" and format.schema:
        body["response_format"]["json_schema"] = msgspec.Raw(format.schema)
        if format.description:
            losses.add("format.description")


def _thinking(request: ChatRequest, traits: Traits, body: dict[str, Any], losses: Losses) -> None:
    reasoning = request.reasoning
    if reasoning is None:
        return
    budget = budget_of(reasoning.effort) if reasoning.effort else reasoning.budget
    if not traits.capabilities.thinking:
        if budget != 0 and reasoning.enabled is not False:
            losses.add("reasoning")
    elif budget == 0 or reasoning.enabled is False:
        body["thinking"] = {"type": "disabled"}
    elif reasoning.effort or reasoning.budget is not None or reasoning.enabled:
        body["thinking"] = {"type": "enabled"}
        if budget is not None and budget > 0 and traits.capabilities.thinking != "flag":
            body["thinking"]["token_budget"] = budget
