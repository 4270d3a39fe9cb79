"""A request made to fit a model: what the model cannot do is taken out, and named.

What is asked for and would be so anyway is no loss and is not named: one answer, a temperature of 1, no penalty, a
bound beyond what the model can write, no thinking of a model that does not think, one tool call at a time of a model
that never calls two. Calls and results of tools in what was said before stay: they are what was said.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Format, Message, Reasoning, Text, Tool, ToolChoice
from encke.core.traits import ANYTHING, Capabilities
from encke.dialects.effort import effort_of, nearest
from encke.dialects.fit_messages import fit_messages, instruct
from encke.dialects.losses import Losses

# Fields that stand or fall together, the capability that they need, and a value that says no more than nothing does.
_FIELDS: Final[tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]] = (
    ("sampling", (("temperature", 1), ("top_p", 1), ("top_k", None))),
    ("penalties", (("presence_penalty", 0), ("frequency_penalty", 0))),
    ("stop", (("stop", ()),)),
    ("n", (("n", 1),)),
    ("seed", (("seed", None),)),
    ("logprobs", (("logprobs", False), ("top_logprobs", 0))),
)
# Of the fields above, those without which there is nothing but an empty one.
_EMPTY: Final[dict[str, Any]] = {"stop": ()}
# Extra fields that need a capability.
_EXTRA: Final = {"logit_bias": "penalties"}

# How a model is told of the form of an answer that it cannot be held to.
_ANY_OBJECT: Final = "Answer with one JSON object and nothing else."
_THIS_OBJECT: Final = "Answer with one JSON value and nothing else, valid against this JSON schema:\n"


def fit(request: ChatRequest, capabilities: Capabilities) -> tuple[ChatRequest, tuple[str, ...]]:
    """The request as the model can take it, and the hub's names of what was taken out or changed; linear."""
    if capabilities == ANYTHING:
        return request, ()
    losses = Losses()
    changes: dict[str, Any] = {}
    messages = fit_messages(request.messages, capabilities, losses)
    if request.format is not None:
        messages = _format(request.format, messages, capabilities, changes, losses)
    if messages is not request.messages:
        changes["messages"] = messages
    reasoning = request.reasoning
    if reasoning is not None:
        reasoning = _reasoning(reasoning, capabilities, losses)
        if reasoning != request.reasoning:
            changes["reasoning"] = reasoning
    _fields(request, reasoning, capabilities, changes, losses)
    _tools(request, capabilities, changes, losses)
    most = capabilities.max_output
    if most and request.max_tokens is not None and request.max_tokens > most:
        changes["max_tokens"] = most
    return (msgspec.structs.replace(request, **changes) if changes else request), losses.all()


def _fields(
    request: ChatRequest,
    reasoning: Reasoning | None,
    capabilities: Capabilities,
    changes: dict[str, Any],
    losses: Losses,
) -> None:
    """`reasoning` is what has become of the wish: a model that cannot be told not to think thinks all the same."""
    for capability, fields in _FIELDS:
        if getattr(capabilities, capability) and (capability != "sampling" or _may_sample(reasoning, capabilities)):
            continue
        for name, nothing in fields:
            value = getattr(request, name)
            empty = _EMPTY.get(name)
            if value != empty:
                changes[name] = empty
                if value != nothing or nothing is None:
                    losses.add(name)
    gone = [name for name in request.extra if name in _EXTRA and not getattr(capabilities, _EXTRA[name])]
    for name in gone:
        losses.add(name)
    if gone:
        changes["extra"] = {name: raw for name, raw in request.extra.items() if name not in gone}


def _may_sample(wish: Reasoning | None, capabilities: Capabilities) -> bool:
    thinks = wish is not None and not _is_off(wish) and bool(capabilities.thinking)
    return capabilities.sampling_thinking or not thinks


def _tools(request: ChatRequest, capabilities: Capabilities, changes: dict[str, Any], losses: Losses) -> None:
    choice = request.tool_choice
    if not capabilities.tools:
        if request.tools:
            losses.add("tools")
        changes.update(tools=(), tool_choice=None, parallel_tools=None)
        return
    if not capabilities.forced_tools and choice is not None and choice.mode in ("required", "function"):
        losses.add("tool_choice")
        changes["tool_choice"] = ToolChoice("auto")
    if not capabilities.parallel_tools and request.parallel_tools is not None:
        changes["parallel_tools"] = None
    strict, marks = capabilities.strict_tools, capabilities.cache_marks
    if strict and marks:
        return
    tools = [
        _tool(tool, f"tools[{at}]", strict, marks, losses) if isinstance(tool, Tool) else tool
        for at, tool in enumerate(request.tools)
    ]
    if any(new is not old for new, old in zip(tools, request.tools, strict=True)):
        changes["tools"] = tuple(tools)


def _tool(tool: Tool, path: str, strict: bool, marks: bool, losses: Losses) -> Tool:
    told, cache = tool.strict, tool.cache
    if not strict and told is not None:
        if told:
            losses.add(f"{path}.strict")
        told = None
    if not marks and cache is not None:
        losses.add(f"{path}.cache")
        cache = None
    if told == tool.strict and cache == tool.cache:
        return tool
    return msgspec.structs.replace(tool, strict=told, cache=cache)


def _format(
    format: Format,
    messages: tuple[Message, ...],
    capabilities: Capabilities,
    changes: dict[str, Any],
    losses: Losses,
) -> tuple[Message, ...]:
    """A schema becomes any object, and the model is asked for the rest in words."""
    schema = format.kind == "json_schema"
    if schema and (capabilities.json_schema or capabilities.schema_by_tool):
        return messages
    if not schema and capabilities.json_object:
        return messages
    losses.add("format")
    changes["format"] = Format("json_object") if schema and capabilities.json_object else None
    words = _THIS_OBJECT + format.schema.decode("utf-8", "replace") if schema and format.schema else _ANY_OBJECT
    return instruct(messages, Text(words), capabilities)


def _reasoning(reasoning: Reasoning, capabilities: Capabilities, losses: Losses) -> Reasoning | None:
    """In words that the model knows. One that does not think loses what was wished; one that always does, a wish that
    it should not."""
    off = _is_off(reasoning)
    if not capabilities.thinking:
        if not off:
            losses.add("reasoning")
        return None
    efforts = capabilities.efforts
    if not efforts or capabilities.thinking == "flag":
        return reasoning
    asked = "none" if off else reasoning.effort
    if not asked and capabilities.thinking == "budget":
        return reasoning
    if not asked and reasoning.budget is not None:
        asked = effort_of(reasoning.budget)
    if not asked:  # only that it may: which word is left to whoever writes it, if the usual one is known
        found = nearest("medium", efforts)
        return reasoning if found in ("", "medium") else Reasoning(found, None, True, reasoning.summary)
    found = nearest(asked, efforts)
    if found == asked or not found:
        return reasoning
    losses.add("reasoning")
    return Reasoning(found, None, True, reasoning.summary)


def _is_off(reasoning: Reasoning) -> bool:
    return reasoning.enabled is False or reasoning.budget == 0 or reasoning.effort == "none"
