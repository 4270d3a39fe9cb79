"""Parts of content from this wire into the hub: texts, images, files, sound, and what stands beside them."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Audio, CacheTtl, Citation, File, Foreign, Image, Part, Refusal, Text
from encke.dialects import data_url
from encke.dialects.body import opener
from encke.dialects.mend import loosely
from encke.dialects.openai_chat.parts import LONGEST, lifetime
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.wire import NAME
from encke.dialects.places import Places
from encke.dialects.strays import Strays, read_text
from encke.dialects.typed import invalid, is_set, missing, read, read_list, unknown

# What a file without a name is called, where the wire wants one; reading it back gives none.
UNNAMED_FILE: Final = "document"

_part: Final = msgspec.json.Decoder(wire.Part)
_strict: Final = msgspec.json.Decoder(wire.StrictPart)
_encode: Final = msgspec.json.Encoder().encode
_sound: Final = msgspec.json.Decoder(wire.Sound)
_annotations: Final = msgspec.json.Decoder(list[msgspec.Raw])
_annotation: Final = msgspec.json.Decoder(wire.Annotation)
_KNOWN: Final = ("input_text", "input_image", "input_file", "input_audio", "output_text", "refusal")
_FOREIGN: Final = frozenset({"computer_screenshot", "encrypted_content"})  # what nobody else has
TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


def read_content(
    raw: msgspec.Raw,
    path: str,
    strays: Strays,
    *,
    only_text: bool = False,
    said: bool = False,
    places: Places | None = None,
) -> list[Part]:
    """A text, or a list of parts. Raises Fault. `said`: by a model, whose parts may be of types that are newer than
    this; what a user says must not go missing."""
    if not is_set(raw):
        raise missing(path)
    if opener(raw) == b'"':
        return read_text(raw, path, places)
    found: list[Part] = []
    for at, item in enumerate(read_list(raw, path)):
        where = f"{path}[{at}]"
        part = read_part(item, where, strays, said)
        if only_text and part is not None and not isinstance(part, Text):
            raise invalid(f"{where}.type", "must be input_text here")
        if part is not None:
            found.append(part)
            if places is not None:
                places.note(part, where)
    return found


def read_part(raw: msgspec.Raw, path: str, strays: Strays, said: bool = False) -> Part | None:
    """One part; None for an empty text. Raises Fault."""
    before = len(strays.lost)
    part = strays.read(raw, _strict, _part, path)
    if LONGEST in bytes(part.prompt_cache_breakpoint):
        strays.note(f"{path}.prompt_cache_breakpoint", part.prompt_cache_breakpoint)
    kind = part.type
    if kind in TEXTS:
        if part.text is None:
            raise missing(f"{path}.text")
        return text_of(part)
    if kind == "refusal":
        if part.refusal is None:
            raise missing(f"{path}.refusal")
        return Refusal(part.refusal)
    if kind == "input_image":
        return _image(part, path)
    if kind == "input_file":
        if part.detail and part.detail != "auto":
            strays.note(f"{path}.detail", _encode(part.detail))
        return _file(part, path)
    if kind == "input_audio":
        sound = read(part.input_audio, _sound, f"{path}.input_audio")
        return Audio(data_url.checked(sound.data, f"{path}.input_audio.data"), sound.format)
    if not kind:
        raise missing(f"{path}.type")
    if kind not in _FOREIGN and not said:
        raise unknown(f"{path}.type", kind, _KNOWN)
    strays.forget(before)
    return Foreign(NAME, kind, bytes(raw))


def text_of(part: wire.Part) -> Text | None:
    """A text with what it cites; None for an empty one."""
    if not part.text:
        return None
    citations = tuple(citations_of(part.annotations)) if len(part.annotations) > 2 else ()
    return Text(part.text, cache=_cache(part), citations=citations)


def _cache(part: wire.Part) -> CacheTtl | None:
    return lifetime(part.prompt_cache_breakpoint)


def citations_of(raw: msgspec.Raw) -> list[Citation]:
    """`annotations`; those that cannot be read are left out."""
    try:
        found = _annotations.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []
    return [citation for one in found if (citation := citation_of(one)) is not None]


def citation_of(raw: msgspec.Raw) -> Citation | None:
    """An annotation; None if it cannot be read. What is more than an address is kept as it came."""
    one = loosely(raw, _annotation, wire.Annotation)
    if one is None:
        return None
    if one.type == "url_citation":
        return Citation(one.url or "", one.title or "", start=one.start_index, end=one.end_index)
    return Citation(
        title=one.filename or "", start=one.start_index, end=one.end_index, raw=bytes(raw), origin=NAME,
        file_id=one.file_id or "",
    )  # fmt: skip


def _image(part: wire.Part, path: str) -> Image:
    detail, cache = part.detail or "", _cache(part)
    if part.image_url:
        held = data_url.split(part.image_url, f"{path}.image_url")
        if held is None:
            return Image(url=part.image_url, detail=detail, cache=cache)
        return Image(data=held[1], media_type=held[0], detail=detail, cache=cache)
    if part.file_id:
        return Image(file_id=part.file_id, origin=NAME, detail=detail, cache=cache)
    raise missing(f"{path}.image_url")


def _file(part: wire.Part, path: str) -> File:
    name, cache = part.filename or "", _cache(part)
    if name.partition(".")[0] == UNNAMED_FILE:
        name = ""
    if part.file_data:
        where = f"{path}.file_data"
        held = data_url.split(part.file_data, where)
        if held is None:  # some write the base64 alone
            return File(
                data=data_url.checked(part.file_data, where), media_type="application/pdf", name=name, cache=cache
            )
        return File(data=held[1], media_type=held[0], name=name, cache=cache)
    if part.file_id:
        return File(file_id=part.file_id, origin=NAME, name=name, cache=cache)
    if part.file_url:
        return File(url=part.file_url, name=name, cache=cache)
    raise missing(f"{path}.file_data")
