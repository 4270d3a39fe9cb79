"""`cost` in the usage of answers: spliced into the bytes that go to the client, of which nothing else changes.

The value is dollars as a JSON number in plain decimal notation, exact to the nano-dollar, or null where there is no
price. A provider's own `cost` there (OpenRouter has one) gives way to it: it is not what the caller is charged.

Where usage stands is the dialect's affair (`CostPlace`): `usage` of the answer, of the event `message_delta`, of the
`response` that the last event has whole, or `usageMetadata` of the answer and of each event.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.cost_wire import NOTHING, Costed, CostedUsage

# A key may stand in inner objects too. Each place costs a look at the whole; who repeats it often gets no cost shown.
MOST_PLACES: Final = 16
DONE: Final = b"data: [DONE]\n\n"

_costed: Final = msgspec.json.Decoder(Costed)
_usage: Final = msgspec.json.Decoder(CostedUsage)
_elements: Final = msgspec.json.Decoder(list[msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode
_COLON: Final = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")
_ANY: Final[frozenset[bytes]] = frozenset()


class CostPlace:
    """Where a dialect's answers have their usage.

    `make` writes one for an answer that came without. `types`: the events of a stream that have it, as JSON texts;
    empty: any may. `whole`: these events have the answer in their `response`. `spare`: where no event had usage, one of
    its own is written, as chat completions have it; else it goes into the last.
    """

    __slots__ = ("make", "name", "spare", "types", "whole")

    def __init__(
        self,
        name: str,
        make: Callable[[Usage], bytes],
        types: frozenset[bytes] = _ANY,
        whole: bool = False,
        spare: bool = False,
    ) -> None:
        self.name = name
        self.make = make
        self.types = types
        self.whole = whole
        self.spare = spare

    def made(self, cost: bytes, usage: Usage) -> bytes:
        """A usage with its cost, for an answer that came without; `estimated` says that the gateway counted."""
        told = self.make(usage)
        if usage.estimated:
            told = _appended(told, b'"estimated":true')
        return _appended(told, b'"cost":' + cost)

    def read(self, data: bytes) -> bytes | None:
        """The usage of an answer, b"" where there is none; None where it cannot be read, or is no object."""
        try:
            answer = _costed.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        told = bytes(answer.usage if self.name == "usage" else answer.usageMetadata)
        return told if told in (b"", b"null") or told[:1] == b"{" else None


def chat_usage(usage: Usage) -> bytes:
    """As chat completions have it."""
    read, written = usage.total_input, usage.total_output
    return b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}' % (read, written, read + written)


CHAT_PLACE: Final = CostPlace("usage", chat_usage, spare=True)


def with_cost(data: bytes, cost: bytes, usage: Usage, place: CostPlace = CHAT_PLACE) -> bytes:
    """A JSON object with `cost` in its usage. Where it has no usage it gets one made of `usage`.

    Comes back as it is where it cannot be read, or has a usage that is no object.
    """
    told = place.read(data)
    if told is None:
        return data
    key = b'"%b"' % place.name.encode()
    if not told:
        return _appended(data, key + b":" + place.made(cost, usage))
    if told in (b"null", b"{}"):
        return _replaced(data, key, told, place.made(cost, usage), place.read)
    old = _read_cost(told)
    if old is None:
        return data
    if not old:
        made = _appended(told, b'"cost":' + cost)
    else:
        made = _replaced(told, b'"cost"', old, cost, _read_cost)
    return _replaced(data, key, told, made, place.read)


def end_with_cost(end: bytes, cost: bytes, usage: Usage, place: CostPlace) -> bytes | None:
    """The last events of a stream, with the cost in the last that has usage; None if there is none for it."""
    events = end.split(b"\n\n")
    last = -1
    for at in range(len(events) - 1, -1, -1):
        data = _data(events[at])
        told = _told(data, place) if data else None
        if told is None:
            continue
        if last < 0:
            last = at
        if len(told) > 4 or place.types:
            last = at
            break
    else:
        if place.spare or last < 0:
            return None
    events[last] = _event_with_cost(events[last], cost, usage, place)
    return b"\n\n".join(events)


def array_with_cost(end: bytes, cost: bytes, usage: Usage, place: CostPlace) -> bytes:
    """The last pieces of a JSON array of answers, with the cost in the last of them. The array may go on."""
    begin = len(end) - len(end.lstrip(b"[, \t\r\n"))
    text = end[begin:].rstrip(b"] \t\r\n")
    try:
        answers = _elements.decode(b"[%b]" % text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return end
    if not answers:
        return end
    last = bytes(answers[-1])
    at = end.rfind(last)
    return end[:at] + with_cost(last, cost, usage, place) + end[at + len(last) :]


def cost_event(id: str, created: int, model: str, route: str, cost: bytes, usage: Usage) -> bytes:
    """An event of its own, for a stream whose usage did not come at its end. `created` in UTC seconds."""
    kind = "chat.completion.chunk" if route == "chat" else "text_completion"
    head = _encode({"id": id, "object": kind, "created": created, "model": model, "choices": []})
    return b'data: %b,"usage":%b}\n\n' % (head[:-1], CHAT_PLACE.made(cost, usage))


def _told(data: bytes, place: CostPlace) -> bytes | None:
    """The usage of an event, b"" for none; None if it is no event for it."""
    if place.types:
        try:
            event = _costed.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        if bytes(event.type) not in place.types:
            return None
        if place.whole:
            return place.read(bytes(event.response))
    return place.read(data)


def _event_with_cost(event: bytes, cost: bytes, usage: Usage, place: CostPlace) -> bytes:
    """An event without its blank line, with the cost in its data."""
    data = _data(event)
    if place.whole:
        answer = _read_whole(data)
        if not answer:
            return event
        costed = _replaced(data, b'"response"', answer, with_cost(answer, cost, usage, place), _read_whole)
    else:
        costed = with_cost(data, cost, usage, place)
    at = event.find(data)
    if at >= 0:
        return event[:at] + costed + event[at + len(data) :]
    return b"\n".join(b"data: %b" % line for line in costed.split(b"\n"))


def _data(event: bytes) -> bytes:
    """What an event's `data` lines say."""
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def _read_whole(data: bytes) -> bytes | None:
    try:
        answer = _costed.decode(data).response
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return None if answer is NOTHING else bytes(answer)


def _read_cost(data: bytes) -> bytes | None:
    try:
        return bytes(_usage.decode(data).cost)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
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
