"""A whole request into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import (
    ChatRequest,
    Foreign,
    Format,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
)
from encke.core.faults import Fault
from encke.dialects.body import opener
from encke.dialects.google_generate.calls import Calls
from encke.dialects.google_generate.fields import Fields, decoded
from encke.dialects.google_generate.parse_parts import read_parts
from encke.dialects.google_generate.schema import read_schema
from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.places import Places
from encke.dialects.request import Request
from encke.dialects.results import joined
from encke.dialects.typed import check_depth, unknown

_MODES: Final = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_LEVELS: Final = ("THINKING_LEVEL_UNSPECIFIED", "LOW", "HIGH", "MEDIUM", "MINIMAL")
_DECLARATIONS: Final = "functionDeclarations"
_JSON: Final = "application/json"
_NOT_SAID: Final = frozenset({"model", "contents", "stream"})
_TIERS: Final = {"STANDARD": "default", "FLEX": "flex", "PRIORITY": "priority"}

_encode: Final = msgspec.json.Encoder().encode


def read_chat(request: Request) -> ChatRequest:
    """The request. Raises Fault with `param`, the path of what is wrong."""
    check_depth(request.data)
    return read_fields(Fields(request.data, ""), request.model, request.stream, request.output_limit, request.places)


def read_count(request: Request) -> ChatRequest:
    """What is to be counted: `generateContentRequest`, or `contents` alone. Raises Fault."""
    check_depth(request.data)
    body = Fields(request.data, "")
    return read_fields(body.inner("generateContentRequest") or body, request.model, False, 0)


def read_fields(body: Fields, model: str, stream: bool, limit: int, places: Places | None = None) -> ChatRequest:
    """See `read_chat`. `limit`: the gateway's own for the answer's length, 0 for none."""
    extra: dict[str, bytes] = {}
    calls = Calls()
    messages = (*_system(body, calls, places), *_messages(body, calls, places))
    tools = _tools(body, extra, places)
    choice = _choice(body, extra)
    config = body.inner("generationConfig") or Fields(b"{}", body.at("generationConfig"))
    reasoning = _reasoning(config)
    format = _format(config, extra)
    modalities = [one.lower() for one in config.strings("responseModalities")]
    if modalities not in ([], ["text"]):
        extra["modalities"] = _encode(modalities)
    tier = body.string("serviceTier")
    if tier:
        extra["service_tier"] = _encode(_TIERS.get(tier.upper(), tier))
    found = ChatRequest(
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=choice,
        format=format,
        reasoning=reasoning,
        max_tokens=limit or config.whole("maxOutputTokens", 1),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=config.whole("topK"),
        stop=config.strings("stopSequences"),
        n=config.whole("candidateCount", 1),
        seed=config.whole("seed"),
        presence_penalty=config.number("presencePenalty"),
        frequency_penalty=config.number("frequencyPenalty"),
        logprobs=config.flag("responseLogprobs"),
        top_logprobs=config.whole("logprobs", 0),
        stream=stream,
        extra=extra,
    )
    extra.update(calls.strays.lost)
    for name, raw in (*config.rest(), *body.rest()):
        if name not in _NOT_SAID:
            extra[f"{ORIGIN}.{name}"] = bytes(raw)
    return found


def _system(body: Fields, calls: Calls, places: Places | None) -> tuple[Message, ...]:
    """`systemInstruction`: a content, or a text."""
    raw = body.raw("systemInstruction")
    if raw is None:
        return ()
    path = body.at("systemInstruction")
    if opener(raw) == b'"':
        text = decoded(raw, path)
        parts: list[Part] = [Text(text)] if text else []
    else:
        parts = read_parts(Fields(raw, path), calls, model=False, places=places)
    for at, part in enumerate(parts):
        if not isinstance(part, Text):
            raise Fault("invalid_value", f"`{path}.parts[{at}]` must be a text.", param=f"{path}.parts[{at}]")
    return (Message("system", tuple(parts)),) if parts else ()


def _messages(body: Fields, calls: Calls, places: Places | None) -> list[Message]:
    messages: list[Message] = []
    for raw, path in body.items("contents"):
        if opener(raw) == b'"':  # the SDKs' short form, which Google itself does not take
            raise Fault("invalid_type", f"`{path}` must be an object with `parts`, not a string.", param=path)
        content = Fields(raw, path)
        role = content.string("role").lower()
        if role not in ("", "user", "model", "function"):
            raise unknown(f"{path}.role", role, ("user", "model"))
        parts = read_parts(content, calls, model=role == "model", places=places)
        if role == "model":
            messages.append(Message("assistant", _sealed(messages, parts)))
        else:
            _add_user(messages, parts)
    return joined(messages)


def _sealed(messages: list[Message], parts: list[Part]) -> tuple[Part, ...]:
    """A model's parts. A thought that came in pieces, as in a stream, has its signature on an empty last one, maybe of
    a content of its own: the pieces before it are one thought with it."""
    made: list[Part] = []
    for part in parts:
        if isinstance(part, Thinking) and part.signature and not part.text and not part.redacted:
            text = _taken(made)
            while not made and messages and messages[-1].role == "assistant" and _open(messages[-1].parts):
                before = list(messages.pop().parts)
                text = _taken(before) + text
                if before:
                    messages.append(Message("assistant", tuple(before)))
                    break
            part = msgspec.structs.replace(part, text=text)
        made.append(part)
    return tuple(made)


def _open(parts: tuple[Part, ...]) -> bool:
    """Whether the last part is a thought without a signature."""
    last = parts[-1] if parts else None
    return isinstance(last, Thinking) and not last.signature and not last.redacted


def _taken(parts: list[Part]) -> str:
    """The text of the thoughts without a signature at the end, which are taken out."""
    texts: list[str] = []
    while _open(tuple(parts[-1:])):
        last = parts.pop()
        assert isinstance(last, Thinking)
        texts.append(last.text)
    return "".join(reversed(texts))


def _add_user(messages: list[Message], parts: list[Part]) -> None:
    """A content of the user's: results of functions are messages of their own."""
    run: list[Part] = []
    role: Role = "user"
    for part in parts:
        kind: Role = "tool" if isinstance(part, ToolResult) else "user"
        if run and kind != role:
            messages.append(Message(role, tuple(run)))
            run = []
        role = kind
        run.append(part)
    messages.append(Message(role, tuple(run)))


