"""Messages from the hub as the items of `input`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import (
    CacheTtl,
    Citation,
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
from encke.core.traits import Traits
from encke.dialects import data_url
from encke.dialects.losses import Losses
from encke.dialects.openai_responses.parts import UNNAMED_FILE
from encke.dialects.openai_responses.wire import NAME

THINKING: Final = "thinking"
BREAKPOINT: Final = "prompt_cache_breakpoint"
# Whose files have ids that this wire knows too: they lie in one store.
_OPENAI: Final = frozenset({NAME, "openai_chat"})
_ENDS: Final = {"application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "application/json": "json"}


class ItemWriter:
    """Writes messages one after the other."""

    def __init__(self, losses: Losses, traits: Traits) -> None:
        self.items: list[Any] = []
        self._losses = losses
        self._breakpoints = BREAKPOINT in traits.extensions

    def write(self, message: Message, path: str) -> None:
        """The next message."""
        if message.name:
            self._losses.add(f"{path}.name")
        if message.role == "tool":
            for at, part in enumerate(message.parts):
                if isinstance(part, ToolResult):
                    self._result(part, f"{path}.content[{at}]")
                else:
                    self._losses.add(f"{path}.content[{at}]")
        elif message.role == "assistant":
            self._assistant(message, path)
        else:
            content = self._content(message.parts, path)
            # What had parts, of which none can be said here, is not said as nothing.
            if content or not message.parts:
                self.items.append({"role": message.role, "content": content})

    def _assistant(self, message: Message, path: str) -> None:
        """Thoughts and calls are items of their own; texts between them are one."""
        said: list[Any] = []
        for at, part in enumerate(message.parts):
            where = f"{path}.content[{at}]"
            if isinstance(part, (Text, Refusal)):
                said.append(self._said(part, where))
                continue
            item = self._item(part, where)
            if item is not None:
                self._say(said)
                said = []
                self.items.append(item)
        if said or not message.parts:
            self._say(said, empty=True)
        elif message.parts:
            self._end_without_thoughts()

    def _end_without_thoughts(self) -> None:
        """A thought that nothing follows is refused: OpenAI wants the item that came of it."""
        while self.items and isinstance(self.items[-1], dict) and self.items[-1].get("type") == "reasoning":
            self.items.pop()
            self._losses.add(THINKING)

    def _say(self, said: list[Any], *, empty: bool = False) -> None:
        if len(said) == 1 and len(said[0]) == 2 and "text" in said[0]:
            self.items.append({"role": "assistant", "content": said[0]["text"]})
        elif said:
            self.items.append({"type": "message", "role": "assistant", "content": said})
        elif empty:
            self.items.append({"role": "assistant", "content": ""})

    def _said(self, part: Text | Refusal, path: str) -> dict[str, Any]:
        if isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text}
        if part.signature:
            self._losses.add(THINKING)
        made: dict[str, Any] = {"type": "output_text", "text": part.text}
        if part.citations:
            told = [citation for one in part.citations if (citation := _annotation(one)) is not None]
            if len(told) < len(part.citations):
                self._losses.add(f"{path}.citations")
            if told:
                made["annotations"] = told
        return self._marked(made, part.cache, path)

    def _item(self, part: Part, path: str) -> Any | None:
        """A part that is an item of its own; None if this wire has no place for it, which is noted."""
        if isinstance(part, Thinking):
            if part.origin == NAME and part.signature:
                return thought_item(part)
            self._losses.add(THINKING)
        elif isinstance(part, ToolCall):
            return self._call(part, path)
        elif isinstance(part, Foreign) and part.origin == NAME:
            return msgspec.Raw(part.raw)
        else:
            self._losses.add(path)
        return None

    def _call(self, call: ToolCall, path: str) -> dict[str, Any]:
        if call.signature:
            self._losses.add(THINKING)
        if call.cache is not None:
            self._losses.add(f"{path}.cache")
        made: dict[str, Any] = {"type": "custom_tool_call" if call.custom else "function_call", "call_id": call.id}
        if call.item_id:
            made["id"] = call.item_id
        made["name"] = call.name
        if call.custom:
            made["input"] = call.arguments
        else:
            made["arguments"] = call.arguments if call.arguments.strip() else "{}"
        return made

    def _result(self, result: ToolResult, path: str) -> None:
        if result.error:
            self._losses.add(f"{path}.error")
        if result.cache is not None:
            self._losses.add(f"{path}.cache")
        kind = "custom_tool_call_output" if result.custom else "function_call_output"
        self.items.append({"type": kind, "call_id": result.id, "output": self._content(result.parts, path)})

    def _content(self, parts: tuple[Part, ...], path: str) -> str | list[Any]:
        """Content of a message that is not the assistant's, or of a result: a string where it is but one text."""
        written = []
        for at, part in enumerate(parts):
            made = self._part(part, f"{path}.content[{at}]")
            if made is not None:
                written.append(made)
        if not written:
            return ""
        if len(written) == 1 and isinstance(written[0], dict) and len(written[0]) == 2 and "text" in written[0]:
            return str(written[0]["text"])
        return written

    def _part(self, part: Part, path: str) -> Any | None:
        if isinstance(part, Text):
            if part.citations:
                self._losses.add(f"{path}.citations")
            if part.signature:
                self._losses.add(THINKING)
            return self._marked({"type": "input_text", "text": part.text}, part.cache, path)
        if isinstance(part, Image):
            image = _image(part)
            if image is not None:
                if part.signature:
                    self._losses.add(THINKING)
                return self._marked(image, part.cache, path)
        elif isinstance(part, File):
            file = self._file(part, path)
            if file is not None:
                return self._marked(file, part.cache, path)
        elif isinstance(part, Foreign) and part.origin == NAME:
            return msgspec.Raw(part.raw)
        self._losses.add(path)
        return None

    def _file(self, file: File, path: str) -> dict[str, Any] | None:
        """A document. Plain text goes as text, since few take it as a file."""
        if file.citable:
            self._losses.add(f"{path}.citable")
        if file.context:
            self._losses.add(f"{path}.context")
        if file.text:
            self._losses.add(f"{path}.type")
            return {"type": "input_text", "text": f"{file.name}\n\n{file.text}" if file.name else file.text}
        name = {"filename": file.name} if file.name else {}
        if file.file_id:
            return {"type": "input_file", "file_id": file.file_id, **name} if file.origin in _OPENAI else None
        if file.data:
            end = _ENDS.get(file.media_type)
            told = file.name or (f"{UNNAMED_FILE}.{end}" if end else UNNAMED_FILE)
            held = data_url.join(file.media_type, file.data)
            return {"type": "input_file", "filename": told, "file_data": held}
        return {"type": "input_file", "file_url": file.url, **name} if file.url else None

    def _marked(self, made: dict[str, Any], cache: CacheTtl | None, path: str) -> dict[str, Any]:
        """With a prompt-cache mark, where the provider knows them."""
        if cache is not None:
            if self._breakpoints:
                made[BREAKPOINT] = {"mode": "explicit"}
            if not self._breakpoints or cache != "5m":
                self._losses.add(f"{path}.cache")
        return made


def _image(image: Image) -> dict[str, Any] | None:
    url = data_url.join(image.media_type, image.data) if image.data else image.url
    made: dict[str, Any] = {"type": "input_image"}
    if url:
        made["image_url"] = url
    elif image.file_id and image.origin in _OPENAI:
        made["file_id"] = image.file_id
    else:
        return None
    if image.detail:
        made["detail"] = image.detail
    return made


def _annotation(citation: Citation) -> Any | None:
    """A citation, if nothing of it is lost."""
    if citation.raw:
        return msgspec.Raw(citation.raw) if citation.origin == NAME else None
    if not citation.url or citation.quote or citation.start is None or citation.end is None:
        return None
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }


def thought_item(thought: Thinking) -> dict[str, Any]:
    """A thought of this wire's, as the item that it was."""
    made: dict[str, Any] = {"type": "reasoning"}
    if thought.id:
        made["id"] = thought.id
    made["summary"] = [{"type": "summary_text", "text": thought.text}] if thought.summary and thought.text else []
    if thought.text and not thought.summary:
        made["content"] = [{"type": "reasoning_text", "text": thought.text}]
    made["encrypted_content"] = thought.signature
    return made
