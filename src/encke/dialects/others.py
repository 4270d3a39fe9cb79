"""What in a request lets a provider take another model than the one that is asked for: fields, and tools and plugins
that have a model of their own, which answers or works for the answer at its own price.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.body import NULL, opener
from encke.dialects.request import Body
from encke.dialects.typed import MOST_VALUES, has_too_many_values

# OpenRouter's (openrouter.ai/docs/features/model-routing, .../presets); Anthropic's `fallbacks`.
_FIELDS: Final = ("models", "preset", "fallbacks")
# Groq's, for its compound systems (console.groq.com/docs/compound).
_COMPOUND: Final = "compound_custom"
# Anthropic's advisor (platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool) and OpenAI's image_generation
# have a `model`; OpenRouter's tools and plugins have theirs in `model`, `analysis_models` and `allowed_models`.
_MODEL: Final = "model"
_MODELS: Final = "models"
# OpenRouter's that take a model of their own where none is named (openrouter.ai/docs/guides/features/server-tools).
_DEFAULTS: Final = frozenset(
    {"openrouter:advisor", "openrouter:fusion", "openrouter:image_generation", "openrouter:subagent"}
)
_PLUGINS: Final = frozenset({"fusion"})
# What the caller runs: its parameters are a schema.
_CALLERS: Final = frozenset({"function", "custom"})
# Without one of these no tool has a model; Responses: an item of the input may bring more tools.
_HINTS: Final = (b'model"', b'models"', b'"openrouter:')
_MORE: Final = b'"tools"'
# Names may be written with escapes: small letters, the colon and the underscore.
_ESCAPE: Final = b"\\u00"
_HIDDEN: Final = re.compile(rb"\\u00(?:[67]|5[fF]|3[aA])")
_LONGEST: Final = 256  # of a type, in bytes
_SHORTEST: Final = len(b'{"model":1}')

_string: Final = msgspec.json.Decoder(str)
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def others(body: Body) -> str | None:
    """Its name; None: nothing. What cannot be read is left to the provider, who will refuse it. Raises Fault
    invalid_value where there is more to look through than any request has."""
    for name in _FIELDS:
        if body.get(name, NULL) != NULL:
            return name
    compound = body.get(_COMPOUND)
    if compound is not None and _fields(compound).get(_MODELS, NULL) != NULL:
        return f"{_COMPOUND}.{_MODELS}"
    raw = body.get("plugins")
    found = _in_plugins(raw) if raw is not None else None
    if found is not None:
        return found
    raw = body.get("tools")
    found = _in_tools(raw, "tools") if raw is not None else None
    if found is not None:
        return found
    said = body.get("input")
    return _in_items(said) if said is not None and opener(said) == b"[" else None


def _in_plugins(raw: msgspec.Raw) -> str | None:
    """OpenRouter's (openrouter.ai/docs/guides/features/plugins), but for those that are turned off."""
    for at, plugin in enumerate(_items(raw, "plugins")):
        fields = _fields(plugin)
        if bytes(fields.get("enabled", NULL)) == b"false":
            continue
        name = _brought(fields)
        if name is not None:
            return f"plugins[{at}].{name}"
        if _word(fields.get("id")) in _PLUGINS:
            return f"plugins[{at}]"
    return None


def _in_tools(raw: msgspec.Raw, path: str) -> str | None:
    """A tool's own model. The models in functions' schemas stand deeper, and are names of arguments."""
    text = bytes(raw)
    if not _hinted(text) and not _hides(text):
        return None
    for at, tool in enumerate(_items(raw, path)):
        fields = _fields(tool)
        name = _brought(fields)
        if name is not None:
            return f"{path}[{at}].{name}"
        kind = _word(fields.get("type"))
        if kind in _CALLERS:
            continue
        parameters = fields.get("parameters")
        name = _brought(_fields(parameters)) if parameters is not None else None
        if name is not None:
            return f"{path}[{at}].parameters.{name}"
        if kind in _DEFAULTS:
            return f"{path}[{at}]"
    return None


def _in_items(raw: msgspec.Raw) -> str | None:
    text = bytes(raw)
    hides = _hides(text)
    if not hides and (_MORE not in text or not _hinted(text)):
        return None
    for at, item in enumerate(_items(raw, "input")):
        if not hides and _MORE not in bytes(item):
            continue
        tools = _fields(item).get("tools")
        found = _in_tools(tools, f"input[{at}].tools") if tools is not None else None
        if found is not None:
            return found
    return None


def _brought(fields: Body) -> str | None:
    """The field that names a model, or several."""
    for name, value in fields.items():
        if (name == _MODEL or name.endswith(_MODELS)) and value != NULL:
            return name
    return None


def _hinted(text: bytes) -> bool:
    return any(hint in text for hint in _HINTS)


def _hides(text: bytes) -> bool:
    """Whether a letter is written in a way in which nobody has to write it."""
    return _ESCAPE in text and _HIDDEN.search(text) is not None


def _word(raw: msgspec.Raw | None) -> str:
    if raw is None or opener(raw) != b'"' or len(raw) > _LONGEST:
        return ""
    try:
        return _string.decode(raw)
    except msgspec.DecodeError:
        return ""


def _items(raw: msgspec.Raw, path: str) -> list[msgspec.Raw]:
    if has_too_many_values(bytes(raw)):
        raise Fault("invalid_value", f"`{path}` has more than {MOST_VALUES} values.", param=path)
    try:
        return _list.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def _fields(raw: msgspec.Raw) -> Body:
    if len(raw) < _SHORTEST or opener(raw) != b"{":
        return {}
    try:
        return _map.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return {}