def _tools(body: Fields, extra: dict[str, bytes], places: Places | None) -> tuple[Tool | Foreign, ...]:
    tools: list[Tool | Foreign] = []
    for raw, path in body.items("tools"):
        entry = Fields(raw, path)
        for item, where in entry.items(_DECLARATIONS):
            declaration = Fields(item, where)
            tools.append(_tool(declaration))
            if places is not None:
                places.note(tools[-1], where)
            for name, value in declaration.rest():
                extra[f"{ORIGIN}.tools[{len(tools) - 1}].{name}"] = bytes(value)
        for name, value in entry.rest():
            tools.append(Foreign(ORIGIN, name, _encode({name: value})))
            if places is not None:
                places.note(tools[-1], entry.at(name))
    return tuple(tools)


def _tool(fields: Fields) -> Tool:
    name = fields.string("name")
    if not name:
        path = fields.at("name")
        raise Fault("missing_required_parameter", f"Missing required parameter: `{path}`.", param=path)
    schema = fields.raw("parametersJsonSchema")
    typed = fields.raw("parameters")
    parameters = bytes(schema) if schema is not None else read_schema(typed) if typed is not None else b""
    return Tool(name, fields.string("description"), parameters)


def _choice(body: Fields, extra: dict[str, bytes]) -> ToolChoice | None:
    told = body.inner("toolConfig")
    if told is None:
        return None
    calling = told.inner("functionCallingConfig")
    mode = ""
    names: tuple[str, ...] = ()
    if calling is not None:
        mode, names = calling.word("mode", _MODES), calling.strings("allowedFunctionNames")
        for name, value in calling.rest():
            extra[f"{ORIGIN}.functionCallingConfig.{name}"] = bytes(value)
    for name, value in told.rest():
        extra[f"{ORIGIN}.toolConfig.{name}"] = bytes(value)
    if mode == "NONE":
        return ToolChoice("none")
    if mode == "ANY":
        return ToolChoice("function" if len(names) == 1 else "required", names)
    return ToolChoice("auto", names) if mode or names else None


def _reasoning(config: Fields) -> Reasoning | None:
    thinking = config.inner("thinkingConfig")
    if thinking is None:
        return None
    effort = thinking.word("thinkingLevel", _LEVELS).lower()
    budget = thinking.whole("thinkingBudget", -1)
    summary = "auto" if thinking.flag("includeThoughts") else ""
    return Reasoning(effort, budget, summary=summary) if effort or budget is not None or summary else None


def _format(config: Fields, extra: dict[str, bytes]) -> Format | None:
    """Text of another type than JSON (`text/x.enum`) has no word elsewhere."""
    schema = config.raw("responseJsonSchema")
    typed = config.raw("responseSchema")
    kind = config.string("responseMimeType").lower()
    if kind not in ("", "text/plain", _JSON):
        extra[f"{ORIGIN}.responseMimeType"] = _encode(kind)
        return None
    if schema is not None:
        return Format("json_schema", bytes(schema))
    if typed is not None:
        return Format("json_schema", read_schema(typed))
    return Format("json_object") if kind == _JSON else None
