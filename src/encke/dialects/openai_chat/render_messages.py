"""Messages from the hub onto this wire."""

from __future__ import annotations

from typing import Any, Final

from encke.core.chat import (
    Audio,
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
from encke.core.traits import Traits
from encke.dialects.losses import Losses
from encke.dialects.openai_chat.parts import ORIGIN
from encke.dialects.openai_chat.render_parts import PartWriter
from encke.dialects.openai_chat.thoughts import details_of, extra_content

THINKING: Final = "thinking"
DETAILS: Final = "reasoning_details"
_THOUGHT_FIELDS: Final = ("reasoning_content", "reasoning")
TOOL_IMAGES: Final = "tool_images"


class MessageWriter:
    """Writes messages one after the other."""

    def __init__(self, losses: Losses, traits: Traits) -> None:
        self.losses = losses
        self.extensions = traits.extensions
        self.parts = PartWriter(losses, traits.extensions)
        self.written: list[dict[str, Any]] = []

    def write(self, message: Message, path: str) -> None:
        """The next message."""
        if message.role == "tool":
            self.results(message, path)
            return
        made: dict[str, Any] = {"role": self.role(message.role)}
        if message.name:
            made["name"] = message.name
        if message.role == "assistant":
            self.assistant(message, made, path)
        else:
            made["content"] = self.parts.content(_placed(message.parts, path))
        self.written.append(made)

    def role(self, role: str) -> str:
        """The wire's word for a role."""
        return role

    def assistant(self, message: Message, made: dict[str, Any], path: str) -> None:
        """What an assistant said: content, thoughts, calls."""
        content: list[tuple[Part, str]] = []
        thoughts: list[Thinking] = []
        calls: list[Any] = []
        refusals = sum(isinstance(part, Refusal) for part in message.parts)
        for part, where in _placed(message.parts, path):
            if isinstance(part, Thinking):
                thoughts.append(part)
            elif isinstance(part, ToolCall):
                calls.append(self.call(part, where))
            elif isinstance(part, Audio):
                self._spoken(part, made, where)
            elif isinstance(part, (Image, File)):
                self.losses.add(where)
            elif isinstance(part, Refusal) and refusals == 1:
                made["refusal"] = part.text
            else:
                if isinstance(part, Text) and part.signature and part.origin == ORIGIN:
                    made["extra_content"] = extra_content(part.signature, ORIGIN)
                    part = Text(part.text, cache=part.cache, citations=part.citations)
                content.append((part, where))
        self.thoughts(thoughts, made)
        if content or not (calls or "refusal" in made or "audio" in made):
            made["content"] = self.parts.content(content)
        else:
            made["content"] = None
        if calls:
            made["tool_calls"] = calls

    def thoughts(self, thoughts: list[Thinking], made: dict[str, Any]) -> None:
        """What was thought, where the provider takes it back: in its own entries, or as text that nobody signed."""
        if not thoughts:
            return
        if DETAILS in self.extensions:
            mine = [thought for thought in thoughts if _is_own(thought)]
            details = [detail for at, thought in enumerate(mine) for detail in details_of(thought, at)]
            if details:
                made[DETAILS] = details
        else:
            field = next((name for name in _THOUGHT_FIELDS if name in self.extensions), "")
            mine = [thought for thought in thoughts if field and not thought.signature]
            if mine:
                made[field] = "".join(thought.text for thought in mine)
        if len(mine) < len(thoughts):
            self.losses.add(THINKING)

    def _spoken(self, audio: Audio, made: dict[str, Any], path: str) -> None:
        if audio.id and "audio" not in made:
            made["audio"] = {"id": audio.id}
        else:
            self.losses.add(path)

    def call(self, call: ToolCall, path: str) -> dict[str, Any]:
        """A tool call."""
        if call.cache is not None:
            self.losses.add(f"{path}.cache")
        if call.custom:
            return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        function = {"name": call.name, "arguments": call.arguments if call.arguments.strip() else "{}"}
        made: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
        if call.signature:
            if call.origin == ORIGIN:
                made["extra_content"] = extra_content(call.signature, ORIGIN)
            else:
                self.losses.add(THINKING)
        return made

    def results(self, message: Message, path: str) -> None:
        """Results, each a message. Pictures and files, which a tool's message has no room for, follow in one of the
        user's."""
        beside: list[tuple[Part, str]] = []
        for at, result in enumerate(message.parts):
            where = f"{path}.content[{at}]"
            if not isinstance(result, ToolResult):
                self.losses.add(where)
                continue
            inside: list[tuple[Part, str]] = []
            for part, place in _placed(result.parts, where):
                if isinstance(part, Text) or TOOL_IMAGES in self.extensions:
                    inside.append((part, place))
                else:
                    beside.append((part, place))
            if result.error:
                self.losses.add(f"{where}.error")
            if result.cache is not None:
                self.losses.add(f"{where}.cache")
            made: dict[str, Any] = {"role": "tool", "tool_call_id": result.id, "content": self.parts.content(inside)}
            if result.name:
                made["name"] = result.name
            self.written.append(made)
        if beside:
            content = self.parts.content(beside)
            if content:
                self.written.append({"role": "user", "content": content})


def _is_own(thought: Thinking) -> bool:
    return not thought.signature or thought.origin == ORIGIN


def _placed(parts: tuple[Any, ...], path: str) -> list[tuple[Any, str]]:
    return [(part, f"{path}.content[{at}]") for at, part in enumerate(parts)]
