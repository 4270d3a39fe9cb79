"""Messages of the hub as `systemInstruction` and `contents`.

Neighbours of one role stay apart, which Google takes. A system message that is not at the start goes there, since this
wire has no other place for it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from encke.core.chat import (
    Audio,
    File,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from encke.dialects.google_generate.render_parts import (
    call_part,
    foreign_part,
    media_part,
    result_part,
    text_part,
)
from encke.dialects.google_generate.signature import ORIGIN, SENTINEL


class Contents:
    """Renders messages. `newer`: the model is of Google's series 3 or later, which wants a signature on calls, and
    takes media in results and a resolution on each. `dropped` collects what cannot be said, by the hub's names."""

    __slots__ = ("_names", "_newer", "contents", "dropped", "system")

    def __init__(self, newer: bool) -> None:
        self._newer = newer
        self._names: dict[str, str] = {}
        self.contents: list[Any] = []
        self.system: list[Any] = []
        self.dropped: dict[str, None] = {}

    def add(self, at: int, message: Message) -> None:
        """The message at index `at`."""
        if message.name:
            self._drop(f"messages[{at}].name")
        if message.role in ("system", "developer"):
            if self.contents:
                self._drop(f"messages[{at}].role")
            for j, part in enumerate(message.parts):
                self._see_cache(part, f"messages[{at}].content[{j}]")
                if isinstance(part, Text):
                    self.system.append({"text": part.text})
            return
        if message.role == "tool":
            parts = self._results(at, message)
        elif message.role == "assistant":
            parts = self._said(at, message)
        else:
            parts = [made for j, part in enumerate(message.parts) if (made := self._asked(part, at, j)) is not None]
        role = "model" if message.role == "assistant" else "user"
        self.contents.append({"role": role, "parts": parts or [{"text": ""}]})

    def _drop(self, name: str) -> None:
        self.dropped[name] = None

    def _see_cache(self, part: Part, where: str) -> None:
        if getattr(part, "cache", None) is not None:
            self._drop(f"{where}.cache")
        if getattr(part, "citations", ()):
            self._drop(f"{where}.citations")

    def _asked(self, part: Part, at: int, j: int) -> Any:
        where = f"messages[{at}].content[{j}]"
        self._see_cache(part, where)
        if isinstance(part, Text | Refusal):
            return text_part(part)
        if isinstance(part, Image | File | Audio):
            return self._media(part, where)
        made = foreign_part(part) if isinstance(part, Foreign) else None
        if made is None:
            self._drop(where)
        return made

    def _media(self, part: Image | File | Audio, where: str) -> dict[str, Any] | None:
        made, whole = media_part(part, per_part_detail=self._newer)
        if made is None:
            self._drop(where)
        elif not whole:
            self._drop(f"{where}.detail")
        elif isinstance(part, File):
            for name, lost in (("context", part.context), ("citable", part.citable), ("name", part.text and part.name)):
                if lost:
                    self._drop(f"{where}.{name}")
        return made

    def _said(self, at: int, message: Message) -> list[Any]:
        parts: list[Any] = []
        signed = not self._newer or any(
            isinstance(part, ToolCall) and part.signature and part.origin == ORIGIN for part in message.parts
        )
        for j, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                signature = part.signature if part.origin == ORIGIN else ""
                if not signature and not signed:
                    signature = SENTINEL
                signed = True
                self._names[part.id] = part.name
                self._see_cache(part, f"messages[{at}].content[{j}]")
                made, whole = call_part(part, signature)
                if not whole:
                    self._drop(f"messages[{at}].content[{j}].arguments")
                parts.append(made)
            elif isinstance(part, Thinking):
                self._thought(part, parts)
            else:
                made_one = self._asked(part, at, j)
                if made_one is not None:
                    parts.append(made_one)
        return parts

    def _thought(self, part: Thinking, parts: list[Any]) -> None:
        """Google's own go back as they came. Others', and those that nobody has signed, are of no use to it."""
        if part.origin != ORIGIN or not part.signature:
            self._drop("thinking")
        elif part.redacted:
            parts.append({"text": "", "thoughtSignature": part.signature})
        else:
            parts.append({"text": part.text, "thought": True, "thoughtSignature": part.signature})

    def _results(self, at: int, message: Message) -> list[Any]:
        parts: list[Any] = []
        after: list[Any] = []
        for j, result in enumerate(message.parts):
            if not isinstance(result, ToolResult):
                continue
            self._see_cache(result, f"messages[{at}].content[{j}]")
            made = result_part(result, result.name or self._names.get(result.id) or result.id or "tool")
            media = [
                made_one
                for k, one in enumerate(result.parts)
                if (made_one := self._attached(one, at, j, k)) is not None
            ]
            if self._newer and media:
                made["functionResponse"]["parts"] = media
            else:
                after.extend(media)  # older models see what is beside the results
            parts.append(made)
        return parts + after

    def _attached(self, part: Text | Image | File, at: int, j: int, k: int) -> dict[str, Any] | None:
        where = f"messages[{at}].content[{j}].content[{k}]"
        self._see_cache(part, where)
        if isinstance(part, Text):
            return None
        made = self._media(part, where)
        if made is not None and self._newer and "text" in made:
            return {"inlineData": {"mimeType": "text/plain", "data": _base64(made["text"])}}
        return made


def _base64(text: str) -> str:
    return msgspec.json.encode(text.encode("utf-8", "replace")).decode().strip('"')
