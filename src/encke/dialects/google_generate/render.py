"""Write requests for an upstream of the same dialect: what came in, with the model and the limit set."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.dialects.body import opener
from encke.dialects.google_generate.parse import snake
from encke.dialects.google_generate.wire import NULL
from encke.dialects.request import Body, Request

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_maps: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_encode: Final = msgspec.json.Encoder().encode


def render_request(request: Request, model: str) -> list[bytes | memoryview]:
    """The body for upstream, in pieces: as it was read, but for `maxOutputTokens`, where the gateway sets one, and for
    a model that the body names beside the path."""
    body = dict(request.body)
    changed = _name_model(body, model)
    inner = body.get("generateContentRequest", body.get("generate_content_request", NULL))
    if opener(inner) == b"{":
        fields = _decoded(inner)
        if fields is not None and _name_model(fields, model):
            key = "generateContentRequest" if "generateContentRequest" in body else "generate_content_request"
            body[key] = msgspec.Raw(_encode(fields))
            changed = True
    changed |= _name_models(body, model)
    if request.output_limit:
        _limit(body, request.output_limit)
        changed = True
    return [_encode(body)] if changed else [request.data]


def _decoded(raw: msgspec.Raw) -> Body | None:
    try:
        return _map.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None  # the provider may say what it thinks of it


def _name_model(body: Body, model: str) -> bool:
    """Set the model of a body that has one, as "models/NAME" if it was written so; True if it changes."""
    old = body.get("model")
    if old is None or opener(old) != b'"':
        return False
    new = _encode(model if "/" in model or not bytes(old).startswith(b'"models/') else f"models/{model}")
    if new == bytes(old):
        return False
    body["model"] = msgspec.Raw(new)
    return True


def _name_models(body: Body, model: str) -> bool:
    """The same for each of `requests`."""
    raw = body.get("requests")
    if raw is None or (b'"model"' not in bytes(raw) and b"\\" not in bytes(raw)):  # a name may have escapes
        return False
    try:
        requests = _maps.decode(raw) if opener(raw) == b"[" else [_map.decode(raw)]
    except (msgspec.DecodeError, RecursionError):
        return False
    changed = 0
    for one in requests:
        changed += _name_model(one, model)
    if not changed:
        return False
    body["requests"] = msgspec.Raw(_encode(requests))
    return True


def _limit(body: Body, limit: int) -> None:
    name = next((key for key in ("generationConfig", "generation_config") if key in body), "generationConfig")
    config = _decoded(body[name]) if name in body and opener(body[name]) == b"{" else None
    config = {} if config is None else config
    config.pop(snake("maxOutputTokens"), None)
    config["maxOutputTokens"] = msgspec.Raw(b"%d" % limit)
    body[name] = msgspec.Raw(_encode(config))
