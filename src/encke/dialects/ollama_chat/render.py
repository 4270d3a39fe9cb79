"""Requests of the hub in Ollama's words.

Ollama has no `tool_choice`: tools that must not be called are left out, and one that must be called cannot be asked
for. How much to think is on, off, or one of three words. Texts of one message are joined, a blank line between them,
since a message has one; a document that is plain text stands among them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Tool
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.effort import effort_of, nearest
from encke.dialects.losses import Losses, own_extra
from encke.dialects.ollama_chat.messages import render_messages
from encke.dialects.port import Rendered

ORIGIN: Final = "ollama_chat"
_EFFORTS: Final = ("low", "medium", "high")

# Ollama's own fields, which callers may set beside those of their dialect.
_OWN: Final = ("keep_alive", "shift", "think", "truncate")
_KNOWN: Final = (*_OWN, "options")

_encode: Final = msgspec.json.Encoder().encode
_dict: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def render_request(request: ChatRequest, model: str, traits: Traits) -> Rendered:
    """The body of `POST /api/chat`."""
    losses = Losses()
    body: dict[str, Any] = {
        "model": model,
        "messages": render_messages(request.messages, losses),
        "stream": request.stream,
    }
    _tools(request, body, losses)
    if request.format is not None:
        schema = request.format.schema if request.format.kind == "json_schema" else b""
        body["format"] = msgspec.Raw(schema) if schema else "json"
        if schema and request.format.description:
            losses.add("format.description")
    if request.reasoning is not None:
        _think(request, traits, body, losses)
    if request.logprobs:
        body["logprobs"] = True
        if request.top_logprobs:
            body["top_logprobs"] = request.top_logprobs
    options = _options(request)
    if options:
        body["options"] = options
    for name in _OWN:
        raw = own_extra(request, ORIGIN, name)
        if raw:
            body[name] = msgspec.Raw(raw)
    if request.n is not None and request.n > 1:
        losses.add("n")
    if request.user:
        losses.add("user")
    losses.add_extra(request, ORIGIN, _KNOWN)
    return Rendered(_encode(body), losses.all())


def _options(request: ChatRequest) -> dict[str, Any]:
    """The caller's own options (`num_ctx` and others), with those over them that every dialect has."""
    options: dict[str, Any] = {}
    raw = own_extra(request, ORIGIN, "options")
    if raw:
        try:
            options.update(_dict.decode(raw))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Fault("invalid_type", "`options` must be an object of Ollama's options.", param="options") from error
    for name, value in (
        ("num_predict", request.max_tokens),
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("top_k", request.top_k),
        ("seed", request.seed),
        ("presence_penalty", request.presence_penalty),
        ("frequency_penalty", request.frequency_penalty),
        ("stop", request.stop or None),
    ):
        if value is not None:
            options[name] = value
    return options


def _tools(request: ChatRequest, body: dict[str, Any], losses: Losses) -> None:
    choice = request.tool_choice
    names = choice.names if choice is not None else ()
    tools = []
    for at, tool in enumerate(request.tools):
        if isinstance(tool, Foreign) or tool.custom:
            losses.add(f"tools[{at}]")
            continue
        if names and tool.name not in names:
            continue
        losses.add_marks(tool, f"tools[{at}]")
        if tool.strict:
            losses.add(f"tools[{at}].strict")
        tools.append(_tool(tool))
    if choice is not None and choice.mode in ("required", "function"):
        losses.add("tool_choice")
    if tools and (choice is None or choice.mode != "none"):
        body["tools"] = tools
    if request.parallel_tools is False:
        losses.add("parallel_tools")


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = msgspec.Raw(tool.parameters or b'{"type":"object","properties":{}}')
    return {"type": "function", "function": function}


def _think(request: ChatRequest, traits: Traits, body: dict[str, Any], losses: Losses) -> None:
    reasoning = request.reasoning
    if reasoning is None:
        return
    effort = reasoning.effort
    if not effort and reasoning.budget is not None:
        effort = effort_of(reasoning.budget)
    told = traits.capabilities.thinking
    if effort == "none" or reasoning.enabled is False:
        if told:
            body["think"] = False
    elif not told:
        losses.add("reasoning")
    elif effort and told != "flag":
        body["think"] = nearest(effort, _EFFORTS) or True
    elif effort or reasoning.enabled:
        body["think"] = True
