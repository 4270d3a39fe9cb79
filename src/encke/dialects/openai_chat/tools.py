"""Tools, and which of them are to be called, into the hub."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from encke.core.chat import Foreign, Tool, ToolChoice
from encke.dialects.body import opener
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.openai_chat.parts import ORIGIN, cache_of
from encke.dialects.request import Body
from encke.dialects.strays import Strays
from encke.dialects.typed import invalid, is_set, missing, read, read_list, read_map, read_string

_tool: Final = msgspec.json.Decoder(wire.Tool)
_strict: Final = msgspec.json.Decoder(wire.StrictTool)
_strict_function: Final = msgspec.json.Decoder(wire.StrictFunction)
_function: Final = msgspec.json.Decoder(wire.ToolFunction)
_choice: Final = msgspec.json.Decoder(wire.Choice)
_named: Final = msgspec.json.Decoder(wire.Named)

_MODES: Final[dict[str, Literal["auto", "none", "required"]]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's word, which some callers send everywhere
}


def read_tools(body: Body, strays: Strays) -> tuple[Tool | Foreign, ...]:
    """`tools`, and the older `functions`. Raises Fault."""
    tools: list[Tool | Foreign] = []
    if is_set(body.get("tools")):
        for at, raw in enumerate(read_list(body["tools"], "tools")):
            tools.append(_read_tool(raw, f"tools[{at}]", strays))
    if is_set(body.get("functions")):
        for at, raw in enumerate(read_list(body["functions"], "functions")):
            function = read(raw, _function, f"functions[{at}]")
            tools.append(_of(function, f"functions[{at}]", None))
    return tuple(tools)


def _read_tool(raw: msgspec.Raw, path: str, strays: Strays) -> Tool | Foreign:
    before = len(strays.lost)
    tool = strays.read(raw, _strict, _tool, path)
    if tool.type == "function":
        if tool.function is None:
            raise missing(f"{path}.function")
        if not isinstance(tool, wire.StrictTool):
            strays.read(read_map(raw, path)["function"], _strict_function, _function, f"{path}.function")
        cache = tool.cache_control
        return _of(tool.function, f"{path}.function", cache if len(cache) > 4 else None)
    if tool.type == "custom" and tool.custom is not None:
        grammar = bytes(tool.custom.format) if is_set(tool.custom.format) else b""
        mark = cache_of(tool.cache_control, b"", path)
        return Tool(tool.custom.name, tool.custom.description or "", custom=True, grammar=grammar, cache=mark)
    strays.forget(before)
    return Foreign(ORIGIN, tool.type, bytes(raw))


def _of(function: wire.ToolFunction, path: str, cache: msgspec.Raw | None) -> Tool:
    if not function.name:
        raise invalid(f"{path}.name", "must not be empty")
    parameters = b""
    if is_set(function.parameters):
        if opener(function.parameters) != b"{":
            raise invalid(f"{path}.parameters", "must be a JSON schema, which is an object")
        parameters = bytes(function.parameters)
    mark = cache_of(cache, b"", path) if cache is not None else None
    return Tool(function.name, function.description or "", parameters, function.strict, cache=mark)


def read_choice(body: Body) -> ToolChoice | None:
    """`tool_choice`, or the older `function_call`. Raises Fault."""
    raw = body.get("tool_choice")
    if raw is None or not is_set(raw):
        return _read_function_call(body)
    if opener(raw) == b'"':
        word = read_string(raw, "tool_choice")
        if word not in _MODES:
            raise invalid("tool_choice", f"must be `auto`, `none`, `required` or an object, not `{word[:64]}`")
        return ToolChoice(_MODES[word])
    choice = read(raw, _choice, "tool_choice")
    if choice.type == "allowed_tools":
        allowed = choice.allowed_tools
        if allowed is None:
            raise missing("tool_choice.allowed_tools")
        if allowed.mode not in ("auto", "required"):
            raise invalid("tool_choice.allowed_tools.mode", "must be `auto` or `required`")
        names = tuple(named.name for tool in allowed.tools if (named := tool.function or tool.custom) is not None)
        return ToolChoice(_MODES[allowed.mode], names)
    if choice.type in ("function", "custom"):
        named = choice.function if choice.type == "function" else choice.custom
        if named is None:
            raise missing(f"tool_choice.{choice.type}")
        return ToolChoice("function", (named.name,))
    raise invalid("tool_choice.type", "must be `function`, `custom` or `allowed_tools`")


def _read_function_call(body: Body) -> ToolChoice | None:
    raw = body.get("function_call")
    if raw is None or not is_set(raw):
        return None
    if opener(raw) != b'"':
        return ToolChoice("function", (read(raw, _named, "function_call").name,))
    word = read_string(raw, "function_call")
    if word not in ("auto", "none"):
        raise invalid("function_call", "must be `auto`, `none` or an object with a name")
    return ToolChoice(_MODES[word])
