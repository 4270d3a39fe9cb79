"""A request without what a provider's wire could not express, by the names that `Rendered.dropped` has for it."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from encke.core.chat import ChatRequest, File, Message, Text, Thinking

_STEP = re.compile(r"([A-Za-z_][\w-]*)|\[(\d+)\]")
_HUB = {"content": "parts"}


def steps(name: str) -> list[str | int]:
    """A name cut up: "messages[2].content[0]" is messages, 2, parts, 0."""
    return [_HUB.get(word, word) if word else int(number) for word, number in _STEP.findall(name)]


def stands_for(request: ChatRequest, name: str) -> bool:
    """Whether it names something that is in the request."""
    if name in request.extra or name == "thinking":
        return True
    value: Any = request
    for step in steps(name):
        if isinstance(step, int):
            if not isinstance(value, tuple) or step >= len(value):
                return False
            value = value[step]
        elif step == "type":
            return isinstance(value, File)  # it goes as what it is not: a text
        elif not hasattr(value, step):
            return False
        else:
            value = getattr(value, step)
    return True


def without(request: ChatRequest, dropped: tuple[str, ...]) -> ChatRequest:
    """The request without them. A message whose parts are all gone is gone."""
    extra = {name: raw for name, raw in request.extra.items() if name not in dropped}
    dropped = tuple(name for name in dropped if name not in request.extra)
    request = replace(request, extra=extra)
    for name in dropped:
        if name.endswith(".role"):
            request = _cut_role(request, steps(name)[1])
        if name.endswith(".type"):
            request = _as_text(request, steps(name)[:-1])
    paths = [
        steps(name)
        for name in dropped
        if name != "thinking" and not name.endswith(".role") and not name.startswith("extra")
    ]
    request = _cut(request, [path for path in paths if not (len(path) == 1 and not hasattr(request, str(path[0])))])
    if "thinking" in dropped:
        request = unthought(request)
    return request


def _cut_role(request: ChatRequest, at: str | int) -> ChatRequest:
    """With a message of the user's in place of instructions in the middle."""
    assert isinstance(at, int)
    made = [replace(m, role="user") if n == at else m for n, m in enumerate(request.messages)]
    return replace(request, messages=tuple(made))


def _as_text(value: Any, path: list[str | int]) -> Any:
    """With a text in place of the document at the path."""
    if not path:
        return Text(f"{value.name}\n\n{value.text}" if value.name else value.text)
    first, *rest = path
    if isinstance(first, int):
        return (*value[:first], _as_text(value[first], rest), *value[first + 1 :])
    return replace(value, **{first: _as_text(getattr(value, first), rest)})


def unthought(request: ChatRequest) -> ChatRequest:
    """Without thoughts and their signatures."""
    messages = []
    for message in request.messages:
        parts = tuple(_unsigned(part) for part in message.parts if not isinstance(part, Thinking))
        messages.append(replace(message, parts=parts))
    return replace(request, messages=tuple(messages))


def tidy(request: ChatRequest) -> ChatRequest:
    """Without messages that say nothing."""
    return replace(request, messages=tuple(message for message in request.messages if message.parts))


def _unsigned(part: Any) -> Any:
    return replace(part, signature="", origin="") if hasattr(part, "signature") else part


def _cut(value: Any, paths: list[list[str | int]]) -> Any:
    """The value without what is at these paths: items of a list leave it, fields are as if they had not been set."""
    below: dict[str | int, list[list[str | int]]] = defaultdict(list)
    for first, *rest in paths:
        below[first].append(rest)
    if isinstance(value, tuple):
        return tuple(
            _cut(item, [rest for rest in below.get(at, []) if rest])
            for at, item in enumerate(value)
            if [] not in below.get(at, [])
        )
    changes = {}
    for field, rests in below.items():
        if not isinstance(field, str) or not hasattr(value, field):
            continue
        if [] in rests:
            changes[field] = _default(value, field)
        else:
            changes[field] = _cut(getattr(value, field), rests)
    return replace(value, **changes) if changes else value


def _default(value: Any, field: str) -> Any:
    fields = value.__struct_fields__
    defaults = value.__struct_defaults__
    at = fields.index(field) - (len(fields) - len(defaults))
    empty: dict[type, Any] = {str: "", tuple: (), dict: {}, bool: False, bytes: b""}
    return defaults[at] if at >= 0 else empty.get(type(getattr(value, field)))


def first_difference(one: Any, other: Any, path: str = "") -> str:
    """Where two values differ first, and how; "" if they are equal."""
    if one == other:
        return ""
    if type(one) is type(other) and hasattr(one, "__struct_fields__"):
        for name in one.__struct_fields__:
            found = first_difference(getattr(one, name), getattr(other, name), f"{path}.{name}")
            if found:
                return found
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for at, (a, b) in enumerate(zip(one, other, strict=True)):
            found = first_difference(a, b, f"{path}[{at}]")
            if found:
                return found
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        return f"{path}.{keys[0]}: {one.get(keys[0])!r}, not {other.get(keys[0])!r}"
    return f"{path}: {_short(one)}, not {_short(other)}"


def _short(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(item, Message) for item in value):
        return str([(item.role, [type(part).__name__ for part in item.parts]) for item in value])[:400]
    return repr(value)[:300]
