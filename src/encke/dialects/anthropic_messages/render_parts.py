"""The hub's parts, as blocks of a request."""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from encke.core.chat import (
    Audio,
    CacheTtl,
    File,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from encke.dialects.anthropic_messages.names import ORIGIN
from encke.dialects.anthropic_messages.tools import ToolNames, input_of, wire_id
from encke.dialects.losses import Losses, plain_text

Block = dict[str, Any]
MOST_MARKS: Final = 4
_MARKS: Final[dict[str, Block]] = {"5m": {"type": "ephemeral"}, "1h": {"type": "ephemeral", "ttl": "1h"}}


class Parts:
    """Makes blocks. `marks` is how many cache marks the request has: only so many may go out, and the later ones are
    worth more, since each covers all that stands before it."""

    __slots__ = ("_losses", "_names", "_skip")

    def __init__(self, names: ToolNames, losses: Losses, marks: int, room: int = MOST_MARKS) -> None:
        self._names = names
        self._losses = losses
        self._skip = marks - room

    def mark(self, block: Block, cache: CacheTtl | None, path: str) -> Block:
        """Put a cache mark on a block."""
        if cache is not None:
            self._skip -= 1
            if self._skip >= 0:
                self._losses.add(f"{path}.cache")
            else:
                block["cache_control"] = _MARKS[cache]
        return block

    def said(self, parts: tuple[Part, ...], path: str) -> list[Any]:
        """The blocks of a message of the user's. Texts of white space are refused here, and say nothing."""
        made: list[Any] = []
        for index, part in enumerate(parts):
            where = f"{path}.content[{index}]"
            block: Block | None = None
            if isinstance(part, Text):
                block = self.text(part, where) if part.text.strip() else None
            elif isinstance(part, Image):
                block = self._image(part, where)
            elif isinstance(part, File):
                block = self._file(part, where)
            elif isinstance(part, Foreign) and part.origin == ORIGIN:
                made.append(msgspec.Raw(part.raw))
            else:
                self._losses.add(where)
            if block is not None:
                made.append(block)
        return made

    def answered(self, parts: tuple[Part, ...], path: str) -> list[Any]:
        """The blocks of a message of the model's. Of white space alone none is made."""
        made: list[Any] = []
        if all(isinstance(part, Text) and not part.text.strip() for part in parts):
            return made
        for index, part in enumerate(parts):
            where = f"{path}.content[{index}]"
            if isinstance(part, Text):
                if part.text:
                    made.append(self.text(part, where))
            elif isinstance(part, ToolCall):
                made.append(self._call(part, where))
            elif isinstance(part, Thinking):
                self._think(made, part)
            elif isinstance(part, Refusal):
                if part.text.strip():
                    made.append({"type": "text", "text": part.text})
            elif isinstance(part, Foreign) and part.origin == ORIGIN:
                made.append(msgspec.Raw(part.raw))
            elif isinstance(part, Audio) and part.transcript.strip():
                made.append({"type": "text", "text": part.transcript})
                self._losses.add(where)
            else:
                self._losses.add(where)
        return made

    def results(self, parts: tuple[Part, ...], path: str) -> list[Block]:
        """What tools gave."""
        made: list[Block] = []
        for index, part in enumerate(parts):
            where = f"{path}.content[{index}]"
            if not isinstance(part, ToolResult):
                self._losses.add(where)
                continue
            block: Block = {"type": "tool_result", "tool_use_id": wire_id(part.id)}
            content = self.said(part.parts, where)
            if len(content) == 1 and isinstance(content[0], dict) and list(content[0]) == ["type", "text"]:
                block["content"] = content[0]["text"]
            elif content:
                block["content"] = content
            if part.error:
                block["is_error"] = True
            made.append(self.mark(block, part.cache, where))
        return made

    def text(self, part: Text, path: str) -> Block:
        """A text, with what it cites if that is of this dialect."""
        block: Block = {"type": "text", "text": part.text}
        cited = [msgspec.Raw(one.raw) for one in part.citations if one.origin == ORIGIN and one.raw]
        if cited:
            block["citations"] = cited
        if len(cited) < len(part.citations):
            self._losses.add(f"{path}.citations")
        if part.signature:
            self._losses.add("thinking")
        return self.mark(block, part.cache, path)

    def _image(self, part: Image, path: str) -> Block | None:
        if part.data:
            source: Block = {"type": "base64", "media_type": part.media_type or "image/png", "data": part.data}
        elif part.url:
            source = {"type": "url", "url": part.url}
        elif part.file_id and part.origin == ORIGIN:
            source = {"type": "file", "file_id": part.file_id}
        else:
            self._losses.add(path)
            return None
        if part.detail not in ("", "auto"):
            self._losses.add(f"{path}.detail")
        return self.mark({"type": "image", "source": source}, part.cache, path)

    def _file(self, part: File, path: str) -> Block | None:
        source = _source(part)
        if source is None:
            self._losses.add(path)
            return None
        if part.media_type.startswith("image/") and "data" in source:
            return self.mark({"type": "image", "source": source}, part.cache, path)
        block: Block = {"type": "document", "source": source}
        if part.name:
            block["title"] = part.name
        if part.context:
            block["context"] = part.context
        if part.citable:
            block["citations"] = {"enabled": True}
        return self.mark(block, part.cache, path)

    def _call(self, part: ToolCall, path: str) -> Block:
        given = msgspec.Raw(msgspec.json.encode({"input": part.arguments})) if part.custom else input_of(part.arguments)
        if part.signature and part.origin != ORIGIN:
            self._losses.add("thinking")
        block: Block = {"type": "tool_use", "id": wire_id(part.id), "name": self._names.wire(part.name), "input": given}
        return self.mark(block, part.cache, path)

    def _think(self, made: list[Any], part: Thinking) -> None:
        if part.origin != ORIGIN or not part.signature:
            self._losses.add("thinking")
        elif part.redacted:
            made.append({"type": "redacted_thinking", "data": part.signature})
        else:
            made.append({"type": "thinking", "thinking": part.text, "signature": part.signature})


def _source(part: File) -> Block | None:
    """Where a document is, or all of it: pages, an image, or plain text; nothing else is taken."""
    if part.url:
        return {"type": "url", "url": part.url}
    if part.file_id:
        return {"type": "file", "file_id": part.file_id} if part.origin == ORIGIN else None
    text = plain_text(part)
    if text is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    media_type = part.media_type or _guess(part.data)
    if media_type == "application/pdf" or media_type.startswith("image/"):
        return {"type": "base64", "media_type": media_type, "data": part.data}
    return None


def _guess(data: str) -> str:
    try:
        return "application/pdf" if base64.b64decode(data[:8]).startswith(b"%PDF") else ""
    except ValueError:
        return ""
