"""What the gateway reads of a request that passes as it is, and of its whole answer."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.anthropic_messages.usage import parse_usage
from encke.dialects.anthropic_messages.wire import NULL, VERSION, CountBody, TapReply
from encke.dialects.body import not_utf8, opener, read_flag, read_model, require, top_level, type_name
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import relaxed
from encke.dialects.port import ParsedReply
from encke.dialects.request import Request

BETA: Final = b"anthropic-beta"
MAX_FIELD: Final = 4096
MOST: Final = 1 << 26
LONGEST_STOP: Final = 256

_number: Final = msgspec.json.Decoder(int | float)
_string: Final = msgspec.json.Decoder(str)
_reply: Final = msgspec.json.Decoder(TapReply)
_count: Final = msgspec.json.Decoder(CountBody)


def parse_request(route: str, data: bytes, headers: dict[bytes, bytes]) -> Request:
    """Read a request body. Raises Fault invalid_json, missing_required_parameter, invalid_type or invalid_value."""
    body = top_level(data)
    model = read_model(body)
    stream = False
    if route == "messages":
        require(body, "max_tokens", b"-0123456789")
        max_tokens(body["max_tokens"])
        stream = read_flag(body, "stream")
    require(body, "messages", b"[")
    request = Request(data, body, model, stream, True)
    request.fields = _fields(headers)
    return request


def max_tokens(raw: msgspec.Raw) -> int:
    """The bound on an answer, in tokens; 0 is one, too. Raises Fault invalid_type or invalid_value."""
    try:
        told = _number.decode(raw)
        value = int(told)  # 16.0 is a whole number, too
        if value != told:
            raise msgspec.ValidationError("a fraction")
    except (msgspec.DecodeError, OverflowError):
        shown = bytes(raw)[:40].decode("utf-8", "replace")
        raise Fault("invalid_type", f"`max_tokens` must be a whole number, not {shown}.", param="max_tokens") from None
    if value < 0:
        raise Fault("invalid_value", f"`max_tokens` must be 0 or more, not {value}.", param="max_tokens")
    return min(value, MOST)


def _fields(headers: dict[bytes, bytes]) -> bytes:
    """The caller's headers that go on to a provider of this dialect."""
    made = b""
    beta = headers.get(BETA)
    if beta:
        made = b"%b: %b\r\n" % (BETA, _visible("anthropic-beta", beta))
    version = headers.get(b"anthropic-version")
    if version and version != VERSION:
        made += b"anthropic-version: %b\r\n" % _visible("anthropic-version", version)
    return made


def _visible(name: str, value: bytes) -> bytes:
    if len(value) > MAX_FIELD or any(not 0x20 <= byte < 0x7F for byte in value):
        raise Fault(
            "invalid_value",
            f"The header `{name}` must have visible ASCII characters and at most {MAX_FIELD} of them.",
            param=name,
        )
    return value


def parse_reply(data: bytes) -> ParsedReply:
    """Read a whole answer with status 200. Raises Fault upstream_bad_response, or what an error inside says."""
    reply = decoded(data)
    if bytes(reply.content)[:1] != b"[":
        raise Fault("upstream_bad_response", "The provider's answer has no `content`.", verdict="next")
    return ParsedReply(parse_usage(reply.usage), stop_word(reply.stop_reason))


def parse_count(data: bytes) -> int:
    """Read how many tokens a request has. Raises Fault upstream_bad_response."""
    try:
        found = _count.decode(data).input_tokens
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        found = -1
    if found < 0:
        raise Fault("upstream_bad_response", "The provider's answer has no `input_tokens`.", verdict="next")
    return found


def stop_word(raw: msgspec.Raw) -> str:
    """A `stop_reason` as upstream has it, "" where it is none."""
    if opener(raw) != b'"' or len(raw) > LONGEST_STOP:
        return ""
    try:
        return _string.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def decoded(data: bytes) -> TapReply:
    """A whole answer as far as it is looked at. Raises Fault upstream_bad_response, or what an error inside says."""
    if not_utf8(data) >= 0:
        raise Fault("upstream_bad_response", "The provider's answer is not UTF-8.", verdict="next")
    reply = relaxed(data, _reply, TapReply)
    if reply is None:
        raise Fault(
            "upstream_bad_response", "The provider's answer is not a JSON object of the expected shape.", verdict="next"
        )
    if len(reply.error) > 4 and reply.error != NULL:
        raise fault_in_stream(reply.error)
    return reply


def wrong(param: str, expected: str, raw: bytes | msgspec.Raw) -> Fault:
    """The Fault of a value that has the wrong type."""
    return Fault("invalid_type", f"`{param}` must be {expected}, not {type_name(raw)}.", param=param)
