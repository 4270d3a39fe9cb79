"""The messages of a request in Cohere's words."""

from __future__ import annotations

from typing import Any, Final

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
from encke.dialects.losses import Losses, plain_text

ORIGIN: Final = "cohere_chat"
_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class Conversation:
    """Renders messages. `documents`: those that stood in messages; Cohere has them beside the messages."""

    __slots__ = ("_losses", "documents")

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self.documents: list[dict[str, Any]] = []

    def render(self, messages: tuple[Message, ...]) -> list[dict[str, Any]]:
        """All of them. A message of tools becomes one for each result."""
        rendered: list[dict[str, Any]] = []
        for at, message in enumerate(messages):
            path = f"messages[{at}]"
            if message.name:
                self._losses.add(f"{path}.name")
            if message.role == "tool":
                rendered.extend(self._results(message, path))
            elif message.role == "assistant":
                rendered.append(self._answer(message, path))
            else:
                content = [
                    block
                    for place, part in enumerate(message.parts)
                    if (block := self._block(part, f"{path}.content[{place}]"))
                ]
                rendered.append({"role": _ROLES[message.role], "content": _joined(content)})
        return rendered

    def _block(self, part: Part, path: str) -> dict[str, Any] | None:
        if isinstance(part, Text | Image | File):
            self._losses.add_marks(part, path)
        if isinstance(part, Text | Refusal):
            if isinstance(part, Text) and part.citations:
                self._losses.add(f"{path}.citations")
            return {"type": "text", "text": part.text}
        if isinstance(part, Image) and (part.url or part.data):
            url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
            image = {"url": url, "detail": part.detail} if part.detail else {"url": url}
            return {"type": "image_url", "image_url": image}
        if isinstance(part, File):
            text = plain_text(part)
            if text is not None:
                self.documents.append(_document(part, text, f"file_{len(self.documents)}"))
                return None
        self._losses.add(path)
        return None

    def _answer(self, message: Message, path: str) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        cited: list[msgspec.Raw] = []
        for place, part in enumerate(message.parts):
            if isinstance(part, Text | ToolCall):
                self._losses.add_marks(part, f"{path}.content[{place}]")
            if isinstance(part, Text | Refusal):
                content.append({"type": "text", "text": part.text})
                if isinstance(part, Text):
                    self._cite(part, cited, f"{path}.content[{place}].citations")
            elif isinstance(part, Thinking):
                if part.text and not part.signature and part.origin in ("", ORIGIN):
                    content.append({"type": "thinking", "thinking": part.text})
                else:
                    self._losses.add("thinking")
            elif isinstance(part, ToolCall):
                calls.append(_call(part))
            elif isinstance(part, Image | File | Audio | Foreign):
                self._losses.add(f"{path}.content[{place}]")
        rendered: dict[str, Any] = {"role": "assistant"}
        if calls:
            plan = "\n\n".join(block["text"] for block in content if block["type"] == "text")
            content = [block for block in content if block["type"] == "thinking"]
            if plan:
                rendered["tool_plan"] = plan
            rendered["tool_calls"] = calls
        if content or not calls:
            rendered["content"] = _joined(content)
        if cited:
            rendered["citations"] = cited
        return rendered

    def _cite(self, part: Text, cited: list[msgspec.Raw], path: str) -> None:
        for citation in part.citations:
            if citation.origin != ORIGIN:
                self._losses.add(path)
            elif citation.raw:
                cited.append(msgspec.Raw(citation.raw))

    def _results(self, message: Message, path: str) -> list[dict[str, Any]]:
        rendered = []
        for place, result in enumerate(message.parts):
            if isinstance(result, ToolResult):
                self._losses.add_marks(result, f"{path}.content[{place}]")
                if result.error:
                    self._losses.add(f"{path}.content[{place}].error")
                content = self._given(result, f"{path}.content[{place}]")
                rendered.append({"role": "tool", "tool_call_id": result.id, "content": content})
        return rendered

    def _given(self, result: ToolResult, path: str) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = []
        for place, part in enumerate(result.parts):
            self._losses.add_marks(part, f"{path}.content[{place}]")
            text = plain_text(part) if isinstance(part, File) else None
            if isinstance(part, Text):
                content.append({"type": "text", "text": part.text})
            elif isinstance(part, File) and text is not None:
                content.append({"type": "document", "document": _document(part, text, "")})
            else:
                self._losses.add(f"{path}.content[{place}]")
        return content or [{"type": "text", "text": ""}]


def _joined(content: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One text is a string, as nothing is; Cohere refuses empty lists."""
    if not content:
        return ""
    return content[0]["text"] if len(content) == 1 and content[0]["type"] == "text" else content


def _document(file: File, text: str, id: str) -> dict[str, Any]:
    data = {"title": file.name, "context": file.context, "text": text}
    document: dict[str, Any] = {"data": {name: value for name, value in data.items() if value}}
    if id:
        document["id"] = id
    return document


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = call.arguments.strip() or "{}"
    if call.custom:
        arguments = msgspec.json.encode({"input": call.arguments}).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
