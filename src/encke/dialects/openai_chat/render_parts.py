"""Content of messages from the hub onto this wire."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Audio, CacheTtl, File, Foreign, Image, Part, Refusal, Text
from encke.dialects import data_url
from encke.dialects.losses import Losses
from encke.dialects.openai_chat.parts import ORIGIN, UNNAMED_FILE

# Whose files have ids that OpenAI's chat knows too: they lie in one store.
_OPENAI: Final = frozenset({ORIGIN, "openai_responses"})
_EXTENSIONS: Final = {"application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "application/json": "json"}

CACHE_CONTROL: Final = "cache_control"
BREAKPOINT: Final = "prompt_cache_breakpoint"
FILE_URL: Final = "file_url"


class PartWriter:
    """Writes parts; `extensions` are the provider's, see `core.traits.Traits`."""

    def __init__(self, losses: Losses, extensions: tuple[str, ...]) -> None:
        self.losses = losses
        self.extensions = extensions

    def content(self, parts: list[tuple[Part, str]]) -> str | list[Any]:
        """Content of a message: a string where it is but one text. With each part stands its path."""
        written: list[Any] = []
        for part, path in parts:
            made = self.part(part, path)
            if made is not None:
                written.append(made)
        if not written:
            return ""
        if len(written) == 1 and isinstance(written[0], dict) and _is_plain(written[0]):
            return str(written[0]["text"])
        return written

    def part(self, part: Part, path: str) -> Any | None:
        """One part; None if this wire has no place for it, which is noted."""
        if isinstance(part, Text):
            if part.citations:
                self.losses.add(f"{path}.citations")
            if part.signature:
                self.losses.add("thinking")
            return self.marked({"type": "text", "text": part.text}, part.cache, path)
        if isinstance(part, Image):
            made = self.image(part)
            if made is not None:
                if part.signature:
                    self.losses.add("thinking")
                return self.marked(made, part.cache, path)
        elif isinstance(part, File):
            made = self.file(part, path)
            if made is not None:
                return self.marked(made, part.cache, path)
        elif isinstance(part, Audio):
            made = self.audio(part)
            if made is not None:
                return made
        elif isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text}
        elif isinstance(part, Foreign) and part.origin == ORIGIN:
            return msgspec.Raw(part.raw)
        self.losses.add(path)
        return None

    def marked(self, made: dict[str, Any], cache: CacheTtl | None, path: str) -> dict[str, Any]:
        """With the prompt-cache mark that the provider knows, if it knows one."""
        if cache is None:
            return made
        if CACHE_CONTROL in self.extensions:
            mark = {"type": "ephemeral"}
            if cache != "5m":
                mark["ttl"] = cache
            made[CACHE_CONTROL] = mark
        elif BREAKPOINT in self.extensions:
            made[BREAKPOINT] = {"mode": "explicit"}
            if cache != "5m":
                self.losses.add(f"{path}.cache")
        else:
            self.losses.add(f"{path}.cache")
        return made

    def image(self, image: Image) -> dict[str, Any] | None:
        """An image, by address or in it."""
        url = data_url.join(image.media_type, image.data) if image.data else image.url
        if not url:
            return None
        detail = {"detail": image.detail} if image.detail else {}
        return {"type": "image_url", "image_url": {"url": url, **detail}}

    def file(self, file: File, path: str) -> dict[str, Any] | None:
        """A document. Plain text goes as text, since few take it as a file."""
        if file.citable:
            self.losses.add(f"{path}.citable")
        if file.context:
            self.losses.add(f"{path}.context")
        if file.text:
            self.losses.add(f"{path}.type")
            return {"type": "text", "text": f"{file.name}\n\n{file.text}" if file.name else file.text}
        if file.file_id:
            if file.origin not in _OPENAI:
                return None
            if file.name:
                self.losses.add(f"{path}.name")
            return {"type": "file", "file": {"file_id": file.file_id}}
        if file.data:
            end = _EXTENSIONS.get(file.media_type)
            name = file.name or (f"{UNNAMED_FILE}.{end}" if end else UNNAMED_FILE)
            return {"type": "file", "file": {"filename": name, "file_data": data_url.join(file.media_type, file.data)}}
        if file.url and FILE_URL in self.extensions:
            named = {"filename": file.name} if file.name else {}
            return {"type": "file", "file": {**named, "file_data": file.url}}
        return None

    def audio(self, audio: Audio) -> dict[str, Any] | None:
        """Sound."""
        if not audio.data:
            return None
        return {"type": "input_audio", "input_audio": {"data": audio.data, "format": audio.format}}


def _is_plain(part: dict[str, Any]) -> bool:
    return len(part) == 2 and part["type"] == "text"
