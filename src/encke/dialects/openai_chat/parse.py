"""Read requests and answers of the OpenAI dialect: the top level as a map of raw values, and usage as disjoint
buckets.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_chat.usage import buckets
from encke.dialects.openai_chat.wire import NOTHING, NULL, ROUTES, LargeReply, Reply, UsualReply, WireUsage
from encke.dialects.port import ParsedReply
from encke.dialects.request import Body, Request

_SPACED: Final = re.compile(rb'"[ \t\r\n]+:')
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string: Final = msgspec.json.Decoder(str)
_flag: Final = msgspec.json.Decoder(bool | None)
_reply: Final = msgspec.json.Decoder(Reply)
_usual_reply: Final = msgspec.json.Decoder(UsualReply)
_large_reply: Final = msgspec.json.Decoder(LargeReply)
_usage: Final = msgspec.json.Decoder(WireUsage)

# The first byte of a JSON value tells its type.
_TYPE_NAMES: Final = {
    b'"': "a string",
    b"[": "an array",
    b"{": "an object",
    b"t": "a boolean",
    b"f": "a boolean",
    b"n": "null",
}

MAX_MODEL_NAME: Final = 256
LONGEST_FINISH: Final = 256
LARGE: Final = 1 << 20
MOST_FIELDS: Final = 100_000
# A whole answer from which size on its objects are counted, and how many may be choices that are looked at: millions
# of empty ones would stop everybody else for seconds.
LARGE_REPLY: Final = 1 << 18
MOST_OBJECTS: Final = 50_000


def parse_request(route: str, data: bytes) -> Request:
    """Read a request body. Raises Fault invalid_json, missing_required_parameter, invalid_type or invalid_value."""
    body = _top_level(data)
    raw_model = body.get("model")
    if raw_model is None:
        raise Fault("missing_required_parameter", "You must provide a `model`.", param="model")
    if len(raw_model) > MAX_MODEL_NAME + 2:
        model = ""  # not decoded: a text may take four times the memory of its bytes
        if _opener(raw_model) != b'"':
            raise _wrong_type("model", raw_model, b'"')
    else:
        try:
            model = _string.decode(raw_model)
        except msgspec.ValidationError:
            raise _wrong_type("model", raw_model, b'"') from None
        except msgspec.DecodeError:
            raise Fault("invalid_json", "`model` is not a valid JSON string.", param="model") from None
    if not model:
        raise Fault(
            "invalid_value",
            f"`model` must have 1 to {MAX_MODEL_NAME} bytes; it has {len(raw_model) - 2}.",
            param="model",
        )
    shape = ROUTES[route]
    for name, openers in shape.required:
        value = body.get(name)
        if value is None:
            raise Fault("missing_required_parameter", f"Missing required parameter: `{name}`.", param=name)
        if memoryview(value)[0] not in openers:
            raise _wrong_type(name, value, openers)
    if not shape.streams or "stream" not in body:
        return Request(data, body, model, False, False)
    try:
        stream = _flag.decode(body["stream"])
    except msgspec.DecodeError:
        raise Fault(
            "invalid_type", f"`stream` must be true or false, not {_type_name(body['stream'])}.", param="stream"
        ) from None
    return Request(data, body, model, bool(stream), bool(stream) and _include_usage(body))


def _top_level(data: bytes) -> Body:
    if (wrong := _not_utf8(data)) >= 0:
        raise Fault("invalid_json", f"The body is not UTF-8: byte {wrong} cannot be decoded.")
    if len(data) > LARGE and _has_too_many_fields(data):
        raise Fault("invalid_json", f"The body has more than {MOST_FIELDS} fields.")
    try:
        return _map.decode(data)
    except msgspec.ValidationError:
        raise Fault("invalid_json", f"The body must be a JSON object; it is {_type_name(data.lstrip()[:1])}.") from None
    except msgspec.DecodeError as error:
        what = "it is empty" if not data.strip() else str(error)
        raise Fault("invalid_json", f"The body is not valid JSON: {what}.") from None
    except RecursionError:
        raise Fault("invalid_json", "The body is nested too deeply.") from None


def _not_utf8(data: bytes) -> int:
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


def _include_usage(body: Body) -> bool:
    raw = body.get("stream_options")
    if raw is None or raw == NULL:
        return False
    if _opener(raw) != b"{":
        raise _wrong_type("stream_options", raw, b"{")
    try:
        wanted = _flag.decode(_map.decode(raw).get("include_usage", NULL))
    except (msgspec.DecodeError, RecursionError):
        raise Fault(
            "invalid_type",
            "`stream_options.include_usage` must be true or false.",
            param="stream_options.include_usage",
        ) from None
    return bool(wanted)


def _opener(raw: bytes | msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def _type_name(raw: bytes | msgspec.Raw) -> str:
    return _TYPE_NAMES.get(_opener(raw), "a number")


def _wrong_type(name: str, raw: msgspec.Raw, openers: bytes) -> Fault:
    expected = " or ".join(_TYPE_NAMES[bytes([opener])] for opener in openers)
    return Fault("invalid_type", f"`{name}` must be {expected}, not {_type_name(raw)}.", param=name)


def parse_reply(route: str, data: bytes) -> ParsedReply:
    """Read a whole answer with status 200. Raises Fault upstream_bad_response when it is not what the route answers."""
    if _not_utf8(data) >= 0:
        raise Fault("upstream_bad_response", "The provider's answer is not UTF-8.", verdict="next")
    usage: Usage | None
    reply: Reply | UsualReply | LargeReply
    finish: str | None = None
    if len(data) > LARGE_REPLY and data.count(b"{") > MOST_OBJECTS:
        reply, usage = _large(data)
    else:
        try:
            reply = _usual_reply.decode(data)
            usage = buckets(reply.usage) if reply.usage is not None else None
            if reply.choices:
                finish = reply.choices[0].finish_reason
        except (msgspec.ValidationError, RecursionError):
            reply, usage, finish = _unusual(data)
        except msgspec.DecodeError as error:
            raise _no_reply(error) from None
    if reply.error not in (NOTHING, NULL):
        raise Fault("upstream_error", "The provider answered 200 with an error inside.", verdict="again")
    wanted = ROUTES[route].reply
    if getattr(reply, wanted) in (None, NOTHING, NULL):
        raise Fault("upstream_bad_response", f"The provider's answer has no `{wanted}`.", verdict="next")
    return ParsedReply(usage, finish or "")


def _unusual(data: bytes) -> tuple[Reply, Usage | None, str | None]:
    try:
        reply = _reply.decode(data)
        finish = reply.choices[0].finish_reason if reply.choices else NOTHING
        told = len(finish) <= LONGEST_FINISH and _opener(finish) == b'"'
        return reply, parse_usage(reply.usage), _string.decode(finish) if told else None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_reply(error) from None


def _large(data: bytes) -> tuple[LargeReply, Usage | None]:
    try:
        reply = _large_reply.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_reply(error) from None
    if _opener(reply.choices) not in b"[n":
        raise _no_reply(ValueError(f"`choices` is {_type_name(reply.choices)}"))
    return reply, parse_usage(reply.usage)


def _no_reply(error: Exception) -> Fault:
    return Fault(
        "upstream_bad_response",
        f"The provider's answer is not a JSON object of the expected shape: {error}.",
        verdict="next",
    )


def parse_usage(raw: msgspec.Raw) -> Usage | None:
    """Usage in disjoint buckets, or None where it is absent or cannot be believed (negative, fractional, text)."""
    if len(raw) < 5:  # absent, null or {}
        return None
    try:
        wire = _usage.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return buckets(wire)
