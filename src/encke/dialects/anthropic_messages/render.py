"""A request that passes: what came in, with the model set, and the bound on the answer where the gateway has one."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode
LARGE: Final = 4096


@lru_cache(maxsize=4096)
def _text(model: str) -> bytes:
    return _encode(model)


def render_passing(request: Request, model: str) -> list[bytes | memoryview]:
    """The body for upstream, in pieces: key order, nested bytes and unknown fields stay as they were read."""
    at = request.model_at
    limit = request.output_limit
    sets = limit > 0 and bytes(request.body.get("max_tokens", b"")) != b"%d" % limit
    if at >= 0 and not sets:
        data, rest = request.data, at + len(request.body["model"])
        # A view costs what copying some thousand bytes does.
        return [data[:at], _text(model), data[rest:] if len(data) < LARGE else memoryview(data)[rest:]]
    body = dict(request.body)
    body["model"] = msgspec.Raw(_text(model))
    if sets:
        body["max_tokens"] = msgspec.Raw(b"%d" % limit)
    return [_encode(body)]
