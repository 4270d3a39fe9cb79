"""Objects of this dialect, field by field: either spelling, and values as protobuf's JSON mapping takes them.

Source: protobuf.dev/programming-guides/json: lowerCamelCase or the original name, null for absent, numbers as strings,
enums as words or numbers, bytes as base64 with either alphabet. Google also takes a single object for a list.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.body import opener, type_name
from encke.dialects.google_generate.parse import snake
from encke.dialects.google_generate.wire import NULL
from encke.dialects.typed import unknown

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_any: Final = msgspec.json.Decoder()

MOST: Final = 1 << 53
_SAFE: Final = str.maketrans("-_", "+/")


class Fields:
    """An object's fields. `path` is where it stands, for what is said of what is wrong in it."""

    __slots__ = ("_fields", "_read", "path")

    def __init__(self, raw: msgspec.Raw | bytes, path: str) -> None:
        """Raises Fault invalid_type, invalid_json."""
        self.path = path
        self._read: set[str] = set()
        if opener(raw) != b"{":
            raise wrong(path, "an object", raw)
        try:
            self._fields = _map.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Fault("invalid_json", f"`{path}` is not valid JSON: {error}.", param=path) from None

    def at(self, name: str) -> str:
        """A field's path."""
        return f"{self.path}.{name}" if self.path else name

    def raw(self, name: str) -> msgspec.Raw | None:
        """A field as it came; None where it is absent or null."""
        for key in (name, snake(name)):
            raw = self._fields.get(key)
            if raw is not None:
                self._read.add(key)
                if raw != NULL:
                    return raw
        return None

    def string(self, name: str) -> str:
        """A text; "" where there is none."""
        raw = self.raw(name)
        if raw is None:
            return ""
        value = decoded(raw, self.at(name))
        if not isinstance(value, str):
            raise wrong(self.at(name), "a string", raw)
        return value

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """An enum's value, in capitals, though it came as a number; "" where there is none. Raises Fault invalid_value
        for one that is not among `words`."""
        raw = self.raw(name)
        if raw is None:
            return ""
        value = decoded(raw, self.at(name))
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(words):
            value = words[value]
        if not isinstance(value, str):
            raise wrong(self.at(name), "a string", raw)
        word = value.upper()
        if word not in words and not word.endswith("_UNSPECIFIED"):
            raise unknown(self.at(name), value, [one for one in words if not one.endswith("_UNSPECIFIED")])
        return "" if word.endswith("_UNSPECIFIED") else word

    def number(self, name: str) -> float | None:
        """A number."""
        raw = self.raw(name)
        if raw is None:
            return None
        value = decoded(raw, self.at(name))
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or not -1e300 < number < 1e300:
            raise wrong(self.at(name), "a number", raw)
        return number

    def whole(self, name: str, least: int | None = None) -> int | None:
        """A whole number, not less than `least`."""
        number = self.number(name)
        if number is None:
            return None
        if number != int(number) or abs(number) > MOST:
            raise Fault("invalid_value", f"`{self.at(name)}` must be a whole number.", param=self.at(name))
        if least is not None and number < least:
            raise Fault("invalid_value", f"`{self.at(name)}` must be {least} or more.", param=self.at(name))
        return int(number)

    def flag(self, name: str) -> bool | None:
        """True or false."""
        raw = self.raw(name)
        if raw is None:
            return None
        value = decoded(raw, self.at(name))
        if not isinstance(value, bool):
            raise wrong(self.at(name), "true or false", raw)
        return value

    def inner(self, name: str) -> Fields | None:
        """An object."""
        raw = self.raw(name)
        return None if raw is None else Fields(raw, self.at(name))

    def items(self, name: str) -> list[tuple[msgspec.Raw, str]]:
        """A list's items with their paths; a single object is a list of one."""
        raw = self.raw(name)
        if raw is None:
            return []
        path = self.at(name)
        if opener(raw) == b"{":
            return [(raw, path)]
        if opener(raw) != b"[":
            raise wrong(path, "an array", raw)
        try:
            return [(item, f"{path}[{at}]") for at, item in enumerate(_list.decode(raw))]
        except (msgspec.DecodeError, RecursionError) as error:
            raise Fault("invalid_json", f"`{path}` is not valid JSON: {error}.", param=path) from None

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = []
        for raw, path in self.items(name):
            value = decoded(raw, path)
            if not isinstance(value, str):
                raise wrong(path, "a string", raw)
            found.append(value)
        return tuple(found)

    def rest(self) -> list[tuple[str, msgspec.Raw]]:
        """What nobody has asked for, nulls left out, in lowerCamelCase."""
        return [(camel(key), raw) for key, raw in self._fields.items() if key not in self._read and raw != NULL]


def decoded(raw: msgspec.Raw | bytes, path: str) -> Any:
    """A value. Raises Fault invalid_json."""
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Fault("invalid_json", f"`{path}` is not valid JSON: {error}.", param=path) from None


def wrong(path: str, expected: str, raw: msgspec.Raw | bytes) -> Fault:
    """The Fault of a value of another type."""
    return Fault("invalid_type", f"`{path}` must be {expected}, not {type_name(raw)}.", param=path or None)


def camel(name: str) -> str:
    """A field's name in lowerCamelCase."""
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def standard(data: str) -> str:
    """Base64 in the standard alphabet, padded."""
    data = data.translate(_SAFE).rstrip("=")
    return data + "=" * (-len(data) % 4)
