"""Tools, and which of them are to be called: from this wire into the hub, and back."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from encke.core.chat import Foreign, Tool, ToolChoice
from encke.core.faults import Fault
from encke.dialects.body import opener
from encke.dialects.losses import Losses
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.wire import NAME
from encke.dialects.strays import Strays
from encke.dialects.typed import invalid, is_set, missing, read, read_string

_tool: Final = msgspec.json.Decoder(wire.Tool)
_strict: Final = msgspec.json.Decoder(wire.StrictTool)
_typed: Final = msgspec.json.Decoder(wire.Typed)
_choice: Final = msgspec.json.Decoder(wire.Choice)
_grammar: Final = msgspec.json.Decoder(wire.Grammar)
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode

_MODES: Final[dict[str, Literal["auto", "none", "required"]]] = {
    "auto": "auto", "none": "none", "required": "required",
}  # fmt: skip


def read_tool(raw: msgspec.Raw, path: str, strays: Strays) -> Tool | Foreign:
    """A tool. Raises Fault."""
    kind = read(raw, _typed, path).type
    if kind is None:
        raise missing(f"{path}.type")
    if kind not in ("function", "custom"):
        return Foreign(NAME, kind, bytes(raw))
    tool = strays.read(raw, _strict, _tool, path)
    if not tool.name:
        raise missing(f"{path}.name")
    if kind == "custom":
        grammar = _nested(tool.format, f"{path}.format") if is_set(tool.format) else b""
        return Tool(tool.name, tool.description or "", custom=True, grammar=grammar)
    parameters = b""
    if is_set(tool.parameters):
        if opener(tool.parameters) != b"{":
            raise invalid(f"{path}.parameters", "must be a JSON schema, which is an object")
        parameters = bytes(tool.parameters)
    return Tool(tool.name, tool.description or "", parameters, tool.strict)


def _nested(raw: msgspec.Raw, path: str) -> bytes:
    """A custom tool's format in the hub's form, which is chat's: what a grammar is stands in an object."""
    found = read(raw, _grammar, path)
    if found.type != "grammar" or is_set(found.grammar):
        return bytes(raw)
    return _encode({"type": "grammar", "grammar": {"syntax": found.syntax, "definition": found.definition}})


def _flat(grammar: bytes) -> msgspec.Raw:
    """The other way."""
    try:
        found = _grammar.decode(grammar)
        inner = _map.decode(found.grammar) if is_set(found.grammar) else None
    except (msgspec.DecodeError, RecursionError):
        inner = None
    return msgspec.Raw(grammar if inner is None else _encode({"type": "grammar", **inner}))


def read_choice(raw: msgspec.Raw | None) -> ToolChoice | None:
    """`tool_choice`. Raises Fault."""
    if raw is None or not is_set(raw):
        return None
    if opener(raw) == b'"':
        word = read_string(raw, "tool_choice")
        if word not in _MODES:
            raise invalid("tool_choice", f"must be `auto`, `none`, `required` or an object, not `{word[:64]}`")
        return ToolChoice(_MODES[word])
    choice = read(raw, _choice, "tool_choice")
    if choice.type == "allowed_tools":
        if choice.mode not in ("auto", "required"):
            raise invalid("tool_choice.mode", "must be `auto` or `required`")
        allowed = choice.tools or []
        if not allowed:
            raise missing("tool_choice.tools")
        for tool in allowed:
            if not tool.name or tool.type not in ("function", "custom"):
                raise _foreign_choice(tool.type)
        return ToolChoice(_MODES[choice.mode], tuple(tool.name for tool in allowed if tool.name))
    if choice.type in ("function", "custom"):
        if not choice.name:
            raise missing("tool_choice.name")
        return ToolChoice("function", (choice.name,))
    raise _foreign_choice(choice.type)


def _foreign_choice(kind: str) -> Fault:
    return Fault(
        "unsupported_parameter",
        f"`tool_choice` asks for `{kind[:64]}`, a tool that only a provider of the Responses API runs. Choose a "
        "model of one, or another `tool_choice`.",
        param="tool_choice",
    )


def write_tool(tool: Tool | Foreign, path: str, losses: Losses) -> Any | None:
    """A tool; None for one that only another dialect knows."""
    if isinstance(tool, Foreign):
        if tool.origin == NAME:
            return msgspec.Raw(tool.raw)
        losses.add(path)
        return None
    if tool.cache is not None:
        losses.add(f"{path}.cache")
    made: dict[str, Any] = {"type": "custom" if tool.custom else "function", "name": tool.name}
    if tool.description:
        made["description"] = tool.description
    if tool.custom:
        if tool.grammar:
            made["format"] = _flat(tool.grammar)
        return made
    made["parameters"] = msgspec.Raw(tool.parameters) if tool.parameters else None
    # Where nothing is said this wire takes a schema for a strict one, which few are.
    made["strict"] = bool(tool.strict)
    return made


def write_choice(choice: ToolChoice, custom: set[str]) -> Any:
    """`tool_choice`. `custom` are the names of custom tools."""
    if not choice.names:
        return choice.mode if choice.mode != "function" else "required"
    if choice.mode == "none":
        return "none"
    named = [{"type": "custom" if name in custom else "function", "name": name} for name in choice.names]
    if choice.mode == "function" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "mode": "auto" if choice.mode == "auto" else "required", "tools": named}
