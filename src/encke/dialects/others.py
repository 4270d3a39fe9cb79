"""What in a request lets a provider take another model than the one that is asked for: fields, and tools that have a
model of their own, which answers or works for the answer at its own price.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.dialects.body import NULL, opener
from encke.dialects.request import Body

# OpenRouter's (openrouter.ai/docs/features/model-routing, .../presets); Anthropic's `fallbacks`.
_FIELDS: Final = ("models", "preset", "fallbacks")
# Anthropic's advisor (platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool), OpenAI's image_generation.
_MODEL: Final = "model"
# Responses: an item of the input that brings more tools.
_MORE: Final = b"additional_tools"
_ESCAPE: Final = b"\\"  # a name may be written with escapes

_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def others(body: Body) -> str | None:
    """Its name; None: nothing. What cannot be read is left to the provider, who will refuse it."""
    for name in _FIELDS:
        if body.get(name, NULL) != NULL:
            return name
    raw = body.get("tools")
    found = _in_tools(raw, "tools") if raw is not None else None
    if found is not None:
        return found
    said = body.get("input")
    return _in_items(said) if said is not None and opener(said) == b"[" else None


def _in_tools(raw: msgspec.Raw, path: str) -> str | None:
    """A tool's own model. The models in functions' schemas stand deeper, and are names of arguments."""
    text = bytes(raw)
    if b'"model"' not in text and _ESCAPE not in text:
        return None
    for at, tool in enumerate(_items(raw)):
        if _fields(tool).get(_MODEL, NULL) != NULL:
            return f"{path}[{at}].{_MODEL}"
    return None


def _in_items(raw: msgspec.Raw) -> str | None:
    text = bytes(raw)
    if b'"model"' not in text and _ESCAPE not in text:
        return None
    if _MORE not in text and _ESCAPE not in text:
        return None
    for at, item in enumerate(_items(raw)):
        tools = _fields(item).get("tools")
        found = _in_tools(tools, f"input[{at}].tools") if tools is not None else None
        if found is not None:
            return found
    return None


def _items(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _list.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def _fields(raw: msgspec.Raw) -> Body:
    if opener(raw) != b"{":
        return {}
    try:
        return _map.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return {}
