"""Reading what callers sent into typed values: what is wrong becomes a Fault that names the place and the types."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from encke.core.faults import Fault

T = TypeVar("T")

MAX_DEPTH: Final = 64

_NULL: Final = msgspec.Raw(b"null")
_any: Final = msgspec.json.Decoder()
_string: Final = msgspec.json.Decoder(str)
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

# msgspec's words for types, in those of our messages.
_WORDS: Final = {
    "str": "a string", "int": "an integer", "float": "a number", "bool": "true or false", "array": "an array",
    "object": "an object", "null": "null",
}  # fmt: skip
_WRONG: Final = re.compile(r"Expected `([^`]*)`(?:, got `([^`]*)`)?([^`]*?)(?: - at `\$([^`]*)`)?$")
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`(?: - at `\$([^`]*)`)?$")
# Of a body that is translated: each becomes an object of its own.
MOST_VALUES: Final = 500_000
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def read(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], path: str) -> T:
    """The value of `raw` as `decoder` has it. Raises Fault missing_required_parameter, invalid_type, invalid_value or
    invalid_json, with `path` and what is below it as `param`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), path) from None
    except RecursionError:
        raise too_deep_at(path) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise Fault("invalid_json", f"`{path}` is not valid JSON: {broken}.", param=path) from None


def read_string(raw: bytes | msgspec.Raw, path: str) -> str:
    """See `read`."""
    return read(raw, _string, path)


def read_list(raw: bytes | msgspec.Raw, path: str) -> list[msgspec.Raw]:
    """See `read`."""
    return read(raw, _list, path)


def read_map(raw: bytes | msgspec.Raw, path: str) -> dict[str, msgspec.Raw]:
    """See `read`."""
    return read(raw, _map, path)


def read_any(raw: bytes | msgspec.Raw, path: str) -> Any:
    """See `read`."""
    return read(raw, _any, path)


def is_set(raw: msgspec.Raw | None) -> bool:
    """Whether a field is there, and not null."""
    return raw is not None and len(raw) > 0 and raw != _NULL


def missing(path: str) -> Fault:
    """The Fault of a field that must be there."""
    return Fault("missing_required_parameter", f"Missing required parameter: `{path}`.", param=path)


def invalid(path: str, why: str) -> Fault:
    """The Fault of a value that cannot be used; `why` goes on after the path: "must be …"."""
    return Fault("invalid_value", f"`{path}` {why}.", param=path)


def unknown(path: str, found: str, known: Iterable[str]) -> Fault:
    """The Fault of a word that is none of those that are known."""
    words = [f"`{word}`" for word in known]
    listed = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)
    return invalid(path, f"must be {listed}, not `{found[:64]}`")


def too_deep_at(path: str) -> Fault:
    """The Fault of a value that is nested too deeply."""
    return invalid(path, f"is nested more than {MAX_DEPTH} levels deep")


def check_size(data: bytes) -> None:
    """A body that is to be read in full has no more values than any request has: millions of them would stop everybody
    else for seconds. Raises Fault invalid_value."""
    if has_too_many_values(data):
        raise Fault(
            "invalid_value", f"The body has more than {MOST_VALUES} values, too many for a model of another dialect."
        )


def has_too_many_values(data: bytes) -> bool:
    """Whether there are more than MOST_VALUES, at all depths."""
    return data.count(b",") > MOST_VALUES and _STRINGS.sub(b"", data).count(b",") > MOST_VALUES


def check_depth(data: bytes) -> None:
    """Raises Fault invalid_value for JSON that is nested deeper than what is translated may be."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and depth(data) > MAX_DEPTH:
        raise Fault("invalid_value", f"The body is nested more than {MAX_DEPTH} levels deep.")


def depth(data: bytes) -> int:
    """How deep arrays and objects of valid JSON are nested."""
    deepest = at = 0
    for byte in _STRINGS.sub(b"", data).translate(_BRACKETS, _NO_BRACKETS):
        if byte == 91:
            at += 1
            if at > deepest:
                deepest = at
        else:
            at -= 1
    return deepest


def _wrong(error: str, path: str) -> Fault:
    lacking = _MISSING.match(error)
    if lacking is not None:
        return missing(f"{path}{lacking[2] or ''}.{lacking[1]}")
    found = _WRONG.match(error)
    if found is None:
        return invalid(path, f"cannot be used: {error}")
    where = path + (found[4] or "")
    expected = " or ".join(_WORDS.get(word, word) for word in found[1].split(" | "))
    if found[2] is None:
        return invalid(where, f"must be {expected}{found[3]}")
    got = _WORDS.get(found[2], found[2]) if found[2] != "bool" else "a boolean"
    return Fault("invalid_type", f"`{where}` must be {expected}, not {got}.", param=where)
