"""A request of the hub, on this wire."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Message, Part, Tool, ToolChoice, ToolResult
from encke.core.traits import Traits
from encke.dialects.anthropic_messages.names import ORIGIN, TIERS_BACK
from encke.dialects.anthropic_messages.render_messages import Turns
from encke.dialects.anthropic_messages.render_parts import MOST_MARKS, Parts
from encke.dialects.anthropic_messages.schema import fitted
from encke.dialects.anthropic_messages.thinking import Thought, thought
from encke.dialects.anthropic_messages.tools import FREE_TEXT, ToolNames
from encke.dialects.losses import Losses
from encke.dialects.port import Rendered

_encode: Final = msgspec.json.Encoder().encode
_any: Final = msgspec.json.Decoder()
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

Body = dict[str, Any]

NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
ONLY_JSON: Final = "Answer with one JSON object and nothing else: no words around it, no Markdown."
# Who names a key for the cache has prompts that come again. Elsewhere they are cached unasked, here if it is asked for.
CACHE_KEY: Final = "prompt_cache_key"
LEAST_TOP_P: Final = 0.95  # with thinking
# Fields of the hub that this wire has no words for, and values of theirs that ask for nothing.
_UNKNOWN: Final[dict[str, tuple[object, ...]]] = {
    "n": (None, 1),
    "seed": (None,),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
}
# Of the extra fields, those that ask for nothing.
_HARMLESS: Final[dict[str, tuple[bytes, ...]]] = {
    "store": (b"false", b"null"),
    "modalities": (b'["text"]', b"null"),
    "logit_bias": (b"{}", b"null"),
    "metadata": (b"{}", b"null"),
    "include": (b'["reasoning.encrypted_content"]', b"[]", b"null"),  # signatures come in any case
}
_OUTER: Final = ("output_config.", "metadata.", "thinking.")
# What is counted: all that is read, and how it is read.
_COUNTED: Final = (
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control",
    "context_management", "mcp_servers", "speed",
)  # fmt: skip


def render_request(request: ChatRequest, model: str, traits: Traits, counts: bool = False) -> Rendered:
    """The request for a model of `traits`. `counts`: its tokens are only counted."""
    losses = Losses()
    names = ToolNames(request)
    capabilities = traits.capabilities
    marks = _marks(request)
    by_tool = request.format is not None and request.format.kind == "json_schema" and not capabilities.json_schema
    forced = by_tool or (request.tool_choice is not None and request.tool_choice.mode in ("required", "function"))
    plan = thought(request, capabilities, forced)
    if plan.lost:
        losses.add("reasoning")
    body: Body = {"model": model, "max_tokens": plan.max_tokens}
    room = MOST_MARKS - (f"{ORIGIN}.cache_control" in request.extra)
    parts = Parts(names, losses, marks, room)
    _add_tools(body, request, names, parts, losses)  # before the messages: so caches are filled
    turns = Turns(parts, losses, capabilities.system_turns)
    turns.add(request.messages)
    if turns.system:
        body["system"] = turns.system
    body["messages"] = turns.turns
    if plan.config is not None:
        body["thinking"] = plan.config
    output: Body = {"effort": plan.effort} if plan.effort else {}
    _add_format(body, output, request, names, by_tool, losses)
    if output:
        body["output_config"] = output
    _add_choice(body, request, names, plan, by_tool, losses)
    if CACHE_KEY in request.extra and not marks and capabilities.cache_marks:
        body["cache_control"] = {"type": "ephemeral"}
    if counts:
        _add_extra(body, request, Losses())
        return Rendered(_encode({name: body[name] for name in _COUNTED if name in body}), losses.all())
    _add_sampling(body, request, plan, losses)
    _add_extra(body, request, losses)
    if request.stream:
        body["stream"] = True
    return Rendered(_encode(body), losses.all())


def _marks(request: ChatRequest) -> int:
    """How many cache marks there are."""
    count = sum(1 for tool in request.tools if isinstance(tool, Tool) and tool.cache)
    return count + sum(_marks_of(message) for message in request.messages)


def _marks_of(message: Message) -> int:
    count = 0
    for part in message.parts:
        count += _marked(part)
        if isinstance(part, ToolResult):
            count += sum(_marked(inner) for inner in part.parts)
    return count


def _marked(part: Part) -> int:
    return 1 if getattr(part, "cache", None) else 0


def _add_tools(body: Body, request: ChatRequest, names: ToolNames, parts: Parts, losses: Losses) -> None:
    only = set(request.tool_choice.names) if _is_subset(request.tool_choice) and request.tool_choice else None
    own: dict[str, Body] = {}  # fields of tools that only this dialect has
    for name, raw in request.extra.items():
        if name.startswith(f"{ORIGIN}.tools["):
            path, _, field = name[len(ORIGIN) + 1 :].partition(".")
            own.setdefault(path, {})[field] = msgspec.Raw(raw)
    made: list[Any] = []
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        if isinstance(tool, Foreign):
            if tool.origin == ORIGIN:
                made.append(msgspec.Raw(tool.raw))
            else:
                losses.add(path)
        elif only is None or tool.name in only:
            made.append(parts.mark(_tool(tool, names, own.get(path, {}), path, losses), tool.cache, path))
    if made:
        body["tools"] = made


def _is_subset(choice: ToolChoice | None) -> bool:
    """Whether some tools may not be called: those are left out."""
    return choice is not None and bool(choice.names) and choice.mode in ("auto", "required")


def _tool(tool: Tool, names: ToolNames, more: Body, path: str, losses: Losses) -> Body:
    made: Body = {"name": names.wire(tool.name)}
    description = tool.description
    if tool.custom:
        grammar = _grammar(tool.grammar)
        if grammar:
            description = f"{description}\n\nThe input must follow this grammar:\n{grammar}".lstrip()
            losses.add(f"{path}.grammar")
    if description:
        made["description"] = description
    made["input_schema"] = FREE_TEXT if tool.custom else _parameters(tool.parameters)
    if tool.strict is not None and not tool.custom:
        made["strict"] = tool.strict
    made.update(more)
    return made


def _grammar(raw: bytes) -> str:
    if not raw:
        return ""
    try:
        value = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not isinstance(value, dict) or value.get("type") == "text":
        return ""
    inner = value.get("grammar", value)
    definition = inner.get("definition") if isinstance(inner, dict) else None
    return definition if isinstance(definition, str) else raw.decode()


def _parameters(schema: bytes) -> msgspec.Raw:
    """A schema of an object: it has to say that it is one."""
    if not schema:
        return NO_PARAMETERS
    try:
        fields = _map.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(schema)
    if "type" in fields:
        return msgspec.Raw(schema)
    return msgspec.Raw(_encode({"type": msgspec.Raw(b'"object"'), **fields}))


def _add_format(
    body: Body, output: Body, request: ChatRequest, names: ToolNames, by_tool: bool, losses: Losses
) -> None:
    """The form of the answer: this wire's own, or a tool that has to be called, or a word about it."""
    form = request.format
    if form is None:
        return
    if form.kind == "json_object":
        body["system"] = [*body.get("system", []), {"type": "text", "text": ONLY_JSON}]
        losses.add("format")
        return
    if by_tool:
        tool: Body = {"name": names.answer, "description": form.description or "Give the answer with this tool."}
        tool["input_schema"] = _parameters(form.schema)
        body["tools"] = [*body.get("tools", []), tool]
        return
    schema, lost = fitted(form.schema or bytes(NO_PARAMETERS))
    output["format"] = {"type": "json_schema", "schema": schema}
    if lost:
        losses.add("format.schema")
    if form.description:
        losses.add("format.description")


