"""Lists of models as callers of each dialect know them: OpenAI's, Anthropic's and Gemini's, the latter two in pages.

Sources: platform.claude.com/docs/en/api/models/list, ai.google.dev/api/models, and the types of their Python packages.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

from encke.core.faults import Fault
from encke.core.traits import Capabilities

CHAT: Final = "openai_chat"
MESSAGES: Final = "anthropic_messages"
GENERATE: Final = "google_generate"

MOST: Final = 1000  # models on a page
_USUAL: Final = {MESSAGES: 20, GENERATE: 50}


class Shown(NamedTuple):
    """A model to be shown. `created` in UTC seconds, 0 if nobody knows; `capabilities` with what its provider says of
    its lengths; `embeds`, `chats`: what of the two its provider has."""

    id: str
    created: int
    title: str
    capabilities: Capabilities
    chats: bool = True
    embeds: bool = True


def shape_of(path: str, headers: dict[bytes, bytes]) -> str:
    """The dialect that a list is asked for in: by Gemini's paths, by the header that all of Anthropic's clients send,
    by the one that Gemini's send their key in."""
    if path.startswith(("/v1beta", "/v1alpha")):
        return GENERATE
    if b"anthropic-version" in headers:
        return MESSAGES
    return GENERATE if b"x-goog-api-key" in headers else CHAT


def one(shape: str, shown: Shown) -> dict[str, Any]:
    """A model in Anthropic's or Gemini's shape."""
    return _as_messages(shown) if shape == MESSAGES else _as_generate(shown)


def page(shape: str, ids: list[str], show: Callable[[int], Shown], query: bytes) -> dict[str, Any]:
    """A page of the models with these ids in Anthropic's or Gemini's shape; `show` tells more of one of them. Raises
    Fault invalid_value."""
    asked = {name: values[-1] for name, values in parse_qs(query.decode("latin-1")).items()}
    if shape == MESSAGES:
        return _messages_page(ids, show, asked)
    size = _size(asked, "pageSize", GENERATE)
    start = _after(ids, _token(asked["pageToken"]), "pageToken") if "pageToken" in asked else 0
    found: dict[str, Any] = {"models": [_as_generate(show(at)) for at in range(start, min(start + size, len(ids)))]}
    if start + size < len(ids):
        found["nextPageToken"] = base64.urlsafe_b64encode(ids[start + size - 1].encode()).decode()
    return found


def _messages_page(ids: list[str], show: Callable[[int], Shown], asked: dict[str, str]) -> dict[str, Any]:
    size = _size(asked, "limit", MESSAGES)
    if "after_id" in asked and "before_id" in asked:
        raise Fault("invalid_value", "Only one of after_id and before_id can be given.", param="before_id")
    start, end = 0, len(ids)
    if "after_id" in asked:
        start = _after(ids, asked["after_id"], "after_id")
    elif "before_id" in asked:
        end = _after(ids, asked["before_id"], "before_id") - 1
        start = max(end - size, 0)
    end_of_page = min(start + size, end)
    part = ids[start:end_of_page]
    more = start > 0 if "before_id" in asked else start + size < end
    return {
        "data": [_as_messages(show(at)) for at in range(start, end_of_page)],
        "has_more": more,
        "first_id": part[0] if part else None,
        "last_id": part[-1] if part else None,
    }


def _as_messages(shown: Shown) -> dict[str, Any]:
    caps = shown.capabilities
    return {
        "type": "model",
        "id": shown.id,
        "display_name": shown.title or shown.id,
        "created_at": datetime.fromtimestamp(max(shown.created, 0), UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "max_input_tokens": caps.context or None,
        "max_tokens": caps.max_output or None,
    }


def _as_generate(shown: Shown) -> dict[str, Any]:
    caps = shown.capabilities
    methods = ["generateContent", "countTokens"] if shown.chats else []
    found: dict[str, Any] = {
        "name": f"models/{shown.id}",
        "version": "",
        "displayName": shown.title or shown.id,
        "supportedGenerationMethods": methods + (["embedContent"] if shown.embeds else []),
        "thinking": bool(caps.thinking),
    }
    for name, tokens in (("inputTokenLimit", caps.context), ("outputTokenLimit", caps.max_output)):
        if tokens:
            found[name] = tokens
    return found


def details(shown: Shown) -> dict[str, Any]:
    """What a single model's record in OpenAI's shape says beyond OpenAI's own fields."""
    found: dict[str, Any] = msgspec.to_builtins(shown.capabilities)
    usual = {name: getattr(shown.capabilities, name) for name in Capabilities.__struct_fields__}
    return {"capabilities": {**usual, **found}}


def _size(asked: dict[str, str], name: str, shape: str) -> int:
    text = asked.get(name)
    if text is None or (shape == GENERATE and text == "0"):
        return _USUAL[shape]
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise Fault("invalid_value", f"{name} must be a whole number from 1 to {MOST}.", param=name)
    return min(int(text), MOST)


def _token(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text).decode()
    except (binascii.Error, ValueError):
        return ""


def _after(ids: list[str], id: str, name: str) -> int:
    """Where the models behind one begin."""
    if id in ids:
        return ids.index(id) + 1
    raise Fault(
        "invalid_value", f"{name} names no model of this list; ask for the list from its beginning.", param=name
    )
