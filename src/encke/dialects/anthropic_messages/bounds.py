"""What in a request has a cost that neither its bytes nor `max_tokens` bound.

Pictures and pages are counted by their size on a screen; what has an address, or is kept by the provider, has a size
that nobody here knows; the provider's own tools search, fetch and run, and what they bring is read, too. A compaction
writes beside the answer; a fast answer and one from a place of choice have prices of their own.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.request import Body

_any: Final = msgspec.json.Decoder()
_tools: Final = msgspec.json.Decoder(list[dict[str, Any]])

# Fields that cost, and values of theirs that do not.
_FIELDS: Final[dict[str, tuple[bytes, ...]]] = {
    "container": (b"null",),
    "mcp_servers": (b"null", b"[]"),
    "speed": (b"null", b'"standard"'),
    "inference_geo": (b"null", b'"global"'),
    "service_tier": (b"null", b'"auto"', b'"standard_only"'),
    "fallbacks": (b"null", b"[]"),
}
# Blocks that cost what their bytes do.
_PLAIN: Final = frozenset(
    {
        "text", "thinking", "redacted_thinking", "tool_use", "tool_result", "server_tool_use", "search_result",
        "mcp_tool_use", "mcp_tool_result", "web_search_tool_result", "tool_search_tool_result",
        "code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result",
        "compaction", "content",
    }
)  # fmt: skip
_EDITS: Final = ("clear_tool_uses_", "clear_thinking_")  # of context_management: they take away


def unbounded(body: Body) -> str | None:
    """Its name; None: nothing. What cannot be read is named, too."""
    for name, harmless in _FIELDS.items():
        if name in body and bytes(body[name]) not in harmless:
            return name
    if "context_management" in body and not _only_takes_away(body["context_management"]):
        return "context_management"
    found = _of_tools(body.get("tools"))
    if found is not None:
        return found
    try:
        messages = _any.decode(body["messages"])
    except (KeyError, msgspec.DecodeError, RecursionError):
        return "messages"
    for message in messages if isinstance(messages, list) else ():
        found = _of_blocks(message.get("content")) if isinstance(message, dict) else "messages"
        if found is not None:
            return found
    return None


def _only_takes_away(raw: msgspec.Raw) -> bool:
    try:
        value = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    if value is None:
        return True
    edits = value.get("edits") if isinstance(value, dict) else None
    return isinstance(edits, list) and all(
        isinstance(edit, dict) and str(edit.get("type")).startswith(_EDITS) for edit in edits
    )


def _of_tools(raw: msgspec.Raw | None) -> str | None:
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        kinds = [tool.get("type") for tool in _tools.decode(raw)]
    except (msgspec.DecodeError, RecursionError):
        return "tools"
    return next((str(kind)[:40] for kind in kinds if kind not in (None, "custom")), None)


def _of_blocks(content: Any) -> str | None:
    """Of a message's or a tool result's content; these hold no others inside of theirs."""
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            return "messages"
        kind = block.get("type")
        found: str | None = None
        if kind == "document":
            source = block.get("source")
            found = None if isinstance(source, dict) and source.get("type") == "text" else "document"
        elif kind == "tool_result":
            found = _of_blocks(block.get("content"))
        elif kind not in _PLAIN:
            found = str(kind)[:40]
        if found is not None:
            return found
    return None
