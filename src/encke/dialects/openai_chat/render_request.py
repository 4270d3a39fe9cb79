"""A chat request from the hub onto this wire."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Format, Reasoning, Tool, ToolChoice
from encke.core.traits import Traits
from encke.dialects.effort import budget_of, effort_of
from encke.dialects.losses import Losses
from encke.dialects.openai_chat.fields import UNNAMED_SCHEMA
from encke.dialects.openai_chat.parts import ORIGIN
from encke.dialects.openai_chat.render_messages import MessageWriter
from encke.dialects.openai_chat.render_parts import PartWriter
from encke.dialects.port import Rendered

_encode: Final = msgspec.json.Encoder().encode

# What OpenAI's chat has of what the hub holds in `extra`.
_EXTRA: Final = frozenset(
    {
        "metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
        "safety_identifier", "verbosity", "logit_bias", "modalities", "audio", "prediction", "web_search_options",
        "moderation",
    }
)  # fmt: skip
_OWN: Final = ORIGIN + "."
TOP_K: Final = "top_k"
_SAME: Final = (
    "temperature", "top_p", "n", "seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs",
)  # fmt: skip


def render_chat(request: ChatRequest, model: str, traits: Traits) -> Rendered:
    """The request, and what of it has no place on this wire."""
    losses = Losses()
    writer = MessageWriter(losses, traits)
    for at, message in enumerate(request.messages):
        writer.write(message, f"messages[{at}]")
    body: dict[str, Any] = {"model": model, "messages": writer.written}
    _write_tools(request, body, losses, writer.parts)
    for name in _SAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.top_k is not None:
        if TOP_K in traits.extensions:
            body[TOP_K] = request.top_k
        else:
            losses.add(TOP_K)
    if request.stop:
        body["stop"] = list(request.stop)
    if request.max_tokens is not None:
        body[traits.limit_field] = request.max_tokens
    if request.user:
        body["user"] = request.user
    if request.format is not None:
        body["response_format"] = write_format(request.format)
    if request.reasoning is not None:
        body.update(write_reasoning(request.reasoning, traits, losses))
    _write_extra(request.extra, body, losses)
    if request.stream:
        body["stream"] = True
        if traits.stream_usage == "option":
            body["stream_options"] = {"include_usage": True}
    return Rendered(_encode(body), losses.all())


def _write_tools(request: ChatRequest, body: dict[str, Any], losses: Losses, parts: PartWriter) -> None:
    tools = []
    for at, tool in enumerate(request.tools):
        made = write_tool(tool, f"tools[{at}]", losses, parts)
        if made is not None:
            tools.append(made)
    if not tools:  # without any, OpenAI refuses what is said of them
        if request.tool_choice is not None:
            losses.add("tool_choice")
        if request.parallel_tools is not None:
            losses.add("parallel_tools")
        return
    body["tools"] = tools
    if request.tool_choice is not None:
        custom = {tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom}
        body["tool_choice"] = write_choice(request.tool_choice, custom)
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def write_tool(tool: Tool | Foreign, path: str, losses: Losses, parts: PartWriter) -> Any | None:
    """A tool; None for one that only another dialect knows."""
    if isinstance(tool, Foreign):
        if tool.origin == ORIGIN:
            return msgspec.Raw(tool.raw)
        losses.add(path)
        return None
    inner: dict[str, Any] = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    if tool.custom:
        if tool.grammar:
            inner["format"] = msgspec.Raw(tool.grammar)
        return parts.marked({"type": "custom", "custom": inner}, tool.cache, path)
    if tool.parameters:
        inner["parameters"] = msgspec.Raw(tool.parameters)
    if tool.strict is not None:
        inner["strict"] = tool.strict
    return parts.marked({"type": "function", "function": inner}, tool.cache, path)


def write_choice(choice: ToolChoice, custom: set[str]) -> Any:
    """`tool_choice`."""
    if not choice.names:
        return choice.mode if choice.mode != "function" else "required"
    named = [_named(name, custom) for name in choice.names]
    if choice.mode == "function" and len(named) == 1:
        return named[0]
    mode = "auto" if choice.mode in ("auto", "none") else "required"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}


def _named(name: str, custom: set[str]) -> dict[str, Any]:
    kind = "custom" if name in custom else "function"
    return {"type": kind, kind: {"name": name}}


def write_format(format: Format) -> dict[str, Any]:
    """`response_format`."""
    if format.kind == "json_object":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": format.name or UNNAMED_SCHEMA}
    if format.description:
        schema["description"] = format.description
    if format.schema:
        schema["schema"] = msgspec.Raw(format.schema)
    if format.strict is not None:
        schema["strict"] = format.strict
    return {"type": "json_schema", "json_schema": schema}


def write_reasoning(reasoning: Reasoning, traits: Traits, losses: Losses) -> dict[str, Any]:
    """How much to think, in the way that the model is told: `reasoning_effort`, or `thinking` with a budget or only
    on or off."""
    how = traits.capabilities.thinking
    off = reasoning.enabled is False or reasoning.budget == 0 or reasoning.effort == "none"
    if reasoning.summary:
        losses.add("reasoning.summary")
    if how in ("effort", "level", "adaptive"):
        return {"reasoning_effort": "none" if off else effort(reasoning)}
    if how in ("budget", "flag"):
        if off:
            return {"thinking": {"type": "disabled"}}
        budget = reasoning.budget if reasoning.budget is not None else budget_of(reasoning.effort)
        if how == "budget" and budget is not None and budget > 0:
            return {"thinking": {"type": "enabled", "budget_tokens": budget}}
        return {"thinking": {"type": "enabled"}}
    losses.add("reasoning")
    return {}


def effort(reasoning: Reasoning) -> str:
    """The word; where it is only told that there is to be thinking, the one in the middle."""
    return reasoning.effort or effort_of(-1 if reasoning.budget is None else reasoning.budget)


def _write_extra(extra: dict[str, bytes], body: dict[str, Any], losses: Losses) -> None:
    for name, raw in extra.items():
        own = name.removeprefix(_OWN) if name.startswith(_OWN) else name if name in _EXTRA else ""
        if own and own not in body and "[" not in own:  # what stood in a message or a tool may stand elsewhere now
            body[own] = msgspec.Raw(raw)
        else:
            losses.add(name)
