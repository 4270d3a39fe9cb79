"""Read requests and answers of the OpenAI dialect: the top level as a map of raw values, and usage as disjoint
buckets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.body import not_utf8, opener, read_flag, read_model, require, top_level, type_name, wrong_type
from encke.dialects.mend import mend, relaxed
from encke.dialects.openai_chat.usage import buckets
from encke.dialects.openai_chat.wire import NOTHING, NULL, ROUTES, LargeReply, Reply, UsualReply, WireUsage
from encke.dialects.port import ParsedReply
from encke.dialects.request import Body, Request

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string: Final = msgspec.json.Decoder(str)
_flag: Final = msgspec.json.Decoder(bool | None)
_reply: Final = msgspec.json.Decoder(Reply)
_usual_reply: Final = msgspec.json.Decoder(UsualReply)
_large_reply: Final = msgspec.json.Decoder(LargeReply)
_usage: Final = msgspec.json.Decoder(WireUsage)

LONGEST_FINISH: Final = 256
# A whole answer from which size on its objects are counted, and how many may be choices that are looked at: millions
# of empty ones would stop everybody else for seconds.
LARGE_REPLY: Final = 1 << 18
MOST_OBJECTS: Final = 50_000


def parse_request(route: str, data: bytes) -> Request:
    """Read a request body. Raises Fault invalid_json, missing_required_parameter, invalid_type or invalid_value."""
    body = top_level(data)
    model = read_model(body)
    shape = ROUTES[route]
    for name, openers in shape.required:
        require(body, name, openers)
    stream = shape.streams and read_flag(body, "stream")
    return Request(data, body, model, stream, stream and _include_usage(body))


def _include_usage(body: Body) -> bool:
    raw = body.get("stream_options")
    if raw is None or raw == NULL:
        return False
    if opener(raw) != b"{":
        raise wrong_type("stream_options", raw, b"{")
    try:
        wanted = _flag.decode(_map.decode(raw).get("include_usage", NULL))
    except (msgspec.DecodeError, RecursionError):
        raise Fault(
            "invalid_type",
            "`stream_options.include_usage` must be true or false.",
            param="stream_options.include_usage",
        ) from None
    return bool(wanted)


def parse_reply(route: str, data: bytes) -> ParsedReply:
    """Read a whole answer with status 200. Raises Fault upstream_bad_response when it is not what the route answers."""
    if not_utf8(data) >= 0:
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
            mended = mend(data, Reply)
            if mended is None:
                raise _no_reply(error) from None
            reply, usage, finish = mended, parse_usage(mended.usage), _finish(mended)
    if reply.error not in (NOTHING, NULL):
        raise Fault("upstream_error", "The provider answered 200 with an error inside.", verdict="again")
    wanted = ROUTES[route].reply
    if getattr(reply, wanted) in (None, NOTHING, NULL):
        raise Fault("upstream_bad_response", f"The provider's answer has no `{wanted}`.", verdict="next")
    return ParsedReply(usage, finish or "")


def _unusual(data: bytes) -> tuple[Reply, Usage | None, str | None]:
    try:
        reply = _reply.decode(data)
        return reply, parse_usage(reply.usage), _finish(reply)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_reply(error) from None


def _finish(reply: Reply) -> str | None:
    finish = reply.choices[0].finish_reason if reply.choices else NOTHING
    told = len(finish) <= LONGEST_FINISH and opener(finish) == b'"'
    return _string.decode(finish) if told else None


def _large(data: bytes) -> tuple[LargeReply, Usage | None]:
    try:
        reply = _large_reply.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_reply(error) from None
    if opener(reply.choices) not in b"[n":
        raise _no_reply(ValueError(f"`choices` is {type_name(reply.choices)}"))
    return reply, parse_usage(reply.usage)


def _no_reply(error: Exception) -> Fault:
    return Fault(
        "upstream_bad_response",
        f"The provider's answer is not a JSON object of the expected shape: {error}.",
        verdict="next",
    )


def parse_usage(raw: msgspec.Raw) -> Usage | None:
    """Usage in disjoint buckets, or None where it is absent or cannot be believed (negative, fractional)."""
    if len(raw) < 5:  # absent, null or {}
        return None
    wire = relaxed(raw, _usage, WireUsage)
    return None if wire is None else buckets(wire)
