"""A whole chat request into the hub."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Format, Reasoning
from encke.dialects.body import opener
from encke.dialects.effort import checked
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.openai_chat.bounds import output_limit
from encke.dialects.openai_chat.messages import read_messages
from encke.dialects.openai_chat.parts import ORIGIN
from encke.dialects.openai_chat.tools import read_choice, read_tools
from encke.dialects.request import Body, Request
from encke.dialects.strays import Strays
from encke.dialects.typed import check_depth, invalid, is_set, missing, read, read_list, read_string

# What OpenAI's requests hold that the hub has no place for, in chat or in responses: known by these names everywhere.
OPENAI_FIELDS: Final = frozenset(
    {
        "metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
        "safety_identifier", "verbosity", "logit_bias", "modalities", "audio", "prediction", "web_search_options",
        "moderation", "background", "conversation", "include", "max_tool_calls", "previous_response_id", "prompt",
        "truncation", "context_management",
    }
)  # fmt: skip
# What a nameless schema is called, where the wire wants a name; reading it back gives none.
UNNAMED_SCHEMA: Final = "response"

_float: Final = msgspec.json.Decoder(float | None)
_int: Final = msgspec.json.Decoder(int | None)
_flag: Final = msgspec.json.Decoder(bool | None)
_format: Final = msgspec.json.Decoder(wire.ResponseFormat)
_reasoning: Final = msgspec.json.Decoder(wire.ReasoningField)
_thinking: Final = msgspec.json.Decoder(wire.ThinkingField)

_FLOATS: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_INTS: Final = ("top_k", "seed")
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_READ: Final = frozenset(
    {
        *_FLOATS, *_INTS, *_LIMITS, "model", "messages", "tools", "functions", "tool_choice", "function_call",
        "parallel_tool_calls", "response_format", "reasoning_effort", "reasoning", "thinking", "enable_thinking",
        "thinking_budget", "stop", "n", "logprobs", "top_logprobs", "user", "stream", "stream_options",
    }
)  # fmt: skip
MOST: Final = 1 << 53


def read_chat(request: Request) -> ChatRequest:
    """The request. Raises Fault with `param`, the path of what is wrong."""
    check_depth(request.data)
    body = request.body
    fields: dict[str, Any] = {name: read(body[name], _float, name) for name in _FLOATS if name in body}
    for name in _INTS:
        if name in body:
            fields[name] = read(body[name], _int, name)
    for name in _LIMITS:
        _at_least(0, body, name)  # some write 0 for no limit
    wanted, top = _read_logprobs(body)
    messages, lost = read_messages(body["messages"], request.places)
    strays = Strays(ORIGIN)
    tools = read_tools(body, strays)
    return ChatRequest(
        model=request.model,
        messages=messages,
        tools=tools,
        tool_choice=read_choice(body),
        parallel_tools=_read_parallel(body),
        format=_read_format(body),
        reasoning=_read_reasoning(body),
        max_tokens=request.output_limit or output_limit(body),
        stop=_read_stop(body),
        n=_at_least(1, body, "n"),
        logprobs=wanted,
        top_logprobs=top,
        user=read_string(body["user"], "user") if is_set(body.get("user")) else "",
        stream=request.stream,
        extra={**_extra(body), **lost, **strays.lost},
        **fields,
    )


def _extra(body: Body) -> dict[str, bytes]:
    return {
        name if name in OPENAI_FIELDS else f"{ORIGIN}.{name}": bytes(raw)
        for name, raw in body.items()
        if name not in _READ and is_set(raw)
    }


def _at_least(least: int, body: Body, name: str) -> int | None:
    if name not in body:
        return None
    found: int | None = read(body[name], _int, name)
    if found is not None and not least <= found < MOST:
        raise invalid(name, f"must be {least} or more, not {found}")
    return found


def _read_flag(body: Body, name: str) -> bool | None:
    return read(body[name], _flag, name) if name in body else None


def _read_parallel(body: Body) -> bool | None:
    told = _read_flag(body, "parallel_tool_calls")
    if told is None and is_legacy(body):
        return False  # an answer has room for one
    return told


def is_legacy(body: Body) -> bool:
    """Whether tools are asked for in the older way, and calls are expected in it."""
    return is_set(body.get("functions")) and not is_set(body.get("tools"))


def wants_thoughts(body: Body) -> bool:
    """Whether the caller wants to see what was thought: all do, but who has OpenRouter's switch set."""
    raw = body.get("reasoning")
    if raw is None or opener(raw) != b"{":
        return True
    try:
        return not _reasoning.decode(raw).exclude
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return True


def _read_logprobs(body: Body) -> tuple[bool | None, int | None]:
    top = _at_least(0, body, "top_logprobs")
    raw = body.get("logprobs")
    if raw is None or opener(raw) in (b"t", b"f", b"n"):
        return _read_flag(body, "logprobs"), top
    count = _at_least(0, body, "logprobs")  # Together's, as in the older completions
    return bool(count), top if top is not None else count


def _read_stop(body: Body) -> tuple[str, ...]:
    raw = body.get("stop")
    if raw is None or not is_set(raw):
        return ()
    if opener(raw) == b'"':
        return (read_string(raw, "stop"),)
    return tuple(read_string(item, f"stop[{at}]") for at, item in enumerate(read_list(raw, "stop")))


def _read_format(body: Body) -> Format | None:
    raw = body.get("response_format")
    if raw is None or not is_set(raw):
        return None
    found = read(raw, _format, "response_format")
    if found.type == "text":
        return None
    if found.type not in ("json_object", "json_schema"):
        raise invalid("response_format.type", "must be `text`, `json_object` or `json_schema`")
    schema = found.json_schema
    if schema is None and is_set(found.schema):
        schema = wire.JsonSchema(schema=found.schema)
    elif found.type == "json_object":
        return Format("json_object")
    if schema is None:
        raise missing("response_format.json_schema")
    if is_set(schema.schema) and opener(schema.schema) != b"{":
        raise invalid("response_format.json_schema.schema", "must be a JSON schema, which is an object")
    name = schema.name if schema.name and schema.name != UNNAMED_SCHEMA else ""
    held = bytes(schema.schema) if is_set(schema.schema) else b""
    return Format("json_schema", held, name, schema.description or "", schema.strict)


def _read_reasoning(body: Body) -> Reasoning | None:
    """`reasoning_effort`, OpenRouter's `reasoning`, `thinking` as many have it, `enable_thinking` and
    `thinking_budget` (Alibaba): who writes several means the same."""
    effort, budget, enabled = "", None, None
    if is_set(body.get("reasoning_effort")):
        effort = read_string(body["reasoning_effort"], "reasoning_effort")
        effort = checked(effort, "reasoning_effort")
    if is_set(body.get("reasoning")):
        told = read(body["reasoning"], _reasoning, "reasoning")
        effort = effort or checked(told.effort or "", "reasoning.effort")
        budget, enabled = told.max_tokens, told.enabled
    if is_set(body.get("thinking")):
        thinking = read(body["thinking"], _thinking, "thinking")
        budget = budget if thinking.budget_tokens is None else thinking.budget_tokens
        if thinking.type is not None:
            enabled = thinking.type != "disabled"
    if "enable_thinking" in body:
        enabled = _read_flag(body, "enable_thinking") if enabled is None else enabled
    if "thinking_budget" in body:
        budget = read(body["thinking_budget"], _int, "thinking_budget") if budget is None else budget
    if not effort and budget is None and enabled is None:
        return None
    return Reasoning(effort, budget, enabled)
