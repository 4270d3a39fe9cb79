"""The messages of a request in Ollama's words."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import (
    File,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from encke.dialects.losses import Losses, plain_text

ORIGIN: Final = "ollama_chat"
_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def render_messages(messages: tuple[Message, ...], losses: Losses) -> list[dict[str, Any]]:
    """All of them. A message of tools becomes one for each result."""
    rendered: list[dict[str, Any]] = []
    names: dict[str, str] = {}  # of the tools, by the ids of their calls
    for at, message in enumerate(messages):
        path = f"messages[{at}]"
        if message.name:
            losses.add(f"{path}.name")
        if message.role == "tool":
            rendered.extend(_results(message, path, names, losses))
            continue
        one = _Body(losses)
        for place, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                names[part.id] = part.name
            one.add(part, f"{path}.content[{place}]")
        rendered.append({"role": _ROLES[message.role], **one.fields()})
    return rendered


class _Body:
    """What a message holds, sorted by the fields that it goes into."""

    __slots__ = ("_calls", "_images", "_losses", "_texts", "_thoughts")

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._images: list[str] = []
        self._calls: list[dict[str, Any]] = []

    def add(self, part: Part, path: str) -> None:
        """One more part."""
        if isinstance(part, Text | Image | File | ToolCall):
            self._losses.add_marks(part, path)
        if isinstance(part, Text | Refusal):
            self._texts.append(part.text)
            if isinstance(part, Text) and part.citations:
                self._losses.add(f"{path}.citations")
        elif isinstance(part, Thinking):
            if part.text and not part.signature and part.origin in ("", ORIGIN):
                self._thoughts.append(part.text)
            else:
                self._losses.add("thinking")
        elif isinstance(part, Image) and part.data:
            self._images.append(part.data)
            if part.detail not in ("", "auto"):
                self._losses.add(f"{path}.detail")
        elif isinstance(part, ToolCall):
            self._calls.append(self._call(part, path))
        else:
            text = plain_text(part) if isinstance(part, File) else None
            if isinstance(part, File) and text is not None:
                self._texts.append(_document(part, text))
                if part.citable:
                    self._losses.add(f"{path}.citable")
            else:
                self._losses.add(path)

    def fields(self) -> dict[str, Any]:
        """The fields of the message."""
        fields: dict[str, Any] = {"content": "\n\n".join(self._texts)}
        if self._thoughts:
            fields["thinking"] = "\n\n".join(self._thoughts)
        if self._images:
            fields["images"] = self._images
        if self._calls:
            fields["tool_calls"] = self._calls
        return fields

    def _call(self, call: ToolCall, path: str) -> dict[str, Any]:
        arguments: Any = {"input": call.arguments}
        if not call.custom:
            try:
                arguments = _object.decode(call.arguments.strip() or "{}")
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                self._losses.add(path)  # Ollama takes nothing but an object: what the model wrote stands in one
        function = {"index": len(self._calls), "name": call.name, "arguments": arguments}
        return {"id": call.id, "function": function}


def _results(message: Message, path: str, names: dict[str, str], losses: Losses) -> list[dict[str, Any]]:
    rendered = []
    for place, result in enumerate(message.parts):
        if not isinstance(result, ToolResult):
            continue
        one = _Body(losses)
        for at, part in enumerate(result.parts):
            one.add(part, f"{path}.content[{place}].content[{at}]")
        losses.add_marks(result, f"{path}.content[{place}]")
        if result.error:
            losses.add(f"{path}.content[{place}].error")
        rendered.append(
            {
                "role": "tool",
                "tool_name": result.name or names.get(result.id, ""),
                "tool_call_id": result.id,
                **one.fields(),
            }
        )
    return rendered


def _document(file: File, text: str) -> str:
    """A document among texts, with its name and what it is, where that is told."""
    told = {"name": file.name, "context": file.context}
    marks = "".join(f' {mark}="{value.replace(chr(34), chr(39))}"' for mark, value in told.items() if value)
    return f"<document{marks}>\n{text}\n</document>" if marks else text
