"""Messages from the hub onto Mistral's wire.

Source: the models of Mistral's client-python (AssistantMessage, ToolMessage, ContentChunk and its kinds), and the
recordings. Thoughts are parts of the content, {"type": "thinking", "thinking": [{"type": "text", "text": …}]};
documents have an address, which may be a `data:` one; sound is its base64 alone.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Audio, CacheTtl, File, Foreign, Message, Part, Refusal, Thinking, ToolCall
from encke.core.traits import Traits
from encke.dialects import data_url
from encke.dialects.losses import Losses
from encke.dialects.mistral_chat.ids import CallIds
from encke.dialects.openai_chat.render_messages import THINKING, TOOL_IMAGES, MessageWriter
from encke.dialects.openai_chat.render_parts import PartWriter

ORIGIN: Final = "mistral_chat"


class MistralParts(PartWriter):
    """Parts of content."""

    def part(self, part: Part, path: str) -> Any | None:
        """See `PartWriter`."""
        if isinstance(part, Refusal):
            self.losses.add(f"{path}.type")
            return {"type": "text", "text": part.text}
        if isinstance(part, Foreign) and part.origin == ORIGIN:
            return msgspec.Raw(part.raw)
        if isinstance(part, Foreign):
            self.losses.add(path)
            return None
        return super().part(part, path)

    def marked(self, made: dict[str, Any], cache: CacheTtl | None, path: str) -> dict[str, Any]:
        """There are no prompt-cache marks."""
        if cache is not None:
            self.losses.add(f"{path}.cache")
        return made

    def file(self, file: File, path: str) -> dict[str, Any] | None:
        """A document by its address, or in it; Mistral's own file by its id."""
        if file.text:
            return super().file(file, path)
        if file.citable:
            self.losses.add(f"{path}.citable")
        if file.context:
            self.losses.add(f"{path}.context")
        if file.file_id:
            return {"type": "file", "file_id": file.file_id} if file.origin == ORIGIN else None
        url = data_url.join(file.media_type, file.data) if file.data else file.url
        if not url:
            return None
        made = {"type": "document_url", "document_url": url}
        if file.name:
            made["document_name"] = file.name
        return made

    def audio(self, audio: Audio) -> dict[str, Any] | None:
        """Sound; its form is seen from it."""
        return {"type": "input_audio", "input_audio": audio.data} if audio.data else None


class MistralMessages(MessageWriter):
    """Messages one after the other."""

    def __init__(self, losses: Losses, traits: Traits) -> None:
        super().__init__(losses, traits)
        self.extensions = (TOOL_IMAGES,)
        self.parts = MistralParts(losses, ())
        self._ids = CallIds()
        self._thinks = bool(traits.capabilities.thinking)

    def role(self, role: str) -> str:
        """There is no developer."""
        return "system" if role == "developer" else role

    def write(self, message: Message, path: str) -> None:
        """The next message."""
        if message.name and message.role != "tool":
            self.losses.add(f"{path}.name")
            message = msgspec.structs.replace(message, name="")
        super().write(message, path)

    def assistant(self, message: Message, made: dict[str, Any], path: str) -> None:
        """What an assistant said; thoughts stand in the content, before the rest."""
        thoughts: list[Any] = []
        content: list[tuple[Part, str]] = []
        calls: list[Any] = []
        for at, part in enumerate(message.parts):
            where = f"{path}.content[{at}]"
            if isinstance(part, Thinking):
                if self._thinks and (part.origin == ORIGIN if part.signature else part.text):
                    thoughts.append(_thought(part))
                else:
                    self.losses.add(THINKING)
            elif isinstance(part, ToolCall):
                if part.custom:
                    self.losses.add(where)
                else:
                    calls.append(self.call(part, where))
            elif isinstance(part, Audio):
                self.losses.add(where)
            else:
                content.append((part, where))
        said = self.parts.content(content) if content else ""
        if thoughts:
            said = [*thoughts, {"type": "text", "text": said}] if isinstance(said, str) and said else [*thoughts, *said]
        made["content"] = said
        if calls:
            made["tool_calls"] = calls

    def call(self, call: ToolCall, path: str) -> dict[str, Any]:
        """A tool call."""
        made = super().call(call, path)
        made["id"] = self._ids.fit(call.id)
        if made.pop("extra_content", None) is not None:
            self.losses.add(THINKING)
        return made

    def results(self, message: Message, path: str) -> None:
        """Results; pictures have room in them."""
        before = len(self.written)
        super().results(message, path)
        for made in self.written[before:]:
            if "tool_call_id" in made:
                made["tool_call_id"] = self._ids.fit(made["tool_call_id"])


def _thought(part: Thinking) -> dict[str, Any]:
    """A thought, with its signature if Mistral has given it."""
    texts = [{"type": "text", "text": part.text}] if part.text else []
    made: dict[str, Any] = {"type": "thinking", "thinking": texts}
    if part.signature:
        made["signature"] = part.signature
    return made
