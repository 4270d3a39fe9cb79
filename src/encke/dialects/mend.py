"""Reading what providers sent where it is not quite what it should be: what can be used is used, the rest left out.

Only what the exact decoder has refused comes here, so it may take its time: still no more than a few times its size.
"""

from __future__ import annotations

import re
from functools import cache
from types import UnionType
from typing import Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")

BROKEN: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
# Each value may become an object of its own: who sends more than that has sent no answer.
MOST_VALUES: Final = 200_000

_NULL: Final = msgspec.Raw(b"null")
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
# A pair of surrogates, half a pair, or any other escape: so that `\\\\ud83d` is a backslash and five letters.
_HALVES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
# A text, or what Python's and others' writers put where a number is none.
_NO_NUMBERS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(-?(?:NaN|Infinity))', re.DOTALL)


def mend(data: bytes | msgspec.Raw, kind: type[T]) -> T | None:
    """`data` as a struct of this kind; None if there is nothing of it.

    As `relax` reads it. Besides, a field that may be null and cannot be read is left out, and so is an item of a list
    of structs.
    """
    text = readable(bytes(data))
    if text.count(b",") > MOST_VALUES:
        return None
    try:
        found: T = _value(text, kind)
    except BROKEN:
        return None
    return found


def relax(data: bytes | msgspec.Raw, kind: type[T]) -> T | None:
    """`data` as a struct of this kind, all of it; None if it is none.

    Numbers may be texts, and whole ones may be written as 12.0. Bytes that are no UTF-8 and halves of surrogate pairs
    become U+FFFD, NaN and Infinity become null.
    """
    wanted: Any = kind
    try:
        found: T = _decoder(wanted).decode(readable(bytes(data)))
    except BROKEN:
        return None
    return found


def loosely(data: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], kind: type[T]) -> T | None:
    """What `decoder`, which is of that kind, reads; what it refuses, mended."""
    try:
        return decoder.decode(data)
    except BROKEN:
        return mend(data, kind)


def relaxed(data: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], kind: type[T]) -> T | None:
    """What `decoder`, which is of that kind, reads; what it refuses, read with less strictness."""
    try:
        return decoder.decode(data)
    except BROKEN:
        return relax(data, kind)


def readable(data: bytes) -> bytes:
    """The same JSON without what only some readers take."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("utf-8", "replace").encode()
    if b"\\u" in data:
        data = _HALVES.sub(_replaced, data)
    if b"NaN" in data or b"Infinity" in data:
        data = _NO_NUMBERS.sub(_nulled, data)
    return data


def _replaced(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if found[1] else found[0]


def _nulled(found: re.Match[bytes]) -> bytes:
    return b"null" if found[1] else found[0]


class _Field(NamedTuple):
    """A field of a struct: its type, and whether that has null in it."""

    name: str
    kind: Any
    nullable: bool


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[_Field, ...]:
    return tuple(_Field(name, held, type(None) in get_args(held)) for name, held in get_type_hints(kind).items())


@cache
def _struct_in(kind: Any) -> tuple[type[msgspec.Struct] | None, Any]:
    """The struct that a type has in it, and the type of items if it is a list of structs."""
    for one in get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one, None
        if get_origin(one) is list and _struct_in(get_args(one)[0])[0] is not None:
            return None, get_args(one)[0]
    return None, None


def _value(raw: bytes | msgspec.Raw, kind: Any) -> Any:
    try:
        return _decoder(kind).decode(raw)
    except msgspec.ValidationError:
        struct, item = _struct_in(kind)
        if struct is not None:
            return _built(raw, struct)
        if item is None:
            raise
    found = []
    for one in _list.decode(raw):
        try:
            found.append(_value(one, item))
        except msgspec.ValidationError:
            continue
    return found


def _built(raw: bytes | msgspec.Raw, kind: type[msgspec.Struct]) -> Any:
    held = _map.decode(raw)
    fields: dict[str, Any] = {}
    for name, type_, nullable in _fields(kind):
        value = held.get(name)
        if value is None:
            continue
        if type_ is msgspec.Raw:
            fields[name] = value
        elif nullable or value != _NULL:
            try:
                fields[name] = _value(value, type_)
            except msgspec.ValidationError:
                if not nullable:
                    raise
    try:
        return kind(**fields)
    except TypeError as error:
        raise msgspec.ValidationError(str(error)) from None
