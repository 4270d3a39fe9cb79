"""Events whose types are not the wire's: what can be used of them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.cohere_chat.wire import NOTHING, Call, Content, Event, EventDelta, EventMessage, Function

_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode


def odd_event(data: bytes) -> Event:
    """The event with what has a right type, and without the rest."""
    try:
        value = _any.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Event()
    fields = _dict(value)
    index = fields.get("index")
    message = fields.get("message")
    return Event(
        type=_str(fields.get("type")) or "",
        id=_str(fields.get("id")),
        index=index if isinstance(index, int) and not isinstance(index, bool) else None,
        delta=_delta(fields["delta"]) if isinstance(fields.get("delta"), dict) else None,
        message=NOTHING if message is None else msgspec.Raw(_encode(message)),
    )


def _delta(value: dict[str, Any]) -> EventDelta:
    usage = value.get("usage")
    return EventDelta(
        message=_message(_dict(value.get("message"))),
        finish_reason=_str(value.get("finish_reason")),
        usage=NOTHING if usage is None else msgspec.Raw(_encode(usage)),
        error=msgspec.Raw(_encode(value.get("error"))),
    )


def _message(value: dict[str, Any]) -> EventMessage:
    content, call, cited = value.get("content"), value.get("tool_calls"), value.get("citations")
    return EventMessage(
        content=_content(content) if isinstance(content, dict) else None,
        tool_plan=_str(value.get("tool_plan")),
        tool_calls=_call(call) if isinstance(call, dict) else None,
        citations=NOTHING if cited is None else msgspec.Raw(_encode(cited)),
    )


def _content(value: dict[str, Any]) -> Content:
    return Content(text=_str(value.get("text")), thinking=_str(value.get("thinking")))


def _call(value: dict[str, Any]) -> Call:
    function = _dict(value.get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, dict | list):
        arguments = _encode(arguments).decode()
    return Call(id=_str(value.get("id")), function=Function(_str(function.get("name")), _str(arguments)))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None
