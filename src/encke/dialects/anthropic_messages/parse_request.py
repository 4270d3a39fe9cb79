"""A caller's request, into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Format, Message, Part, Reasoning, Text, Tool, ToolChoice, ToolResult
from encke.dialects.anthropic_messages.block_wire import FormatIn, ThinkingConfig, ToolChoiceIn, ToolDefinition
from encke.dialects.anthropic_messages.block_wire import Message as MessageIn
from encke.dialects.anthropic_messages.names import ORIGIN, TIERS
from encke.dialects.anthropic_messages.parse import max_tokens
from encke.dialects.anthropic_messages.parse_blocks import Blocks, ttl
from encke.dialects.effort import checked
from encke.dialects.request import Request
from encke.dialects.results import joined
from encke.dialects.typed import check_depth, invalid, is_set, missing, read, read_list, read_map, read_string, unknown

_messages: Final = msgspec.json.Decoder(list[MessageIn])
_tool: Final = msgspec.json.Decoder(ToolDefinition)
_choice: Final = msgspec.json.Decoder(ToolChoiceIn)
_config: Final = msgspec.json.Decoder(ThinkingConfig)
_format: Final = msgspec.json.Decoder(FormatIn)
_number: Final = msgspec.json.Decoder(float)
_int: Final = msgspec.json.Decoder(int)
_strings: Final = msgspec.json.Decoder(list[str])

_TAKEN: Final = frozenset(
    {
        "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format",
        "stop_sequences", "temperature", "top_p", "top_k", "metadata", "max_tokens", "stream", "service_tier",
    }
)  # fmt: skip
_THINKING_FIELDS: Final = frozenset({"type", "budget_tokens", "display"})
_TOOL_FIELDS: Final = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})


def parse_hub(request: Request) -> ChatRequest:
    """The whole request. Raises Fault with `param` the path of what is wrong."""
    check_depth(request.data)
    body = {name: raw for name, raw in request.body.items() if is_set(raw)}
    blocks = Blocks(places=request.places)
    messages = _system(body, blocks)
    said: list[MessageIn] = read(request.body["messages"], _messages, "messages")
    for index, one in enumerate(said):
        _add_message(messages, one, f"messages[{index}]", blocks)
    extra = {f"{ORIGIN}.{name}": bytes(raw) for name, raw in body.items() if name not in _TAKEN}
    tools = _tools(body, extra)
    choice, parallel = _tool_choice(body)
    output = read_map(body["output_config"], "output_config") if "output_config" in body else {}
    reasoning = _reasoning(body, output, extra)
    for name, raw in output.items():
        if name not in ("effort", "format") and is_set(raw):
            extra[f"{ORIGIN}.output_config.{name}"] = bytes(raw)
    if "service_tier" in body:
        tier = read_string(body["service_tier"], "service_tier")
        extra["service_tier"] = msgspec.json.encode(TIERS.get(tier, tier))
    user = _user(body, extra)
    extra.update(blocks.lost)
    return ChatRequest(
        model=request.model,
        messages=tuple(joined(messages)),
        tools=tools,
        tool_choice=choice,
        parallel_tools=parallel,
        format=_format_of(body, output),
        reasoning=reasoning,
        max_tokens=max_tokens(body["max_tokens"]) if "max_tokens" in body else None,
        temperature=_float(body, "temperature"),
        top_p=_float(body, "top_p"),
        top_k=read(body["top_k"], _int, "top_k") if "top_k" in body else None,
        stop=_stop(body),
        user=user,
        stream=request.stream,
        extra=extra,
    )


def _float(body: dict[str, msgspec.Raw], name: str) -> float | None:
    return read(body[name], _number, name) if name in body else None


def _stop(body: dict[str, msgspec.Raw]) -> tuple[str, ...]:
    if "stop_sequences" not in body:
        return ()
    found: list[str] = read(body["stop_sequences"], _strings, "stop_sequences")
    return tuple(found)


def _system(body: dict[str, msgspec.Raw], blocks: Blocks) -> list[Message]:
    if "system" not in body:
        return []
    parts = blocks.content(body["system"], "system", "system")
    for index, part in enumerate(parts):
        if not isinstance(part, Text):
            raise invalid(f"system[{index}].type", "must be `text`")
    return [Message("system", tuple(parts))] if parts else []


def _add_message(messages: list[Message], one: MessageIn, path: str, blocks: Blocks) -> None:
    """Add what a message says: what tools gave is of another role than what the user says beside it."""
    role = one.role
    if role == "assistant":
        messages.append(Message("assistant", tuple(blocks.content(one.content, role, f"{path}.content"))))
        return
    if role == "system":
        parts = blocks.content(one.content, role, f"{path}.content")
        # Changes of tools stand in such messages, too: no other dialect has them.
        plain = all(isinstance(part, Text) for part in parts)
        messages.append(Message("system" if plain else "user", tuple(parts)))
        return
    if role != "user":
        raise invalid(f"{path}.role", f"must be `user`, `assistant` or `system`, not `{role[:40]}`")
    said: list[Part] = []
    parts = blocks.content(one.content, role, f"{path}.content")
    for part in parts:
        if not isinstance(part, ToolResult):
            said.append(part)
            continue
        if said:
            messages.append(Message("user", tuple(said)))
            said = []
        messages.append(Message("tool", (part,)))
    if said or not parts:
        messages.append(Message("user", tuple(said)))


def _tools(body: dict[str, msgspec.Raw], extra: dict[str, bytes]) -> tuple[Tool | Foreign, ...]:
    found: list[Tool | Foreign] = []
    for index, raw in enumerate(read_list(body["tools"], "tools") if "tools" in body else ()):
        path = f"tools[{index}]"
        fields = read_map(raw, path)
        kind = read_string(fields["type"], f"{path}.type") if is_set(fields.get("type")) else "custom"
        if kind != "custom":
            found.append(Foreign(ORIGIN, kind, bytes(raw)))
            continue
        tool = read(raw, _tool, path)
        if not is_set(tool.input_schema):
            raise missing(f"{path}.input_schema")
        if bytes(tool.input_schema)[:1] != b"{":
            raise invalid(f"{path}.input_schema", "must be an object")
        found.append(
            Tool(
                tool.name,
                description=tool.description or "",
                parameters=bytes(tool.input_schema),
                strict=tool.strict,
                cache=ttl(tool.cache_control),
            )
        )
        for name, value in fields.items():
            if name not in _TOOL_FIELDS and is_set(value):
                extra[f"{ORIGIN}.{path}.{name}"] = bytes(value)
    return tuple(found)


def _tool_choice(body: dict[str, msgspec.Raw]) -> tuple[ToolChoice | None, bool | None]:
    if "tool_choice" not in body:
        return None, None
    wire = read(body["tool_choice"], _choice, "tool_choice")
    parallel = None if wire.disable_parallel_tool_use is None else not wire.disable_parallel_tool_use
    if wire.type == "tool":
        if not wire.name:
            raise missing("tool_choice.name")
        return ToolChoice("function", (wire.name,)), parallel
    if wire.type == "any":
        return ToolChoice("required"), parallel
    if wire.type == "none":
        return ToolChoice("none"), parallel
    if wire.type == "auto":
        return ToolChoice("auto"), parallel
    raise unknown("tool_choice.type", wire.type, ("auto", "any", "tool", "none"))


def _reasoning(
    body: dict[str, msgspec.Raw], output: dict[str, msgspec.Raw], extra: dict[str, bytes]
) -> Reasoning | None:
    """How much to think. Without thinking, effort is a matter of this dialect's alone."""
    path = "output_config.effort"
    effort = checked(read_string(output["effort"], path), path) if is_set(output.get("effort")) else ""
    if "thinking" not in body:
        return Reasoning(effort=effort) if effort else None
    wire = read(body["thinking"], _config, "thinking")
    for name, raw in read_map(body["thinking"], "thinking").items():
        if name not in _THINKING_FIELDS and is_set(raw):
            extra[f"{ORIGIN}.thinking.{name}"] = bytes(raw)
    if wire.type in ("disabled", "between_tools"):
        if effort:
            extra[f"{ORIGIN}.output_config.effort"] = bytes(output["effort"])
        if wire.type == "between_tools":
            extra[f"{ORIGIN}.thinking.type"] = b'"between_tools"'
        return Reasoning(enabled=False)
    summary = "auto" if wire.display == "summarized" else ""
    if wire.type == "enabled":
        if wire.budget_tokens is None:
            raise missing("thinking.budget_tokens")
        if wire.budget_tokens < 1:
            raise invalid("thinking.budget_tokens", f"must be 1024 or more, not {wire.budget_tokens}")
        return Reasoning(effort=effort, budget=wire.budget_tokens, enabled=True, summary=summary)
    if wire.type == "adaptive":
        return Reasoning(effort=effort, enabled=None if effort else True, summary=summary)
    raise invalid("thinking.type", "must be `enabled`, `disabled` or `adaptive`")


def _format_of(body: dict[str, msgspec.Raw], output: dict[str, msgspec.Raw]) -> Format | None:
    """The form of the answer; `output_format` is where it stood while it was a beta."""
    for raw, path in ((output.get("format"), "output_config.format"), (body.get("output_format"), "output_format")):
        if raw is None or not is_set(raw):
            continue
        wire = read(raw, _format, path)
        if wire.type != "json_schema":
            raise invalid(f"{path}.type", "must be `json_schema`")
        if bytes(wire.schema)[:1] != b"{":
            raise invalid(f"{path}.schema", "must be an object")
        return Format("json_schema", schema=bytes(wire.schema))
    return None


def _user(body: dict[str, msgspec.Raw], extra: dict[str, bytes]) -> str:
    if "metadata" not in body:
        return ""
    fields = read_map(body["metadata"], "metadata")
    for name, raw in fields.items():
        if name != "user_id" and is_set(raw):
            extra[f"{ORIGIN}.metadata.{name}"] = bytes(raw)
    return read_string(fields["user_id"], "metadata.user_id") if is_set(fields.get("user_id")) else ""
