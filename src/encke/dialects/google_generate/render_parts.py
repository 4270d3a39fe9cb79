"""Parts of the hub on this wire, for requests and answers alike."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Audio, File, Foreign, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from encke.dialects.google_generate.parse_parts import REDACTED
from encke.dialects.google_generate.signature import ORIGIN, pack

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode

# The types of addresses whose answer nobody has seen, by their ends.
_TYPES: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown",
    "csv": "text/csv", "html": "text/html", "json": "application/json", "xml": "text/xml",
}  # fmt: skip
_LEVELS: Final = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}


def text_part(part: Text | Refusal) -> dict[str, Any]:
    """A text, with its signature if Google has given it."""
    if isinstance(part, Text) and part.signature and part.origin == ORIGIN:
        return {"text": part.text, "thoughtSignature": part.signature}
    return {"text": part.text}


def call_part(call: ToolCall, signature: str) -> tuple[dict[str, Any], bool]:
    """A call of a function; False if its arguments are no object, as this wire wants: then they are its one argument,
    as those of a tool are that takes free text."""
    args, whole = arguments(call)
    inner: dict[str, Any] = {"name": call.name, "args": args}
    if call.id:
        inner["id"] = call.id
    made: dict[str, Any] = {"functionCall": inner}
    if signature:
        made["thoughtSignature"] = signature
    return made, whole


def arguments(call: ToolCall) -> tuple[Any, bool]:
    """The object of arguments; False if they are none."""
    text = call.arguments.strip()
    if call.custom:
        return {"input": call.arguments}, True
    if not text:
        return {}, True
    data = text.encode("utf-8", "replace")
    try:
        _map.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return {"input": call.arguments}, False
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)  # an event is one line
    return msgspec.Raw(data), True


def media_part(part: Image | File | Audio, *, per_part_detail: bool) -> tuple[dict[str, Any] | None, bool]:
    """A part with media; None where this wire cannot have it. False: its detail is lost."""
    made: dict[str, Any]
    if isinstance(part, Audio):
        if not part.data:  # of an earlier answer, known by its id alone
            return None, True
        return {"inlineData": {"mimeType": f"audio/{part.format or 'wav'}", "data": part.data}}, True
    if isinstance(part, File) and part.text:
        return {"text": part.text}, True
    if part.data:
        made = {"inlineData": {"mimeType": part.media_type or _default(part), "data": part.data}}
    elif part.file_id:
        if part.origin != ORIGIN:
            return None, True
        made = {"fileData": {"fileUri": part.file_id, **_typed(part.media_type)}}
    elif part.url.lower().startswith(("https://", "http://")):
        made = {"fileData": {"fileUri": part.url, **_typed(part.media_type or _guessed(part.url))}}
    else:
        return None, True
    if isinstance(part, File):
        if part.name:
            made[next(iter(made))]["displayName"] = part.name
        return made, True
    if part.signature and part.origin in ("", ORIGIN):
        made["thoughtSignature"] = part.signature
    if part.detail in _LEVELS and per_part_detail:
        made["mediaResolution"] = {"level": _LEVELS[part.detail]}
        return made, True
    return made, part.detail in ("", "auto")


def _default(part: Image | File) -> str:
    return "image/png" if isinstance(part, Image) else "application/pdf"


def _typed(media_type: str) -> dict[str, str]:
    return {"mimeType": media_type} if media_type else {}


def _guessed(url: str) -> str:
    path = url.partition("?")[0].partition("#")[0]
    return _TYPES.get(path.rpartition(".")[2].lower(), "")


def thinking_part(part: Thinking) -> dict[str, Any]:
    """A thought for a caller of this dialect, with whatever signature it has in a carrier."""
    if part.redacted and part.origin == ORIGIN:
        return {"text": "", "thoughtSignature": part.signature}
    signature = pack(part.origin or ORIGIN, part.signature, (REDACTED if part.redacted else "") + part.id)
    made: dict[str, Any] = {"text": part.text, "thought": True}
    if signature:
        made["thoughtSignature"] = signature
    return made


def result_part(result: ToolResult, name: str) -> dict[str, Any]:
    """What a function gave, its texts under the name that Google documents."""
    text = "".join(part.text for part in result.parts if isinstance(part, Text))
    inner: dict[str, Any] = {"name": name, "response": {"error" if result.error else "output": text}}
    if result.id:
        inner["id"] = result.id
    return {"functionResponse": inner}


def foreign_part(part: Foreign) -> msgspec.Raw | None:
    """This dialect's own, as it came."""
    return msgspec.Raw(part.raw) if part.origin == ORIGIN else None


def reply_part(part: Part) -> Any:
    """A part of an answer for a caller of this dialect; None for what has no place in it."""
    if isinstance(part, Text):
        made = {"text": part.text}
        if signature := pack(part.origin, part.signature):
            made["thoughtSignature"] = signature
        return made
    if isinstance(part, Refusal):
        return {"text": part.text}
    if isinstance(part, Thinking):
        return thinking_part(part)
    if isinstance(part, ToolCall):
        return call_part(part, pack(part.origin, part.signature))[0]
    if isinstance(part, Image | File | Audio):
        return media_part(part, per_part_detail=False)[0]
    return foreign_part(part) if isinstance(part, Foreign) else None
