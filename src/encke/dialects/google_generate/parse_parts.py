"""Parts of a content into the hub, of requests and of answers alike.

Source: ai.google.dev/api/caching#Part, ai.google.dev/gemini-api/docs/thought-signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from encke.core.chat import Audio, File, Foreign, Image, Part, Text, Thinking, ToolCall, ToolResult
from encke.core.faults import Fault
from encke.dialects.data_url import checked
from encke.dialects.google_generate.calls import Calls
from encke.dialects.google_generate.fields import Fields, decoded, standard
from encke.dialects.google_generate.signature import ORIGIN, unpack
from encke.dialects.openai_chat.assistant import arguments_of
from encke.dialects.places import Places
from encke.dialects.typed import invalid

_encode: Final = msgspec.json.Encoder().encode

# What of a part says nothing of its kind.
_BESIDE: Final = frozenset(
    {
        "thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata", "mediaProcessing",
        "audioTranscription", "speechMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata",
    }
)  # fmt: skip
_FOREIGN: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")  # what nobody else has
# Answers of tools that are nothing but a text, by the names that Google documents, and its SDKs use.
_OUTPUTS: Final = ("output", "result")
# Types of sound by the names that others have for them.
_FORMATS: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-flac": "flac"}
# What says nothing of a part that is not the model's own.
_UNSAID: Final = frozenset({"thought", "thoughtSignature"})
_DETAILS: Final = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
REDACTED: Final = "!"  # before the id in a carrier: all of the thought is opaque


def read_parts(
    content: Fields, calls: Calls, *, model: bool, asked: bool = True, places: Places | None = None
) -> list[Part]:
    """The parts of a content. `model`: the model has written it; `asked`: it is a caller's, in which no part may be of
    a kind that nobody knows, and base64 has to be such. Raises Fault."""
    parts: list[Part] = []
    for raw, path in content.items("parts"):
        part = read_part(raw, path, calls, model=model, asked=asked)
        add(parts, part)
        if places is not None and part is not None:
            _note(parts[-1], path, places)  # what a signature was added to stands in its own place still
    return parts


def _note(part: Part, path: str, places: Places) -> None:
    places.note(part, path)
    if isinstance(part, ToolResult):
        for at, one in enumerate([one for one in part.parts if not isinstance(one, Text)]):
            places.note(one, f"{path}.functionResponse.parts[{at}]")


def add(parts: list[Part], part: Part | None) -> None:
    """One more. A signature on nothing belongs to what stands before it, if that has none."""
    if part is None:
        return
    if isinstance(part, Thinking) and part.redacted and part.origin == ORIGIN and parts:
        last = parts[-1]
        if isinstance(last, Text | Thinking | ToolCall) and not last.signature:
            parts[-1] = msgspec.structs.replace(last, signature=part.signature, origin=ORIGIN)
            return
    parts.append(part)


def read_part(raw: msgspec.Raw, path: str, calls: Calls, *, model: bool, asked: bool = False) -> Part | None:
    """One part; None for an empty text. `asked` as for `read_parts`. Raises Fault."""
    fields = Fields(raw, path)
    names = [name for name, _ in fields.rest()]
    kind = next((name for name in names if name in _READERS or name in _FOREIGN), "")
    if not kind:
        odd = [name for name in names if name not in _BESIDE]
        if odd and asked and not model:  # what a model has said may be newer than this
            raise invalid(path, f"must have one of {', '.join(_READERS)} or {', '.join(_FOREIGN)}, not `{odd[0][:64]}`")
        kind = odd[0] if odd else "text"
    read = _READERS.get(kind)
    if read is None:
        return Foreign(ORIGIN, kind, bytes(raw))
    if kind == "functionCall" and not model:
        raise Fault("invalid_value", f"`{path}` is a functionCall, which only the role `model` has.", param=path)
    if kind == "functionResponse" and model:
        raise Fault("invalid_value", f"`{path}` is a functionResponse, which the role `user` has.", param=path)
    part = read(fields, raw, calls, model)
    if asked and isinstance(part, Image | File | Audio | ToolResult):
        _check(part, path)
    if asked and not isinstance(part, Foreign):
        note(fields, calls, _UNSAID)
    return part


def note(fields: Fields, calls: Calls, harmless: Collection[str] = ()) -> None:
    """Fields that nobody has read."""
    for name, raw in fields.rest():
        if name not in harmless:
            calls.strays.note(fields.at(name), raw)


def _check(part: Image | File | Audio | ToolResult, path: str) -> None:
    """What a caller sent in base64."""
    if isinstance(part, ToolResult):
        inner = [one for one in part.parts if not isinstance(one, Text)]
        for at, one in enumerate(inner):
            _check(one, f"{path}.functionResponse.parts[{at}]")
    elif isinstance(part, Audio) or not (part.url or part.file_id):
        checked(part.data, f"{path}.inlineData.data")


def _text(fields: Fields, raw: msgspec.Raw, calls: Calls, model: bool) -> Part | None:
    text = fields.string("text")
    origin, signature, id = unpack(fields.string("thoughtSignature")) if model else ("", "", "")
    if not model or not fields.flag("thought"):
        if text:
            return Text(text, signature=signature, origin=origin)
        return Thinking(signature=signature, origin=origin, redacted=True) if signature else None
    if id.startswith(REDACTED):
        return Thinking(signature=signature, origin=origin, redacted=True, id=id[1:])
    if not text and not signature and not id:
        return None
    # Google's own thoughts are summaries; others', which went through a caller, are what they were.
    return Thinking(text, signature, origin, summary=origin in ("", ORIGIN), id=id)


def _call(fields: Fields, raw: msgspec.Raw, calls: Calls, model: bool) -> Part:
    call = fields.inner("functionCall")
    assert call is not None
    name = _name(call)
    args = call.raw("args")
    origin, signature, _ = unpack(fields.string("thoughtSignature"))
    # Some servers write the object's JSON as a text.
    arguments = "" if args is None else arguments_of(args) if model else bytes(args).decode()
    id = calls.call(call.string("id"), name)
    note(call, calls)
    return ToolCall(id, name, arguments or "{}", signature=signature, origin=origin)


def _name(fields: Fields) -> str:
    name = fields.string("name")
    if not name:
        path = fields.at("name")
        raise Fault("missing_required_parameter", f"Missing required parameter: `{path}`.", param=path)
    return name


def _result(fields: Fields, raw: msgspec.Raw, calls: Calls, model: bool) -> Part:
    answer = fields.inner("functionResponse")
    assert answer is not None
    name = _name(answer)
    parts, error = _said(answer)
    for item, path in answer.items("parts"):
        inner = Fields(item, path)
        kind = next((name for name, _ in inner.rest() if name in ("inlineData", "fileData")), "")
        media = _media(inner, kind, calls) if kind else None
        if not isinstance(media, Image | File):
            raise Fault("invalid_value", f"`{path}` must hold an image or a document.", param=path)
        parts.append(media)
    id = calls.result(answer.string("id"), name)
    note(answer, calls)
    return ToolResult(id, tuple(parts), name, error)


def _said(answer: Fields) -> tuple[list[Text | Image | File], bool]:
    """What a function gave: the text under `output`, or `error`, if that is all; else the object's JSON."""
    raw = answer.raw("response")
    if raw is None:
        return [], False
    value: Any = decoded(raw, answer.at("response"))
    if isinstance(value, dict) and len(value) <= 1:
        for name, said in value.items():
            if isinstance(said, str) and (name in _OUTPUTS or name == "error"):
                return [Text(said)] if said else [], name == "error"
        if not value:
            return [], False
    return [Text(bytes(raw).decode())], False