def _add_choice(
    body: Body, request: ChatRequest, names: ToolNames, plan: Thought, by_tool: bool, losses: Losses
) -> None:
    """Which tools may or must be called. With thinking that cannot be left off none can be forced."""
    if "tools" not in body:
        if request.tool_choice is not None and request.tool_choice.mode in ("required", "function"):
            losses.add("tool_choice")
        return
    choice = request.tool_choice
    made: Body = {"type": "auto"}
    if by_tool:
        # With other tools beside it: it, or one of them.
        alone = len(body["tools"]) == 1 or (choice is not None and choice.mode == "none")
        made = {"type": "tool", "name": names.answer} if alone else {"type": "any"}
    elif choice is None:
        if request.parallel_tools is None:
            return
    elif choice.mode == "none":
        made = {"type": "none"}
    elif choice.mode == "required":
        made = {"type": "any"}
    elif choice.mode == "function" and choice.names:
        made = {"type": "tool", "name": names.wire(choice.names[0])}
    if plan.on and made["type"] in ("any", "tool"):
        losses.add("format" if by_tool else "tool_choice")
        made = {"type": "auto"}
    if request.parallel_tools is not None and made["type"] != "none":
        made["disable_parallel_tool_use"] = not request.parallel_tools
    body["tool_choice"] = made


def _add_sampling(body: Body, request: ChatRequest, plan: Thought, losses: Losses) -> None:
    """Temperature from 0 to 1, and of it and top_p only one: newer models refuse both at once."""
    for name, nothing in _UNKNOWN.items():
        if getattr(request, name) not in nothing:
            losses.add(name)
    heat, top_p = request.temperature, request.top_p
    if heat is not None and (heat > 1 or (plan.on and heat != 1)):
        losses.add("temperature")
        heat = None if plan.on else 1.0
    if heat is not None:
        body["temperature"] = heat
    if top_p is not None:
        if (heat is not None and top_p != 1) or (plan.on and top_p < LEAST_TOP_P):
            losses.add("top_p")
        elif heat is None:
            body["top_p"] = top_p
    if request.top_k is not None:
        if plan.on:
            losses.add("top_k")
        else:
            body["top_k"] = request.top_k
    stop = [text for text in request.stop if text.strip()]
    if stop:
        body["stop_sequences"] = stop
    if len(stop) < len(request.stop):
        losses.add("stop")


def _add_extra(body: Body, request: ChatRequest, losses: Losses) -> None:
    """Fields that this wire has too, by whatever name; the rest is lost."""
    user: Any = request.user
    for name, raw in request.extra.items():
        if name.startswith(ORIGIN + "."):
            _add_own(body, name[len(ORIGIN) + 1 :], raw, losses, name)
        elif name == "service_tier":
            tier = TIERS_BACK.get(str(_any.decode(raw)))
            if tier:
                body["service_tier"] = tier
            else:
                losses.add(name)
        elif name == "safety_identifier" and not user:
            user = msgspec.Raw(raw)
        elif _encode(_any.decode(raw)) not in _HARMLESS.get(name, (b"null",)):
            losses.add(name)
    if user:
        body["metadata"] = {**body.get("metadata", {}), "user_id": user}


def _add_own(body: Body, name: str, raw: bytes, losses: Losses, whole: str) -> None:
    """A field of this dialect's own; below `output_config`, `metadata` and `thinking` by a path."""
    if name.startswith(("messages[", "system")):
        losses.add(whole)  # it stood at a block that may stand elsewhere now
    elif name.startswith("tools["):
        return  # with its tool
    elif name.startswith(_OUTER):
        outer, inner = name.split(".", 1)
        body.setdefault(outer, {})[inner] = msgspec.Raw(raw)
    elif name not in body:
        body[name] = msgspec.Raw(raw)
