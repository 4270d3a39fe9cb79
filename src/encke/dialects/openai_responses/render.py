"""Write requests for an upstream of the same dialect: what came in, with the model and a limit set."""

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


def render_native(request: Request, model: str) -> list[bytes | memoryview]:
    """The body, in pieces: key order, nested bytes and unknown fields stay as they were read."""
    at = request.model_at
    if at >= 0 and not request.output_limit:
        data, rest = request.data, at + len(request.body["model"])
        # A view costs what copying some thousand bytes does.
        return [data[:at], _text(model), data[rest:] if len(data) < LARGE else memoryview(data)[rest:]]
    body = dict(request.body)
    body["model"] = msgspec.Raw(_text(model))
    if request.output_limit:
        body["max_output_tokens"] = msgspec.Raw(b"%d" % request.output_limit)
    return [_encode(body)]
