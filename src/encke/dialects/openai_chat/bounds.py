"""How large an answer may become, as the request says, and what in a request nobody can put a bound on."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from encke.dialects.openai_chat.wire import NULL, OUTPUT_LIMITS
from encke.dialects.request import Body

MOST: Final = 1 << 26
MOST_COPIES: Final = 1 << 16  # far more than any provider gives, and small enough for sums of money
MOST_PROMPTS: Final = 100_000  # to be counted exactly: each costs memory

# What costs more than its own bytes: it is fetched, or kept elsewhere, or counted by its size on a screen.
_PARTS: Final = re.compile(
    rb'"type"\s*+:\s*+"(?!text"|refusal"|function"|custom"|ephemeral")([^"\\]{1,40})"'
    rb'|"(image_url|image|input_audio|audio|audio_url|video_url|video|file|file_id|document)"\s*+:\s*+[{\["]'
)
# Letters may be written so, in keys too: a search for words would not find them.
_ESCAPED: Final = re.compile(rb"\\u00[2-7]")
# Searches and other services with prices of their own, dearer classes of service, other outputs than text, and other
# models than the one that was asked for.
_FIELDS: Final = (
    "web_search_options", "search_parameters", "enable_search", "plugins", "previous_response_id", "conversation",
    "prediction", "audio", "modalities", "service_tier", "models", "preset",
)  # fmt: skip
HARMLESS: Final = (b"null", b"false", b'"default"', b'"auto"', b'["text"]')
_PARTED: Final = ("messages", "input", "prompt")
_OURS: Final = ("function", "custom")  # tools that the caller runs

_tools: Final = msgspec.json.Decoder(list[dict[str, Any]])
_int: Final = msgspec.json.Decoder(int)
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode


def whole(body: Body, name: str) -> int | None:
    """A whole number above 0 of a size that can be believed; None for anything else."""
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
    newer = whole(body, OUTPUT_LIMITS[0])
    older = whole(body, OUTPUT_LIMITS[1])
    if newer is None or (older is not None and older > newer):
        return older
    return newer


def copies(body: Body) -> int:
    """How many answers are asked for, all prompts together."""
    if "n" not in body and "best_of" not in body and "prompt" not in body:
        return 1
    each = max(whole(body, "n") or 1, whole(body, "best_of") or 1)
    return min(each * _prompts(body), MOST_COPIES)


def _prompts(body: Body) -> int:
    """A list of texts, or of lists of tokens, is as many prompts; a list of tokens is one."""
    raw = bytes(body.get("prompt", b""))
    if raw[:1] != b"[" or raw[1:].lstrip()[:1] not in (b'"', b"["):
        return 1
    most = 1 + raw.count(b",")
    if most > MOST_PROMPTS:
        return most
    try:
        return len(_list.decode(raw))
    except (msgspec.DecodeError, RecursionError):
        return 1


def unbounded(body: Body) -> str | None:
    """What in the request has a cost that neither its bytes nor its limits bound, by name; None: nothing."""
    for name in _FIELDS:
        if name in body and bytes(body[name]) not in HARMLESS:
            return name
    for name in ("n", "best_of"):  # somebody may read what is no whole number here, as "3"
        if name in body and body[name] != NULL and not 0 < (whole(body, name) or 0) <= MOST_COPIES:
            return name
    for name in _PARTED:
        raw = body.get(name)
        found = costly_part(bytes(raw), _PARTS) if raw is not None else None
        if found is not None:
            return found
    return server_tool(body)


def costly_part(raw: bytes, parts: re.Pattern[bytes], whole: str = "messages") -> str | None:
    """What in a list of messages is one of `parts`, which costs more than its bytes, by name: that of the group that
    was found, or `whole` for what cannot be read."""
    if _ESCAPED.search(raw):
        try:
            raw = _encode(_any.decode(raw))
        except (msgspec.DecodeError, RecursionError):
            return whole
    found = parts.search(raw)
    return None if found is None else found[found.lastindex or 0].decode("utf-8", "replace")


def server_tool(body: Body) -> str | None:
    """A tool that the caller does not run itself, by its type."""
    raw = body.get("tools")
    if raw is None or raw == NULL:
        return None
    try:
        kinds = [tool.get("type") for tool in _tools.decode(raw)]
    except (msgspec.DecodeError, RecursionError):
        return "tools"
    return next((str(kind)[:40] for kind in kinds if kind not in _OURS), None)
