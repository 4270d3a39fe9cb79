"""What an assistant said, from a message of this wire into the hub: of a request, or of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from encke.core.chat import Audio, Citation, Image, Part, Refusal, Text, ToolCall
from encke.dialects import carrier, data_url
from encke.dialects.body import opener
from encke.dialects.mend import loosely
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.openai_chat.parts import ORIGIN
from encke.dialects.openai_chat.thoughts import GOOGLE, signature_in, thoughts_of

_string: Final = msgspec.json.Decoder(str)
_details: Final = msgspec.json.Decoder(list[wire.Detail])
_annotations: Final = msgspec.json.Decoder(list[wire.Annotation])
_audio: Final = msgspec.json.Decoder(wire.AudioPart)
_parts: Final = msgspec.json.Decoder(list[wire.Part])
_image: Final = msgspec.json.Decoder(wire.ImageUrl)

# Makes an id for a call that came without one.
Namer = Callable[[], str]


def said_in(message: wire.Message, content: list[Part], namer: Namer, *, packed: bool) -> list[Part]:
    """All parts in the hub's order: thoughts, `content`, refusal, sound and images, calls. `packed`: it is a
    provider's answer, and signatures are of this dialect."""
    text = message.reasoning_content or message.reasoning or _text_in(message.thinking)
    details = _details_of(message.reasoning_details)
    parts: list[Part] = [*thoughts_of(details, text, packed=packed)] if details or text else []
    signature = signature_in(message.extra_content)
    content = _annotated(content, citations_of(message.annotations))
    if signature:
        content = _signed(content, signature, packed)
    parts += content
    if message.refusal:
        parts.append(Refusal(message.refusal))
    sound = audio_of(message.audio)
    if sound is not None:
        parts.append(sound)
    parts += images_of(message.images)
    if message.function_call is not None and message.function_call.name:
        function = message.function_call
        parts.append(ToolCall(namer(), function.name or "", arguments_of(function.arguments)))
    for call in message.tool_calls or ():
        made = call_of(call, namer, packed)
        if made.name or made.arguments:
            parts.append(made)
    return parts


def call_of(call: wire.Call, namer: Namer, packed: bool) -> ToolCall:
    """A tool call."""
    id = call.id or namer()
    custom, function = call.custom, call.function
    if custom is not None and custom.name and (call.type == "custom" or function is None or not function.name):
        return ToolCall(id, custom.name, custom.input or "", custom=True)
    name = (function.name or "") if function is not None else ""
    arguments = arguments_of(function.arguments) if function is not None else ""
    signature = signature_in(call.extra_content)
    if not signature:
        return ToolCall(id, name, arguments)
    if packed:
        return ToolCall(id, name, arguments, signature=signature, origin=ORIGIN)
    origin, signature, _ = carrier.unwrap(signature, GOOGLE)
    return ToolCall(id, name, arguments, signature=signature, origin=origin)


def _text_in(raw: msgspec.Raw) -> str:
    try:
        return _string.decode(raw) if opener(raw) == b'"' else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def arguments_of(raw: msgspec.Raw) -> str:
    """Arguments as text; of servers that write the object itself, its JSON."""
    first = opener(raw)
    if first == b'"':
        try:
            return _string.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""
    return bytes(raw).decode("utf-8", "replace") if first in (b"{", b"[") else ""


def texts_in(raw: msgspec.Raw) -> list[wire.Part]:
    """The parts of a content that is a list, in an answer; what cannot be read is left out."""
    return loosely(raw, _parts, list[wire.Part]) or []


def _details_of(raw: msgspec.Raw) -> list[wire.Detail]:
    return details_in(raw) if len(raw) > 4 else []


def details_in(raw: msgspec.Raw) -> list[wire.Detail]:
    """`reasoning_details`; none if they cannot be read."""
    return loosely(raw, _details, list[wire.Detail]) or []


def citations_of(raw: msgspec.Raw) -> list[Citation]:
    """`annotations` that say where something is from; the indexes are those of the whole content."""
    if len(raw) < 5:
        return []
    annotations = loosely(raw, _annotations, list[wire.Annotation]) or []
    return [citation for one in annotations if (citation := _citation(one)) is not None]


def _citation(one: wire.Annotation) -> Citation | None:
    found = one.url_citation
    if found is not None:
        return Citation(found.url, found.title or "", found.content or "", found.start_index, found.end_index)
    if one.type == "url_citation" and one.url:
        return Citation(one.url, one.title or "", one.summary or "")
    return None


def _annotated(content: list[Part], citations: list[Citation]) -> list[Part]:
    """Citations given to the texts in which they end, with indexes of these."""
    if not citations:
        return content
    parts = list(content)
    at = [i for i, part in enumerate(parts) if isinstance(part, Text)]
    begin = 0
    for i in at:
        part = parts[i]
        assert isinstance(part, Text)
        end = begin + len(part.text)
        last = i == at[-1]
        mine = tuple(_moved(one, begin) for one in citations if _is_in(one, begin, end, last))
        if mine:
            parts[i] = msgspec.structs.replace(part, citations=mine)
        begin = end
    return parts


def _is_in(citation: Citation, begin: int, end: int, last: bool) -> bool:
    at = citation.end if citation.end is not None else citation.start
    if at is None:
        return last
    return (at > begin or begin == 0) and (at <= end or last)


def _moved(citation: Citation, by: int) -> Citation:
    if not by:
        return citation
    start = None if citation.start is None else max(citation.start - by, 0)
    return msgspec.structs.replace(citation, start=start, end=None if citation.end is None else citation.end - by)


def _signed(content: list[Part], signature: str, packed: bool) -> list[Part]:
    """A signature of the message is that of its last text."""
    origin = ORIGIN
    if not packed:
        origin, signature, _ = carrier.unwrap(signature, GOOGLE)
    for at in range(len(content) - 1, -1, -1):
        part = content[at]
        if isinstance(part, Text):
            signed = msgspec.structs.replace(part, signature=signature, origin=origin)
            return [*content[:at], signed, *content[at + 1 :]]
    return [*content, Text("", signature=signature, origin=origin)]


def audio_of(raw: msgspec.Raw) -> Audio | None:
    """Sound in a message; of an earlier answer only its id."""
    if len(raw) < 5:
        return None
    sound = loosely(raw, _audio, wire.AudioPart)
    if sound is None or not (sound.id or sound.data or sound.transcript or sound.expires_at):
        return None
    return Audio(sound.data or "", "", sound.id or "", sound.transcript or "", sound.expires_at or 0)


def images_of(raw: msgspec.Raw) -> list[Image]:
    """Images that a model has drawn."""
    if len(raw) < 5:
        return []
    try:
        parts = _parts.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return []
    found = []
    for part in parts:
        try:
            url = _image.decode(part.image_url).url
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        held = data_url.split(url)
        found.append(Image(media_type=held[0], data=held[1]) if held is not None else Image(url=url))
    return found
