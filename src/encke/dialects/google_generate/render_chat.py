"""A hub's request on this wire, and what it cannot express."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Reasoning, Tool, ToolChoice
from encke.core.traits import Capabilities, Traits
from encke.dialects.effort import budget_of, effort_of, nearest
from encke.dialects.google_generate.render_messages import Contents
from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.port import Rendered

_encode: Final = msgspec.json.Encoder().encode
_strings: Final = msgspec.json.Decoder(list[str])

# Fields of `generationConfig` that the hub does not know; others of this dialect stand at the top.
CONFIG: Final = frozenset(
    {
        "mediaResolution", "speechConfig", "imageConfig", "responseFormat", "responseMimeType", "routingConfig",
        "audioTimestamp", "modelSelectionConfig", "enableAffectiveDialog", "enableEnhancedCivicAnswers",
        "translationConfig", "audioTranscriptionConfig", "videoConfig",
    }
)  # fmt: skip
_TIERS: Final = {b'"default"': "standard", b'"flex"': "flex", b'"priority"': "priority"}
_SEED: Final = 1 << 31  # seeds have 32 bits
MOST_STOPS: Final = 5
MOST_BUDGET: Final = 24576  # what every model takes that takes a budget (ai.google.dev/gemini-api/docs/thinking)
LEAST_BUDGET: Final = 128  # of those that cannot but think
_LEVELS: Final = ("minimal", "low", "medium", "high")
_NUMBERS: Final = (
    ("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK"), ("n", "candidateCount"),
    ("max_tokens", "maxOutputTokens"), ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"), ("logprobs", "responseLogprobs"), ("top_logprobs", "logprobs"),
)  # fmt: skip


def render_chat(request: ChatRequest, traits: Traits) -> Rendered:
    """The body; the model stands in the path."""
    body, dropped = chat_body(request, traits)
    return Rendered(_encode(body), tuple(dropped))


def render_count(request: ChatRequest, model: str, traits: Traits) -> Rendered:
    """The body that asks how many tokens a request has: it names the model once more."""
    body, dropped = chat_body(request, traits)
    name = model if "/" in model else f"models/{model}"
    return Rendered(_encode({"generateContentRequest": {"model": name, **body}}), tuple(dropped))


def chat_body(request: ChatRequest, traits: Traits) -> tuple[dict[str, Any], dict[str, None]]:
    """The body's fields, and the hub's names of what is not in it."""
    contents = Contents(is_newer(traits.capabilities))
    for at, message in enumerate(request.messages):
        contents.add(at, message)
    dropped = contents.dropped
    body: dict[str, Any] = {"contents": contents.contents}
    if contents.system:
        body["systemInstruction"] = {"parts": contents.system}
    tools, functions = _tools(request, dropped)
    if tools:
        body["tools"] = tools
    calling = _calling(request.tool_choice) if functions else None
    if request.tool_choice is not None and not functions:
        dropped["tool_choice"] = None
    tool_config: dict[str, Any] = {"functionCallingConfig": calling} if calling else {}
    config = _config(request, traits.capabilities, dropped)
    _extra(request, body, config, tool_config, dropped)
    if tool_config:
        body["toolConfig"] = tool_config
    if config:
        body["generationConfig"] = config
    return body, dropped


def is_newer(capabilities: Capabilities) -> bool:
    """Whether the model is of Google's series 3 or later, which are told by a level how much to think."""
    return capabilities.thinking == "level"


def _tools(request: ChatRequest, dropped: dict[str, None]) -> tuple[list[Any], bool]:
    """The entries, all functions in the first of theirs, and whether there is any function."""
    declarations: list[Any] = []
    entries: list[Any] = []
    for at, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            if not declarations:
                entries.append({"functionDeclarations": declarations})
            declarations.append(_declaration(tool, at, dropped))
        elif tool.origin == ORIGIN:
            entries.append(msgspec.Raw(tool.raw))
        else:
            dropped[f"tools[{at}]"] = None
    return entries, bool(declarations)