def _inline(fields: Fields, raw: msgspec.Raw, calls: Calls, model: bool) -> Part:
    found = _media(fields, "inlineData", calls)
    return Foreign(ORIGIN, "inlineData", bytes(raw)) if found is None else _signed(found, fields, model)


def _file(fields: Fields, raw: msgspec.Raw, calls: Calls, model: bool) -> Part:
    found = _media(fields, "fileData", calls)
    return Foreign(ORIGIN, "fileData", bytes(raw)) if found is None else found


def _signed(part: Image | File | Audio, fields: Fields, model: bool) -> Part:
    if isinstance(part, Image) and model:
        origin, signature, _ = unpack(fields.string("thoughtSignature"))
        if signature:
            return msgspec.structs.replace(part, signature=signature, origin=origin)
    return part


def _media(fields: Fields, kind: str, calls: Calls) -> Image | File | Audio | None:
    """An image, a sound or a document; None for what nobody else knows: videos, and what is kept elsewhere."""
    inner = fields.inner(kind)
    assert inner is not None
    media_type = inner.string("mimeType")
    family, _, rest = media_type.lower().partition("/")
    name = inner.string("displayName")
    if name and family in ("image", "audio"):
        calls.strays.note(inner.at("displayName"), _encode(name))
    if family == "video" or fields.raw("videoMetadata") is not None:
        return None
    if kind == "inlineData":
        data = standard(inner.string("data"))
        if family == "image":
            return Image(data=data, media_type=media_type, detail=_detail(fields, calls))
        if family == "audio":
            rest = media_type.partition("/")[2]
            return Audio(data, _FORMATS.get(rest.lower(), rest))
        return File(data=data, media_type=media_type, name=name)
    uri = inner.string("fileUri")
    if _is_kept(uri):
        if family == "image":
            return Image(file_id=uri, origin=ORIGIN, media_type=media_type, detail=_detail(fields, calls))
        return None if family == "audio" else File(file_id=uri, origin=ORIGIN, media_type=media_type, name=name)
    if not uri.lower().startswith(("https://", "http://")) or _is_video(uri):
        return None
    if family == "image":
        return Image(url=uri, media_type=media_type, detail=_detail(fields, calls))
    return None if family == "audio" else File(url=uri, media_type=media_type, name=name)


def _is_kept(uri: str) -> bool:
    """Whether it is a file that Google keeps for the caller."""
    return uri.startswith(("https://generativelanguage.googleapis.com/", "gs://", "files/"))


def _is_video(uri: str) -> bool:
    host = uri.partition("//")[2].partition("/")[0].lower().removeprefix("www.").removeprefix("m.")
    return host in ("youtube.com", "youtu.be")


def _detail(fields: Fields, calls: Calls) -> str:
    resolution = fields.inner("mediaResolution")
    if resolution is None:
        return ""
    level = resolution.string("level").upper()
    if level not in _DETAILS and level not in ("", "MEDIA_RESOLUTION_UNSPECIFIED"):
        calls.strays.note(resolution.at("level"), _encode(level))
    return _DETAILS.get(level, "")


_READERS: Final[dict[str, Callable[[Fields, msgspec.Raw, Calls, bool], Part | None]]] = {
    "text": _text,
    "functionCall": _call,
    "functionResponse": _result,
    "inlineData": _inline,
    "fileData": _file,
}
