"""Write requests for an upstream of the OpenAI dialect: what came in, with model and usage option set."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from encke.dialects.openai_chat.wire import NULL, OUTPUT_LIMITS
from encke.dialects.request import Body, Request

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode
LARGE: Final = 4096
_TRUE: Final = msgspec.Raw(b"true")
_USAGE_ONLY: Final = msgspec.Raw(b'{"include_usage":true}')


@lru_cache(maxsize=4096)
def _text(model: str) -> bytes:
    return _encode(model)


def _name(model: str) -> msgspec.Raw:
    return msgspec.Raw(_text(model))


def render_request(
    request: Request, model: str, stream_usage: str, limit_field: str = "max_tokens"
) -> list[bytes | memoryview]:
    """The body for upstream, in pieces: key order, nested bytes and unknown fields stay as they were read.

    `stream_usage` is the provider's: with "option" a stream asks for usage, so that it can be recorded; with "unasked"
    it comes unasked, and the wish for it, which would be refused, is left out. `limit_field` is the provider's name for
    the bound on an answer's length, where the gateway sets one.
    """
    asks = request.stream and stream_usage == "option" and not request.include_usage
    at = request.model_at
    limit = request.output_limit
    if at >= 0 and not asks and not limit and (stream_usage != "unasked" or "stream_options" not in request.body):
        data, rest = request.data, at + len(request.body["model"])
        # A view costs what copying some thousand bytes does.
        return [data[:at], _text(model), data[rest:] if len(data) < LARGE else memoryview(data)[rest:]]
    body = dict(request.body)
    body["model"] = _name(model)
    if limit:
        for name in OUTPUT_LIMITS:
            body.pop(name, None)  # null, or nothing that can be read
        body[limit_field] = msgspec.Raw(b"%d" % limit)
    if asks:
        options = body.get("stream_options")
        if options is None or options == NULL:
            body["stream_options"] = _USAGE_ONLY
        else:
            merged = _map.decode(options)
            merged["include_usage"] = _TRUE
            body["stream_options"] = msgspec.Raw(_encode(merged))
    elif stream_usage == "unasked" and "stream_options" in body:
        _leave_out_the_wish(body)
    return [_encode(body)]


def _leave_out_the_wish(body: Body) -> None:
    try:
        options = _map.decode(body["stream_options"])
    except (msgspec.DecodeError, RecursionError):
        return  # nothing that asks for anything: the provider may say what it thinks of it
    options.pop("include_usage", None)
    if options:
        body["stream_options"] = msgspec.Raw(_encode(options))
    else:
        del body["stream_options"]
