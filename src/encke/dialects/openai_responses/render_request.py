"""A request from the hub onto this wire."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Format, Reasoning, Tool
from encke.core.traits import Traits
from encke.dialects.effort import effort_of
from encke.dialects.losses import Losses
from encke.dialects.openai_responses.fields import ENCRYPTED, LOGPROBS, SHARED, UNNAMED_SCHEMA
from encke.dialects.openai_responses.render_items import ItemWriter
from encke.dialects.openai_responses.tools import write_choice, write_tool
from encke.dialects.openai_responses.wire import NAME
from encke.dialects.port import Rendered

_encode: Final = msgspec.json.Encoder().encode
_strings: Final = msgspec.json.Decoder(list[str])

_SAME: Final = ("temperature", "top_p", "top_logprobs")
# What this wire has no words for, and what of it asks for nothing.
_UNKNOWN: Final[dict[str, tuple[Any, ...]]] = {
    "top_k": (None,),
    "stop": ((),),
    "n": (None, 1),
    "seed": (None,),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
}
_OWN: Final = NAME + "."
_REASONING: Final = "reasoning."


def render_request(request: ChatRequest, model: str, traits: Traits) -> Rendered:
    """The request, and what of it has no place on this wire. Nothing is kept upstream; what was thought comes back
    sealed, so that it can be sent again."""
    losses = Losses()
    writer = ItemWriter(losses, traits)
    for at, message in enumerate(request.messages):
        writer.write(message, f"messages[{at}]")
    body: dict[str, Any] = {"model": model, "input": writer.items, "store": False}
    _write_tools(request, body, losses)
    for name in _SAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    for name, usual in _UNKNOWN.items():
        if getattr(request, name) not in usual:
            losses.add(name)
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    if request.user:
        body["user"] = request.user
    if request.format is not None:
        body["text"] = {"format": _format(request.format)}
    thinks = bool(traits.capabilities.thinking)
    if request.reasoning is not None:
        told = _reasoning(request.reasoning)
        if thinks:
            body["reasoning"] = told
        elif told != {"effort": "none"}:
            losses.add("reasoning")
    include = [ENCRYPTED] if thinks else []
    if request.logprobs:
        include.append(LOGPROBS)
    _write_extra(request.extra, body, include, losses)
    if include:
        body["include"] = include
    if request.stream:
        body["stream"] = True
    return Rendered(_encode(body), losses.all())


def _write_tools(request: ChatRequest, body: dict[str, Any], losses: Losses) -> None:
    made = [write_tool(tool, f"tools[{at}]", losses) for at, tool in enumerate(request.tools)]
    tools = [tool for tool in made if tool is not None]
    if tools:
        body["tools"] = tools
    if request.tool_choice is not None:
        if tools or request.tool_choice.mode in ("auto", "none"):
            custom = {tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom}
            body["tool_choice"] = write_choice(request.tool_choice, custom)
        else:
            losses.add("tool_choice")
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _format(format: Format) -> dict[str, Any]:
    if format.kind == "json_object":
        return {"type": "json_object"}
    made: dict[str, Any] = {"type": "json_schema", "name": format.name or UNNAMED_SCHEMA}
    if format.description:
        made["description"] = format.description
    made["schema"] = msgspec.Raw(format.schema) if format.schema else {}
    if format.strict is not None:
        made["strict"] = format.strict
    return made


def _reasoning(reasoning: Reasoning) -> dict[str, Any]:
    """How much to think by word, which is all that this wire has; where it is only told that there is to be thinking,
    the one in the middle."""
    made: dict[str, Any] = {}
    if reasoning.enabled is False:
        made["effort"] = "none"
    elif reasoning.effort:
        made["effort"] = reasoning.effort
    elif reasoning.budget is not None or reasoning.enabled:
        made["effort"] = effort_of(-1 if reasoning.budget is None else reasoning.budget)
    if reasoning.summary:
        made["summary"] = reasoning.summary
    return made


def _write_extra(extra: dict[str, bytes], body: dict[str, Any], include: list[str], losses: Losses) -> None:
    for name, data in extra.items():
        raw = msgspec.Raw(data)
        own = name.removeprefix(_OWN) if name.startswith(_OWN) else name if name in SHARED else ""
        if own == "include":
            include += _included(data)
        elif own.startswith(_REASONING):
            body.setdefault("reasoning", {})[own.removeprefix(_REASONING)] = raw
        elif name == "verbosity":
            body.setdefault("text", {})["verbosity"] = raw
        elif own and "[" not in own and (own not in body or own == "store"):
            body[own] = raw
        else:
            losses.add(name)


def _included(data: bytes) -> list[str]:
    try:
        return _strings.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return []
