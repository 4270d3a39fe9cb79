"""What every route reads of a request body: the top level as a map of raw values, the model, and what must be there."""

from __future__ import annotations

import codecs
import re
from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.request import Body

NULL: Final = msgspec.Raw(b"null")
MAX_MODEL_NAME: Final = 256
LARGE: Final = 1 << 20
MOST_FIELDS: Final = 100_000

_SPACED: Final = re.compile(rb'"[ \t\r\n]+:')
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string: Final = msgspec.json.Decoder(str)
_flag: Final = msgspec.json.Decoder(bool | None)

# The first byte of a JSON value tells its type.
_TYPE_NAMES: Final = {
    b'"': "a string",
    b"[": "an array",
    b"{": "an object",
    b"t": "a boolean",
    b"f": "a boolean",
    b"n": "null",
}


def read_model(body: Body) -> str:
    """The name in `model`. Raises Fault missing_required_parameter, invalid_type or invalid_value."""
    raw_model = body.get("model")
    if raw_model is None:
        raise Fault("missing_required_parameter", "You must provide a `model`.", param="model")
    if len(raw_model) > MAX_MODEL_NAME + 2:
        model = ""  # not decoded: a text may take four times the memory of its bytes
        if opener(raw_model) != b'"':
            raise wrong_type("model", raw_model, b'"')
    else:
        try:
            model = _string.decode(raw_model)
        except msgspec.ValidationError:
            raise wrong_type("model", raw_model, b'"') from None
        except msgspec.DecodeError:
            raise Fault("invalid_json", "`model` is not a valid JSON string.", param="model") from None
    if not model:
        raise Fault(
            "invalid_value",
            f"`model` must have 1 to {MAX_MODEL_NAME} bytes; it has {len(raw_model) - 2}.",
            param="model",
        )
    return model


def require(body: Body, name: str, openers: bytes) -> None:
    """Whether a field is there, and begins as values of its types do. Raises Fault missing_required_parameter or
    invalid_type."""
    value = body.get(name)
    if value is None:
        raise Fault("missing_required_parameter", f"Missing required parameter: `{name}`.", param=name)
    if memoryview(value)[0] not in openers:
        raise wrong_type(name, value, openers)


def read_flag(body: Body, name: str) -> bool:
    """A field that is true or false; null or none is false. Raises Fault invalid_type."""
    raw = body.get(name)
    if raw is None:
        return False
    try:
        return bool(_flag.decode(raw))
    except msgspec.DecodeError:
        raise Fault("invalid_type", f"`{name}` must be true or false, not {type_name(raw)}.", param=name) from None


def top_level(data: bytes) -> Body:
    """The top level of a body. Raises Fault invalid_json."""
    if (wrong := not_utf8(data)) >= 0:
        raise Fault("invalid_json", f"The body is not UTF-8: byte {wrong} cannot be decoded.")
    if len(data) > LARGE and _has_too_many_fields(data):
        raise Fault("invalid_json", f"The body has more than {MOST_FIELDS} fields.")
    try:
        return _map.decode(data)
    except msgspec.ValidationError:
        raise Fault("invalid_json", f"The body must be a JSON object; it is {type_name(data.lstrip()[:1])}.") from None
    except msgspec.DecodeError as error:
        what = "it is empty" if not data.strip() else str(error)
        raise Fault("invalid_json", f"The body is not valid JSON: {what}.") from None
    except RecursionError:
        raise Fault("invalid_json", "The body is nested too deeply.") from None


def not_utf8(data: bytes) -> int:
    """Where the first byte stands that is not UTF-8's; -1 for a text. The decoder looks only at what it decodes.

    In pieces, since a text takes up to four times the memory of its bytes.
    """
    size = len(data)
    if size <= LARGE:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            return error.start
        return -1
    at = 0 if not data.isascii() else size
    while at < size:
        end = min(at + LARGE, size)
        try:
            _, used = codecs.utf_8_decode(data[at:end], "strict", end == size)
        except UnicodeDecodeError as error:
            return at + error.start
        at += used
    return -1


def _has_too_many_fields(data: bytes) -> bool:
    """Whether a body names more fields than any request does, at all depths: each at the top costs some 170 bytes.

    An upper bound that is quick: quotes before colons, but not those that are escaped, which are somebody's text.
    """
    if data.count(b":") <= MOST_FIELDS:
        return False
    fields = data.count(b'":') - data.count(b'\\":') + data.count(b'\\\\":')
    if fields > MOST_FIELDS:
        return True
    for looked_at, found in enumerate(_SPACED.finditer(data)):
        if data[found.start() - 1 : found.start()] != b"\\":
            fields += 1
        if fields > MOST_FIELDS or looked_at > 4 * MOST_FIELDS:
            return True
    return False


def opener(raw: bytes | msgspec.Raw) -> bytes:
    """A value's first byte."""
    return bytes(memoryview(raw)[:1])


def type_name(raw: bytes | msgspec.Raw) -> str:
    """What a value is, in words."""
    return _TYPE_NAMES.get(opener(raw), "a number")


def wrong_type(name: str, raw: msgspec.Raw, openers: bytes) -> Fault:
    """The Fault of a value that begins with none of `openers`."""
    expected = " or ".join(dict.fromkeys(type_name(bytes([opener])) for opener in openers))
    return Fault("invalid_type", f"`{name}` must be {expected}, not {type_name(raw)}.", param=name)
