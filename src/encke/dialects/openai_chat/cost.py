"""`usage.cost` in answers: spliced into the bytes that upstream sent, of which nothing else changes.

The value is dollars as a JSON number in plain decimal notation, exact to the nano-dollar, or null where there is no
price. A provider's own `usage.cost` (OpenRouter has one) gives way to it: it is not what the caller is charged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.openai_chat.wire import Costed, CostedUsage

# A key may stand in inner objects too. Each place costs a look at the whole; who repeats it often gets no cost shown.
MOST_PLACES: Final = 16

_costed: Final = msgspec.json.Decoder(Costed)
_usage: Final = msgspec.json.Decoder(CostedUsage)
_encode: Final = msgspec.json.Encoder().encode
_COLON: Final = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")


def with_cost(data: bytes, cost: bytes, usage: Usage) -> bytes:
    """A JSON object with `cost` in its `usage`. Where it has no usage it gets one made of `usage`.

    Comes back as it is where it cannot be read, or has a usage that is no object.
    """
    told = _read_usage(data)
    if told is None:
        return data
    if not told:
        return _appended(data, b'"usage":' + usage_object(cost, usage))
    if told in (b"null", b"{}"):
        return _replaced(data, b'"usage"', told, usage_object(cost, usage), _read_usage)
    old = _read_cost(told)
    if old is None:
        return data
    if not old:
        made = _appended(told, b'"cost":' + cost)
    else:
        made = _replaced(told, b'"cost"', old, cost, _read_cost)
    return _replaced(data, b'"usage"', told, made, _read_usage)


def usage_object(cost: bytes, usage: Usage) -> bytes:
    """A `usage` for an answer that came without one; `estimated` says that the gateway counted."""
    read, written = usage.total_input, usage.total_output
    estimated = b',"estimated":true' if usage.estimated else b""
    return b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d%b,"cost":%b}' % (
        read,
        written,
        read + written,
        estimated,
        cost,
    )


def event_with_cost(raw: bytes, data: bytes, cost: bytes, usage: Usage) -> bytes:
    """A whole event (`raw`, its blank line included) with the cost in its `data`."""
    costed = with_cost(data, cost, usage)
    at = raw.find(data)
    if at >= 0:
        return raw[:at] + costed + raw[at + len(data) :]
    return b"".join(b"data: %b\n" % line for line in costed.split(b"\n")) + b"\n"


def cost_event(id: str, created: int, model: str, route: str, cost: bytes, usage: Usage) -> bytes:
    """An event of its own, for a stream whose usage did not come at its end. `created` in UTC seconds."""
    kind = "chat.completion.chunk" if route == "chat" else "text_completion"
    head = _encode({"id": id, "object": kind, "created": created, "model": model, "choices": []})
    return b'data: %b,"usage":%b}\n\n' % (head[:-1], usage_object(cost, usage))


def _read_usage(data: bytes) -> bytes | None:
    try:
        told = bytes(_costed.decode(data).usage)
    except (msgspec.DecodeError, RecursionError):
        return None
    return told if told in (b"", b"null") or told[:1] == b"{" else None


def _read_cost(data: bytes) -> bytes | None:
    try:
        return bytes(_usage.decode(data).cost)
    except (msgspec.DecodeError, RecursionError):
        return None


def _appended(data: bytes, field: bytes) -> bytes:
    """An object with one more field at its end."""
    end = data.rindex(b"}")
    before = data[:end]
    return b"%b%b%b%b" % (before, b"" if before.rstrip()[-1:] == b"{" else b",", field, data[end:])


def _replaced(data: bytes, key: bytes, old: bytes, new: bytes, read: Callable[[bytes], bytes | None]) -> bytes:
    """`data` with `new` for the value `old` of its own `key`: of all places for it, the one that shows."""
    at = len(data)
    for _ in range(MOST_PLACES):
        at = data.rfind(key, 0, at)
        if at < 0:
            break
        colon = _COLON.match(data, at + len(key))
        if colon is not None and data.startswith(old, colon.end()):
            changed = data[: colon.end()] + new + data[colon.end() + len(old) :]
            if read(changed) == new:
                return changed
    return data
