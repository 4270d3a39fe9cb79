"""Reading what providers sent where a type is not as it should be: what is wrong is left out, the rest is read."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.openai_chat.message_wire import Call, Custom, Function, Message
from encke.dialects.openai_chat.stream_wire import HubChoice, HubChunk
from encke.dialects.openai_chat.wire import Aside

_any: Final = msgspec.json.Decoder()
_chunk: Final = msgspec.json.Decoder(HubChunk)
_encode: Final = msgspec.json.Encoder().encode

# Fields that hold structures of their own, in which again only what is wrong is left out.
_INNER: Final[dict[tuple[type[msgspec.Struct], str], type[msgspec.Struct]]] = {
    (HubChunk, "choices"): HubChoice,
    (HubChunk, "x_groq"): Aside,
    (HubChoice, "message"): Message,
    (HubChoice, "delta"): Message,
    (Message, "tool_calls"): Call,
    (Message, "function_call"): Function,
    (Call, "function"): Function,
    (Call, "custom"): Custom,
}
_LISTED: Final = frozenset({HubChoice, Call})  # those that stand in lists
_TYPES: Final[dict[type[msgspec.Struct], dict[str, Any]]] = {
    kind: {field.name: field.type for field in msgspec.structs.fields(kind)}
    for kind in (HubChunk, HubChoice, Message, Call, Function, Custom, Aside)
}


def read_chunk(data: bytes) -> HubChunk | None:
    """A whole answer or an event; None if it is no JSON object."""
    try:
        return _chunk.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        value = _any.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    found = _mended(value, HubChunk)
    return found if isinstance(found, HubChunk) else None


def _mended(value: Any, kind: type[msgspec.Struct]) -> msgspec.Struct | None:
    if not isinstance(value, dict):
        return None
    types = _TYPES[kind]
    fields: dict[str, Any] = {}
    for name, held in value.items():
        if name not in types or held is None:
            continue
        inner = _INNER.get((kind, name))
        if inner is not None:
            fields[name] = _inner(held, inner)
        elif types[name] is msgspec.Raw:
            try:
                fields[name] = msgspec.Raw(_encode(held))
            except (RecursionError, UnicodeEncodeError):
                continue
        else:
            try:
                fields[name] = msgspec.convert(held, types[name])
            except msgspec.ValidationError:
                continue
    return kind(**fields)


def _inner(held: Any, kind: type[msgspec.Struct]) -> Any:
    if kind not in _LISTED:
        return _mended(held, kind)
    if not isinstance(held, list):
        return None
    return [found for one in held if (found := _mended(one, kind)) is not None]
