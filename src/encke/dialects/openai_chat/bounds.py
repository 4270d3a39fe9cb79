"""How large an answer may become, as the request says, and what in a request nobody can put a bound on."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from encke.dialects.openai_chat.parse import Body
from encke.dialects.openai_chat.wire import NULL, OUTPUT_LIMITS

MOST: Final = 1 << 26

# What costs more than its own bytes: it is fetched, or kept elsewhere, or counted by its size on a screen.
_PARTS: Final = re.compile(rb'"type"\s*+:\s*+"(?!text"|refusal"|function"|custom"|ephemeral")([A-Za-z0-9_]{1,40})"')
_FIELDS: Final = (
    "web_search_options", "plugins", "previous_response_id", "conversation", "prediction", "audio", "service_tier",
)  # fmt: skip
_PARTED: Final = ("messages", "input", "prompt")
_OURS: Final = ("function", "custom")  # tools that the caller runs

_tools: Final = msgspec.json.Decoder(list[dict[str, Any]])
_int: Final = msgspec.json.Decoder(int)


def _whole(body: Body, name: str) -> int | None:
    raw = body.get(name)
    if raw is None or raw == NULL:
        return None
    try:
        found = _int.decode(raw)
    except msgspec.DecodeError:
        return None
    return found if 0 < found <= MOST else None


def output_limit(body: Body) -> int | None:
    """The most tokens that each answer may have, where the request says so; of two the larger. What cannot be read is
    the provider's to refuse."""
    newer = _whole(body, OUTPUT_LIMITS[0])
    older = _whole(body, OUTPUT_LIMITS[1])
    if newer is None or (older is not None and older > newer):
        return older
    return newer


def copies(body: Body) -> int:
    """How many answers are asked for."""
    if "n" not in body and "best_of" not in body:
        return 1
    return max(_whole(body, "n") or 1, _whole(body, "best_of") or 1)


def unbounded(body: Body) -> str | None:
    """What in the request has a cost that neither its bytes nor its limits bound, by name; None: nothing."""
    for name in _FIELDS:
        if name in body and body[name] not in (NULL, msgspec.Raw(b'"default"'), msgspec.Raw(b'"auto"')):
            return name
    for name in _PARTED:
        raw = body.get(name)
        found = _PARTS.search(bytes(raw)) if raw is not None else None
        if found is not None:
            return found[1].decode()
    return _server_tool(body)


def _server_tool(body: Body) -> str | None:
    raw = body.get("tools")
    if raw is None or raw == NULL:
        return None
    try:
        kinds = [tool.get("type") for tool in _tools.decode(raw)]
    except (msgspec.DecodeError, RecursionError):
        return "tools"
    return next((str(kind)[:40] for kind in kinds if kind not in _OURS), None)
