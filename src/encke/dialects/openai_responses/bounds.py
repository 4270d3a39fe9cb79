"""How large an answer may become, as the request says, and what in a request nobody can put a bound on."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from encke.dialects.openai_chat.bounds import HARMLESS, costly_part, server_tool, whole
from encke.dialects.request import Body

# What costs more than its own bytes: it is fetched, or kept elsewhere, or counted by its size on a screen. Items and
# parts of other types than these are not known, so they are that, too.
_PARTS: Final = re.compile(
    rb'"type"\s*+:\s*+"(?!(?:message|input_text|output_text|text|refusal|function|custom|function_call|function_call_output'
    rb"|custom_tool_call|custom_tool_call_output|reasoning|summary_text|reasoning_text|url_citation|file_citation"
    rb'|container_file_citation|file_path)")([^"\\]{1,40})"'
    rb'|"(image_url|input_audio|file_id|file_url|file_data)"\s*+:\s*+[{\["]'
)
# What is kept elsewhere, services with prices of their own, dearer classes of service, other models than the one that
# was asked for, answers that are worked out several times.
_FIELDS: Final = (
    "previous_response_id", "conversation", "prompt", "background", "context_management", "service_tier", "modalities",
    "search_parameters", "enable_search", "plugins", "models", "preset",
)  # fmt: skip
_items: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_MODE: Final = re.compile(rb'"mode"\s*+:\s*+"(?!standard")')


def output_limit(body: Body) -> int | None:
    """The most tokens that the answer may have, where the request says so."""
    return whole(body, "max_output_tokens")


def unbounded(body: Body) -> str | None:
    """What in the request has a cost that neither its bytes nor its limits bound, by name; None: nothing."""
    for name in _FIELDS:
        if name in body and bytes(body[name]) not in HARMLESS:
            return name
    if "reasoning" in body and _MODE.search(bytes(body["reasoning"])):
        return "reasoning"
    raw = bytes(body.get("input", b""))
    if raw[:1] != b"[":
        return server_tool(body)
    return costly_part(raw, _PARTS) or _reference(raw) or server_tool(body)


def _reference(raw: bytes) -> str | None:
    """An item that is kept elsewhere may come without a type, and without a role then."""
    try:
        items = _items.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return "input"
    return None if all("type" in item or "role" in item for item in items) else "item_reference"
