"""How large an answer may become, as the request says, and what in a request nobody can put a bound on."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from encke.dialects.body import opener
from encke.dialects.google_generate.parse import field, snake
from encke.dialects.openai_chat.bounds import MOST, MOST_COPIES, costly_part
from encke.dialects.request import Body

# Parts that cost more than their own bytes: fetched, kept elsewhere, or counted by their size on a screen.
_PARTS: Final = re.compile(
    rb'"(inline_?[dD]ata|file_?[dD]ata|video_?[mM]etadata|tool_?[cC]all|executable_?[cC]ode)"\s*+:'
)
_FIELDS: Final = ("cachedContent", "serviceTier", "modelArmorConfig")
# Other outputs than text, and what costs by something else than tokens.
_ROUTING: Final = ("routingConfig", "modelSelectionConfig")
_SETTINGS: Final = ("speechConfig", "imageConfig", *_ROUTING, "translationConfig")
_HARMLESS: Final = (b"null", b"{}", b"[]", b'""', b'"standard"', b'"STANDARD"', b'"unspecified"')
_TEXT_ONLY: Final = (b"null", b"[]", b'["TEXT"]', b'["text"]')
_PARTED: Final = ("contents", "systemInstruction", "content", "requests")
_OURS: Final = frozenset({"functionDeclarations", "function_declarations"})

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_maps: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_any: Final = msgspec.json.Decoder()


def settings(body: Body) -> Body:
    """`generationConfig`, raw; empty where it is absent or is no object."""
    raw = field(body, "generationConfig")
    if raw is None:
        return {}
    try:
        return _map.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return {}


def _whole(config: Body, name: str) -> int | None:
    """A whole number, as protobuf's JSON mapping takes it: 16, 16.0 or "16". Of both spellings the larger."""
    found: int | None = None
    for key in (name, snake(name)):
        raw = config.get(key)
        if raw is None or len(raw) > 32:
            continue
        try:
            value = _any.decode(raw)
            number = int(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0
        except (msgspec.DecodeError, ValueError, OverflowError):
            continue
        if 0 < number <= MOST and (found is None or number > found):
            found = number
    return found


def output_limit(body: Body) -> int | None:
    """The most tokens that each answer may have, where the request says so, its thoughts counted in."""
    return _whole(settings(body), "maxOutputTokens")


def copies(body: Body) -> int:
    """How many answers are asked for."""
    return min(_whole(settings(body), "candidateCount") or 1, MOST_COPIES)


def others(body: Body) -> str | None:
    """What lets Google take another model than the one that is asked for, by name; None: nothing. (Vertex AI's
    GenerationConfig: cloud.google.com/vertex-ai/docs/reference/rest/v1/GenerationConfig.)"""
    config = settings(body)
    for name in _ROUTING:
        raw = field(config, name)
        if raw is not None and bytes(raw) not in _HARMLESS:
            return f"generationConfig.{name}"
    return None


def unbounded(body: Body) -> str | None:
    """What in the request has a cost that neither its bytes nor its limits bound, by name; None: nothing."""
    for name in _FIELDS:
        raw = field(body, name)
        if raw is not None and bytes(raw) not in _HARMLESS:
            return name
    config = settings(body)
    raw = field(body, "generationConfig")
    if raw is not None and opener(raw) != b"{":
        return "generationConfig"
    for name in _SETTINGS:
        raw = field(config, name)
        if raw is not None and bytes(raw) not in _HARMLESS:
            return name
    modalities = field(config, "responseModalities")
    if modalities is not None and bytes(modalities).replace(b" ", b"").replace(b"\n", b"") not in _TEXT_ONLY:
        return "responseModalities"
    if field(config, "candidateCount") is not None and not 0 < (_whole(config, "candidateCount") or 0) <= MOST_COPIES:
        return "candidateCount"
    for name in _PARTED:
        raw = field(body, name)
        found = costly_part(bytes(raw), _PARTS, "contents") if raw is not None else None
        if found is not None:
            return found
    return _server_tool(body)


def _server_tool(body: Body) -> str | None:
    raw = field(body, "tools")
    if raw is None:
        return None
    try:
        tools: list[dict[str, Any]] = [_map.decode(raw)] if opener(raw) == b"{" else list(_maps.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return "tools"
    return next((name[:40] for tool in tools for name in tool if name not in _OURS), None)
