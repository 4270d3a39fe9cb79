"""A chat request from the hub onto Mistral's wire, which refuses with 422 what it does not know.

Source: ChatCompletionRequest of Mistral's client-python, docs.mistral.ai/api, and the recordings.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Reasoning, Tool, ToolChoice
from encke.core.traits import Traits
from encke.dialects.effort import effort_of
from encke.dialects.losses import Losses
from encke.dialects.mistral_chat.messages import ORIGIN, MistralMessages
from encke.dialects.openai_chat.parts import ORIGIN as OPENAI
from encke.dialects.openai_chat.render_request import write_format, write_tool
from encke.dialects.port import Rendered

_encode: Final = msgspec.json.Encoder().encode
_SAME: Final = (
    "temperature", "top_p", "top_k", "n", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs",
)  # fmt: skip
_SHARED: Final = frozenset({"metadata", "prompt_cache_key", "prediction"})
_OWN: Final = frozenset(
    {
        "safe_prompt", "prompt_mode", "min_tokens", "guardrails", "repetition_penalty", "prompt_logprobs",
        "top_prompt_logprobs",
    }
)  # fmt: skip
_TIERS: Final = {b'"auto"': "auto", b'"priority"': "auto", b'"default"': "standard_only"}
_USUAL: Final = "high"
_OWNERS: Final = (ORIGIN + ".", OPENAI + ".")


def render_mistral(request: ChatRequest, model: str, traits: Traits) -> Rendered:
    """The request, and what of it has no place on this wire."""
    losses = Losses()
    writer = MistralMessages(losses, traits)
    for at, message in enumerate(request.messages):
        writer.write(message, f"messages[{at}]")
    if writer.written and writer.written[-1]["role"] == "assistant" and "tool_calls" not in writer.written[-1]:
        writer.written[-1]["prefix"] = True
    body: dict[str, Any] = {"model": model, "messages": writer.written}
    _write_tools(request, body, losses, writer)
    for name in _SAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.seed is not None:
        body["random_seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.user:
        losses.add("user")
    if request.format is not None:
        body["response_format"] = write_format(request.format)
    if request.reasoning is not None:
        _write_reasoning(request.reasoning, traits, body, losses)
    _write_extra(request.extra, body, losses)
    if request.stream:
        body["stream"] = True
    return Rendered(_encode(body), losses.all())


def _write_tools(request: ChatRequest, body: dict[str, Any], losses: Losses, writer: MistralMessages) -> None:
    choice = request.tool_choice
    tools: list[Any] = []
    for at, tool in enumerate(request.tools):
        path = f"tools[{at}]"
        if isinstance(tool, Foreign) or tool.custom:
            if isinstance(tool, Foreign) and tool.origin == ORIGIN:
                tools.append(msgspec.Raw(tool.raw))
            else:
                losses.add(path)
        elif _is_allowed(tool, choice):
            tools.append(write_tool(tool, path, losses, writer.parts))
    if not tools:
        if choice is not None:
            losses.add("tool_choice")
        if request.parallel_tools is not None:
            losses.add("parallel_tools")
        return
    body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = _choice(choice)
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _is_allowed(tool: Tool, choice: ToolChoice | None) -> bool:
    """Where only some tools are allowed, only they are told: there is no other word for it."""
    return choice is None or not choice.names or choice.mode == "function" or tool.name in choice.names


def _choice(choice: ToolChoice) -> Any:
    if choice.mode == "function" and len(choice.names) == 1:
        return {"type": "function", "function": {"name": choice.names[0]}}
    return "any" if choice.mode in ("required", "function") else choice.mode


def _write_reasoning(reasoning: Reasoning, traits: Traits, body: dict[str, Any], losses: Losses) -> None:
    """By OpenAI's words; where it is only told that there is to be thinking, with the one that all its models know."""
    if not traits.capabilities.thinking:
        losses.add("reasoning")
        return
    off = reasoning.enabled is False or reasoning.budget == 0 or reasoning.effort == "none"
    body["reasoning_effort"] = "none" if off else _effort(reasoning)
    if reasoning.summary:
        losses.add("reasoning.summary")


def _effort(reasoning: Reasoning) -> str:
    if reasoning.effort or reasoning.budget is None:
        return reasoning.effort or _USUAL
    return effort_of(reasoning.budget) if reasoning.budget > 0 else _USUAL


def _write_extra(extra: dict[str, bytes], body: dict[str, Any], losses: Losses) -> None:
    for name, raw in extra.items():
        if name == "service_tier" and raw in _TIERS:
            body[name] = _TIERS[raw]
            continue
        own = name
        for owner in _OWNERS:
            own = own.removeprefix(owner)
        if own not in body and (name in _SHARED or (own != name and own in _OWN)):
            body[own] = msgspec.Raw(raw)
        else:
            losses.add(name)