def _declaration(tool: Tool, at: int, dropped: dict[str, None]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    if tool.custom:
        made["parametersJsonSchema"] = {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
        }
        if tool.grammar:
            dropped[f"tools[{at}].grammar"] = None
    elif tool.parameters:
        made["parametersJsonSchema"] = msgspec.Raw(tool.parameters)
    if tool.strict:
        dropped[f"tools[{at}].strict"] = None
    if tool.cache is not None:
        dropped[f"tools[{at}].cache"] = None
    return made


def _calling(choice: ToolChoice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    if choice.mode == "none":
        return {"mode": "NONE"}
    if choice.mode == "auto":
        return {"mode": "VALIDATED", "allowedFunctionNames": list(choice.names)} if choice.names else {"mode": "AUTO"}
    made: dict[str, Any] = {"mode": "ANY"}
    if choice.names:
        made["allowedFunctionNames"] = list(choice.names)
    return made


def _config(request: ChatRequest, capabilities: Capabilities, dropped: dict[str, None]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name, theirs in _NUMBERS:
        value = getattr(request, name)
        if value is not None:
            config[theirs] = value
    if request.seed is not None:
        if -_SEED <= request.seed < _SEED:
            config["seed"] = request.seed
        else:
            dropped["seed"] = None
    if request.stop:
        config["stopSequences"] = list(request.stop[:MOST_STOPS])
        if len(request.stop) > MOST_STOPS:
            dropped["stop"] = None
    if request.parallel_tools is False:
        dropped["parallel_tools"] = None
    if request.user:
        dropped["user"] = None
    form = request.format
    if form is not None:
        config["responseMimeType"] = "application/json"
        if form.schema:
            config["responseJsonSchema"] = msgspec.Raw(form.schema)
        if form.description:
            dropped["format.description"] = None
    if request.reasoning is not None:
        thinking = _thinking(request.reasoning, capabilities, dropped)
        if thinking:
            config["thinkingConfig"] = thinking
    return config


def _thinking(reasoning: Reasoning, capabilities: Capabilities, dropped: dict[str, None]) -> dict[str, Any]:
    """How much to think, in the way that the model is told; thoughts are shown to whoever has asked for them."""
    way = capabilities.thinking
    off = reasoning.budget == 0 or reasoning.effort == "none" or reasoning.enabled is False
    if not way:
        if not off:
            dropped["reasoning"] = None
        return {}
    if way in ("level", "effort"):
        made = _level(reasoning, capabilities, off, dropped)
    else:
        made = _budget(reasoning, capabilities, off, dropped)
    if not off:
        made["includeThoughts"] = True
    return made


def _level(reasoning: Reasoning, capabilities: Capabilities, off: bool, dropped: dict[str, None]) -> dict[str, Any]:
    known = tuple(word for word in capabilities.efforts if word in _LEVELS) or ("low", "high")
    if off:
        dropped["reasoning"] = None  # it cannot be turned off
        return {"thinkingLevel": known[0]}
    if reasoning.effort:
        word = nearest(reasoning.effort, known)
        if word != reasoning.effort:
            dropped["reasoning"] = None
        return {"thinkingLevel": word} if word else {}
    if reasoning.budget is not None and reasoning.budget > 0:
        return {"thinkingLevel": nearest(effort_of(reasoning.budget), known)}
    return {}


def _budget(reasoning: Reasoning, capabilities: Capabilities, off: bool, dropped: dict[str, None]) -> dict[str, Any]:
    if off:
        if capabilities.efforts and "none" not in capabilities.efforts:
            dropped["reasoning"] = None
            return {"thinkingBudget": LEAST_BUDGET}
        return {"thinkingBudget": 0}
    budget = reasoning.budget
    if budget is None and reasoning.effort:
        budget = budget_of(reasoning.effort)
        if budget is None:
            dropped["reasoning"] = None
            return {}
        return {"thinkingBudget": min(budget, MOST_BUDGET)}
    if budget is None:
        return {"thinkingBudget": -1} if reasoning.enabled else {}
    if budget > MOST_BUDGET:
        dropped["reasoning"] = None
    return {"thinkingBudget": min(budget, MOST_BUDGET)}


def _extra(
    request: ChatRequest,
    body: dict[str, Any],
    config: dict[str, Any],
    tool_config: dict[str, Any],
    dropped: dict[str, None],
) -> None:
    """What the hub has no place for: this dialect's own, and what others have by another name."""
    for name, raw in request.extra.items():
        origin, _, own = name.partition(".")
        if name == "modalities":
            try:
                config["responseModalities"] = [one.upper() for one in _strings.decode(raw)]
            except (msgspec.DecodeError, RecursionError):
                dropped[name] = None
        elif name == "service_tier":
            if raw in _TIERS:
                body["serviceTier"] = _TIERS[raw]
            elif raw != b'"auto"':
                dropped[name] = None
        elif origin != ORIGIN or not own:
            dropped[name] = None
        elif own in CONFIG:
            config[own] = msgspec.Raw(raw)
        elif own.startswith("toolConfig."):
            tool_config[own.partition(".")[2]] = msgspec.Raw(raw)
        elif own.startswith("functionCallingConfig."):
            if "functionCallingConfig" in tool_config:
                tool_config["functionCallingConfig"][own.partition(".")[2]] = msgspec.Raw(raw)
            else:
                dropped[name] = None
        elif own.startswith("tools["):
            _put_back(body, own, raw)
        elif "[" in own or own.startswith("systemInstruction."):
            dropped[name] = None  # it stood at a part that may stand elsewhere now
        else:
            body[own] = msgspec.Raw(raw)


def _put_back(body: dict[str, Any], own: str, raw: bytes) -> None:
    """A field of a function declaration: "tools[2].response"."""
    number, _, field = own.removeprefix("tools[").partition("].")
    entries = [entry for entry in body.get("tools", ()) if isinstance(entry, dict)]
    declarations = entries[0]["functionDeclarations"] if entries else []
    if number.isdecimal() and int(number[:9]) < len(declarations):
        declarations[int(number[:9])][field] = msgspec.Raw(raw)
