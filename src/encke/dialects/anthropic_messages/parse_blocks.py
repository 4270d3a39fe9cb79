"""Blocks of content, into the hub's parts.

A block that only this dialect knows is kept as it is, as `Foreign`. Fields of known blocks that the hub has no place
for are collected by name, so that whoever writes the request elsewhere tells that they are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from encke.core.chat import (
    CacheTtl,
    Citation,
    File,
    Foreign,
    Image,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from encke.dialects.anthropic_messages.block_wire import (
    CacheControl,
    MediaBlock,
    RedactedBlock,
    SearchResultBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    WireCitation,
)
from encke.dialects.anthropic_messages.names import ORIGIN
from encke.dialects.carrier import unwrap
from encke.dialects.data_url import checked, split
from encke.dialects.places import Places
from encke.dialects.strays import read_text
from encke.dialects.typed import invalid, is_set, missing, read, read_list, read_map, read_string, unknown

_text: Final = msgspec.json.Decoder(TextBlock)
_media: Final = msgspec.json.Decoder(MediaBlock)
_found: Final = msgspec.json.Decoder(SearchResultBlock)
_tool_use: Final = msgspec.json.Decoder(ToolUseBlock)
_tool_result: Final = msgspec.json.Decoder(ToolResultBlock)
_reference: Final = msgspec.json.Decoder(ToolReferenceBlock)
_thinking: Final = msgspec.json.Decoder(ThinkingBlock)
_redacted: Final = msgspec.json.Decoder(RedactedBlock)
_citation: Final = msgspec.json.Decoder(WireCitation)

# Who may say a block, and its fields that have a place in the hub, or need none (`caller` tells who called a tool: if
# it is not told, or "direct", the model itself).
_USER: Final = "user"
_ASSISTANT: Final = "assistant"
_KNOWN: Final[dict[str, frozenset[str]]] = {
    "text": frozenset({"type", "text", "citations", "cache_control"}),
    "image": frozenset({"type", "source", "cache_control"}),
    "document": frozenset({"type", "source", "title", "context", "citations", "cache_control"}),
    "search_result": frozenset({"type", "source", "title", "content", "citations", "cache_control"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
    "tool_reference": frozenset({"type", "tool_name"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
}
# Blocks that only this dialect knows; what its own tools gave, of which there are more with each of them.
_FOREIGN: Final = frozenset(
    {
        "server_tool_use", "mcp_tool_use", "mcp_tool_listing", "container_upload", "compaction", "fallback",
        "tool_addition", "tool_removal", "browser_state",
    }
)  # fmt: skip
_RESULTS: Final = "_tool_result"
_ROLES: Final = {
    "tool_result": _USER,
    "image": _USER,
    "document": _USER,
    "search_result": _USER,
    "tool_use": _ASSISTANT,
    "thinking": _ASSISTANT,
    "redacted_thinking": _ASSISTANT,
}


class Blocks:
    """Reads blocks. `names` are the tools of the calls so far, by id; `lost` what has no place, by its path. `asked`:
    a caller has sent them, whose word for one has to be known."""

    __slots__ = ("_asked", "_places", "lost", "names")

    def __init__(self, *, asked: bool = True, places: Places | None = None) -> None:
        self._asked = asked
        self._places = places
        self.names: dict[str, str] = {}
        self.lost: dict[str, bytes] = {}

    def content(self, raw: msgspec.Raw, role: str, path: str) -> list[Part]:
        """The content of a message: a text, or blocks. Raises Fault with `param` below `path`."""
        if bytes(raw)[:1] == b'"':
            return read_text(raw, path, self._places)
        found: list[Part] = []
        for index, block in enumerate(read_list(raw, path)):
            part = self.block(block, role, f"{path}[{index}]")
            if part is not None:
                found.append(part)
                if self._places is not None:
                    self._places.note(part, f"{path}[{index}]")
        return with_signatures(found) if role == _ASSISTANT else found

    def block(self, raw: msgspec.Raw, role: str, path: str) -> Part | None:
        """A block; None for an empty text."""
        fields = read_map(raw, path)
        if "type" not in fields:
            raise missing(f"{path}.type")
        kind = read_string(fields["type"], f"{path}.type")
        reader = _READERS.get(kind)
        if reader is None:
            # What a model has said may be newer than this; what the user says must not go missing.
            if self._asked and role != _ASSISTANT and kind not in _FOREIGN and not kind.endswith(_RESULTS):
                raise unknown(f"{path}.type", kind, (*_READERS, *sorted(_FOREIGN)))
            return Foreign(ORIGIN, kind, bytes(raw))
        if _ROLES.get(kind, role) != role:
            raise invalid(f"{path}.type", f"cannot be `{kind}` in a message of role `{role}`")
        known = _KNOWN[kind]
        for name, value in fields.items():
            if name not in known and is_set(value) and not _harmless(name, value):
                self.lost[f"{ORIGIN}.{path}.{name}"] = bytes(value)
        return reader(self, raw, path)

    def _text(self, raw: msgspec.Raw, path: str) -> Part | None:
        block = read(raw, _text, path)
        if not block.text:
            return None
        citations = tuple(citation(one) for one in block.citations or ())
        return Text(block.text, cache=ttl(block.cache_control), citations=citations)

    def _image(self, raw: msgspec.Raw, path: str) -> Part:
        block = read(raw, _media, path)
        source, cache = block.source, ttl(block.cache_control)
        if source.type == "base64" and source.data is not None:
            return Image(
                data=checked(source.data, f"{path}.source.data"), media_type=source.media_type or "", cache=cache
            )
        if source.type == "url" and source.url:
            whole = split(source.url, f"{path}.source.url")
            if whole is not None:
                return Image(data=whole[1], media_type=whole[0], cache=cache)
            return Image(url=source.url, cache=cache)
        if source.type == "file" and source.file_id:
            return Image(file_id=source.file_id, origin=ORIGIN, cache=cache)
        raise invalid(f"{path}.source", 'must be of type "base64", "url" or "file", and have what that names')

    def _document(self, raw: msgspec.Raw, path: str) -> Part:
        block = read(raw, _media, path)
        source = block.source
        name, context = block.title or "", block.context or ""
        citable = block.citations is not None and bool(block.citations.enabled)
        made = File(name=name, context=context, citable=citable, cache=ttl(block.cache_control))
        if source.type == "base64" and source.data is not None:
            data = checked(source.data, f"{path}.source.data")
            return _with(made, data=data, media_type=source.media_type or "application/pdf")
        if source.type == "text" and source.data is not None:
            return _with(made, text=source.data, media_type=source.media_type or "text/plain")
        if source.type == "url" and source.url:
            return _with(made, url=source.url)
        if source.type == "file" and source.file_id:
            return _with(made, file_id=source.file_id, origin=ORIGIN)
        if source.type == "content" and len(source.content):
            return self._custom(raw, source.content, made, f"{path}.source.content")
        raise invalid(
            f"{path}.source", 'must be of type "base64", "text", "url", "file" or "content", and have what that names'
        )

    def _custom(self, raw: msgspec.Raw, content: msgspec.Raw, made: File, path: str) -> Part:
        """A document made of blocks: their text, or, with images in it, something that is known here alone."""
        parts = self.content(content, _USER, path)
        texts = [part.text for part in parts if isinstance(part, Text)]
        if len(texts) < len(parts):
            return Foreign(ORIGIN, "document", bytes(raw))
        if len(texts) > 1:
            self.lost[f"{ORIGIN}.{path}"] = bytes(content)  # where one ends and the next begins
        return _with(made, text="\n".join(texts), media_type="text/plain")

    def _search_result(self, raw: msgspec.Raw, path: str) -> Part:
        """Of another wire it is a document: its text, what it is called, and where it is from."""
        block = read(raw, _found, path)
        citable = block.citations is not None and bool(block.citations.enabled)
        text = "\n".join(one.text for one in block.content)
        return File(
            text=text, media_type="text/plain", name=block.title, context=block.source, citable=citable,
            cache=ttl(block.cache_control),
        )  # fmt: skip

    def _tool_use(self, raw: msgspec.Raw, path: str) -> Part:
        block = read(raw, _tool_use, path)
        self.names[block.id] = block.name
        given = bytes(block.input)
        if given[:1] == b'"' and not self._asked:  # some servers write the object as a text
            given = read_string(block.input, path).encode("utf-8", "replace")
        elif given[:1] not in (b"{", b""):
            raise invalid(f"{path}.input", "must be an object")
        return ToolCall(block.id, block.name, given.decode() or "{}", cache=ttl(block.cache_control))

    def _tool_result(self, raw: msgspec.Raw, path: str) -> Part:
        block = read(raw, _tool_result, path)
        parts: list[Text | Image | File] = []
        if is_set(block.content):
            for part in self.content(block.content, _USER, f"{path}.content"):
                if isinstance(part, Text | Image | File):
                    parts.append(part)
                else:
                    self.lost[f"{ORIGIN}.{path}.content.{getattr(part, 'kind', '')}"] = b"{}"
        return ToolResult(
            block.tool_use_id,
            tuple(parts),
            name=self.names.get(block.tool_use_id, ""),
            error=bool(block.is_error),
            cache=ttl(block.cache_control),
        )

    def _tool_reference(self, raw: msgspec.Raw, path: str) -> Part:
        return Text(read(raw, _reference, path).tool_name)

    def _thinking(self, raw: msgspec.Raw, path: str) -> Part:
        block = read(raw, _thinking, path)
        if not block.signature:
            return Thinking(block.thinking)
        origin, signature, id = unwrap(block.signature, ORIGIN)
        return Thinking(block.thinking, signature, origin, id=id)

    def _redacted(self, raw: msgspec.Raw, path: str) -> Part:
        origin, signature, id = unwrap(read(raw, _redacted, path).data, ORIGIN)
        return Thinking("", signature, origin, redacted=True, id=id)


_READERS: Final[dict[str, Callable[[Blocks, msgspec.Raw, str], Part | None]]] = {
    "text": Blocks._text,
    "image": Blocks._image,
    "document": Blocks._document,
    "search_result": Blocks._search_result,
    "tool_use": Blocks._tool_use,
    "tool_result": Blocks._tool_result,
    "tool_reference": Blocks._tool_reference,
    "thinking": Blocks._thinking,
    "redacted_thinking": Blocks._redacted,
}

# What a carrier's id says that holds the signature of something which has no place for one on this wire.
OF_CALL: Final = "call:"
OF_TEXT: Final = "text:"


def with_signatures(parts: list[Part]) -> list[Part]:
    """Signatures of calls and texts, which stand beside them in carriers, where they belong."""
    calls: dict[str, Thinking] = {}
    kept: list[Part] = []
    at = -1  # the last text
    for part in parts:
        if isinstance(part, Thinking) and part.redacted and part.id.startswith((OF_CALL, OF_TEXT)):
            if part.id.startswith(OF_CALL):
                calls[part.id[len(OF_CALL) :]] = part
                continue
            text = kept[at] if at >= 0 else None
            if isinstance(text, Text):
                kept[at] = msgspec.structs.replace(text, signature=part.signature, origin=part.origin)
                continue
            part = msgspec.structs.replace(part, id="")
        elif isinstance(part, Text):
            at = len(kept)
        kept.append(part)
    if not calls:
        return kept
    return [_signed(part, calls) if isinstance(part, ToolCall) else part for part in kept]


def _signed(call: ToolCall, carriers: dict[str, Thinking]) -> ToolCall:
    carrier = carriers.get(call.id)
    if carrier is None:
        return call
    return msgspec.structs.replace(call, signature=carrier.signature, origin=carrier.origin)


def citation(raw: msgspec.Raw) -> Citation:
    """A citation of any kind; one that cannot be read is kept as it is."""
    try:
        wire = _citation.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Citation(raw=bytes(raw), origin=ORIGIN)
    title = wire.title or wire.document_title or ""
    return Citation(
        url=wire.url or wire.source or "", title=title, quote=wire.cited_text, raw=bytes(raw), origin=ORIGIN,
        file_id=wire.file_id or "",
    )  # fmt: skip


def ttl(mark: CacheControl | None) -> CacheTtl | None:
    """How long a cache mark keeps."""
    if mark is None:
        return None
    return "1h" if mark.ttl == "1h" else "5m"


def _harmless(name: str, value: msgspec.Raw) -> bool:
    if name != "caller":
        return False
    found: Any = read_map(value, name).get("type")
    return found is not None and bytes(found) == b'"direct"'


def _with(file: File, **more: str) -> File:
    return msgspec.structs.replace(file, **more)
