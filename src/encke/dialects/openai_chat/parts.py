"""Parts of a message's content, as callers write them, into the hub."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from encke.core.chat import Audio, CacheTtl, File, Foreign, Image, Part, Refusal, Text, Thinking
from encke.dialects import data_url
from encke.dialects.body import opener
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.places import Places
from encke.dialects.strays import Strays, read_text
from encke.dialects.typed import invalid, is_set, missing, read, read_list, read_string, unknown

ORIGIN: Final = "openai_chat"
# What a document is called that has no name, where the wire wants one; reading it back gives no name.
UNNAMED_FILE: Final = "untitled"
PDF: Final = "application/pdf"

_part: Final = msgspec.json.Decoder(wire.Part)
_strict: Final = msgspec.json.Decoder(wire.StrictPart)
_image: Final = msgspec.json.Decoder(wire.ImageUrl)
_audio: Final = msgspec.json.Decoder(wire.InputAudio)
_file: Final = msgspec.json.Decoder(wire.FilePart)
_cache: Final = msgspec.json.Decoder(wire.CacheControl)
_KNOWN: Final = ("text", "image_url", "input_audio", "file", "refusal")
# What providers of this wire have beside those: vLLM, Qwen, OpenRouter, Mistral, LiteLLM.
_FOREIGN: Final = frozenset(
    {
        "video_url", "input_video", "video", "audio_url", "image_pil", "image_embeds", "audio_embeds", "prompt_embeds",
        "reference", "thinking", "redacted_thinking", "file_url", "document_url", "document",
    }
)  # fmt: skip
LONGEST: Final = b'"12h"'  # as nobody else keeps a mark
_ADDRESSES: Final = ("http://", "https://", "gs://")


def read_content(
    raw: msgspec.Raw,
    path: str,
    strays: Strays,
    *,
    only_text: bool = False,
    said: bool = False,
    places: Places | None = None,
) -> list[Part]:
    """A message's content: null, a string or a list of parts. Raises Fault. `said`: by a model, whose parts may be of
    types that are newer than this; what a user says must not go missing."""
    if not is_set(raw):
        return []
    if opener(raw) == b'"':
        return read_text(raw, path, places)
    parts: list[Part] = []
    for at, item in enumerate(read_list(raw, path)):
        where = f"{path}[{at}]"
        part = Text(read_string(item, where)) if opener(item) == b'"' else read_part(item, where, strays, said)
        if only_text and not isinstance(part, Text):
            raise invalid(f"{where}.type", "must be `text` in a message of this role")
        if not isinstance(part, Text) or part.text:
            parts.append(part)
            if places is not None:
                places.note(part, where)
    return parts


def read_part(raw: msgspec.Raw, path: str, strays: Strays, said: bool = False) -> Part:
    """One part. A type that this dialect does not know is Foreign, in its own words. Raises Fault."""
    before = len(strays.lost)
    found = _known_part(part := strays.read(raw, _strict, _part, path), path, said)
    if found is None:
        strays.forget(before)
        return Foreign(ORIGIN, part.type, bytes(raw))
    mark = part.prompt_cache_breakpoint
    if len(mark) > 4 and (isinstance(found, Audio) or LONGEST in bytes(mark)):
        strays.note(f"{path}.prompt_cache_breakpoint", mark)
    return found


def _known_part(part: wire.Part, path: str, said: bool) -> Part | None:
    kind = part.type
    if kind in ("text", "input_text", "output_text"):
        if part.text is None:
            raise missing(f"{path}.text")
        return Text(part.text, cache=cache_of(part.cache_control, part.prompt_cache_breakpoint, path))
    if kind == "refusal":
        if part.refusal is None:
            raise missing(f"{path}.refusal")
        return Refusal(part.refusal)
    if kind == "image_url" and is_set(part.image_url):
        return _read_image(part, path)
    if kind == "input_audio" and is_set(part.input_audio):
        sound = read(part.input_audio, _audio, f"{path}.input_audio")
        return Audio(data_url.checked(sound.data, f"{path}.input_audio.data"), sound.format)
    if kind == "file" and is_set(part.file):
        return _read_file(part, path)
    if kind in ("file_url", "document_url"):
        address = part.file_url if kind == "file_url" else part.document_url
        if is_set(address):
            where = f"{path}.{kind}"
            return _document(_address(address, where), "", cache_of(part.cache_control, b"", path), where)
    if kind == "thinking" and opener(part.thinking) == b'"':
        return Thinking(read_string(part.thinking, f"{path}.thinking"))
    if kind in ("image_url", "input_audio", "file"):
        raise missing(f"{path}.{kind}")
    if kind not in _FOREIGN and not said:
        raise unknown(f"{path}.type", kind, _KNOWN)
    return None


def cache_of(control: msgspec.Raw | bytes, breakpoint_: msgspec.Raw | bytes, path: str) -> CacheTtl | None:
    """The prompt-cache mark of a part or tool: OpenRouter's and LiteLLM's `cache_control`, or OpenAI's own."""
    if len(control) > 4:
        return "1h" if read(control, _cache, f"{path}.cache_control").ttl == "1h" else "5m"
    return lifetime(breakpoint_)


def lifetime(breakpoint_: msgspec.Raw | bytes) -> CacheTtl | None:
    """How long OpenAI's mark is to keep at least: what is more than five minutes is an hour."""
    if len(breakpoint_) <= 4:
        return None
    try:
        return "1h" if _cache.decode(breakpoint_).ttl else "5m"
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "5m"


def _address(raw: msgspec.Raw, path: str) -> str:
    return read_string(raw, path) if opener(raw) == b'"' else read(raw, _image, path).url


def _read_image(part: wire.Part, path: str) -> Image:
    where = f"{path}.image_url"
    if opener(part.image_url) == b'"':
        url, detail = read_string(part.image_url, where), ""
    else:
        image = read(part.image_url, _image, where)
        url, detail = image.url, image.detail or ""
    if not url:
        raise invalid(f"{where}.url", "must be an address or a data: URL; it is empty")
    cache = cache_of(part.cache_control, part.prompt_cache_breakpoint, path)
    held = data_url.split(url, where)
    if held is not None:
        return Image(media_type=held[0], data=held[1], detail=detail, cache=cache)
    return Image(url=url, detail=detail, cache=cache)


def _read_file(part: wire.Part, path: str) -> File:
    file = read(part.file, _file, f"{path}.file")
    name = file.filename or ""
    if name.rpartition(".")[0] == UNNAMED_FILE or name == UNNAMED_FILE:
        name = ""
    cache = cache_of(part.cache_control, part.prompt_cache_breakpoint, path)
    if file.file_id:
        return File(file_id=file.file_id, origin=ORIGIN, name=name, cache=cache)
    if not file.file_data:
        raise missing(f"{path}.file.file_data")
    return _document(file.file_data, name, cache, f"{path}.file.file_data")


def _document(data: str, name: str, cache: CacheTtl | None, path: str) -> File:
    held = data_url.split(data, path)
    if held is None:
        if data.startswith(_ADDRESSES):
            return File(url=data, name=name, cache=cache)
        held = PDF, data_url.checked(data, path)  # base64 alone
    media_type, content = held
    if media_type == "text/plain":
        try:
            return File(text=base64.b64decode(content, validate=True).decode(), name=name, cache=cache)
        except (binascii.Error, UnicodeDecodeError, ValueError):
            pass
    return File(media_type=media_type, data=content, name=name, cache=cache)
