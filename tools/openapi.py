"""The OpenAPI 3.1 description of what a worker serves, made from the code's own tables: routes, faults, wire shapes.

`docs/openapi.json` is this; `python -m tools.docs` writes it, and a test holds it up to date. It describes what the
gateway itself reads and writes; whatever else a body holds is between the caller and the provider, and is left open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, NamedTuple

from tools.openapi_parts import AFTER, ALWAYS, CALLED, LEFT, Json, refs

from encke import __version__
from encke.calls.replies import MAX_NAME
from encke.core.faults import FAULTS, Fault
from encke.dialects.body import MAX_MODEL_NAME
from encke.dialects.openai_chat.wire import ROUTES as SHAPES
from encke.dialects.table import CLIENTS
from encke.worker.routes import METHODS, MODEL_PATH, MODEL_PATHS, MODEL_ROUTE, ROUTES, Route
from tools import openapi_parts as parts

# A JSON value's first byte tells its type; see `RouteShape`.
_OPENED: Final = {'"': "string", "[": "array", "{": "object"}

_SUMMARIES: Final = {
    "chat": "A chat completion, whole or as a stream",
    "completions": "A completion of a prompt, whole or as a stream (the older route)",
    "embeddings": "Embeddings of texts",
    "moderations": "A judgement of texts",
    "responses": "A response, whole or as a stream (OpenAI's Responses)",
    "messages": "A message, whole or as a stream (Anthropic's Messages)",
    "count_tokens": "How many tokens a message would have (Anthropic)",
    "generate": "Content, whole or as a stream (Gemini)",
    "google_count": "How many tokens contents have (Gemini)",
    "embed_content": "The embedding of a content (Gemini)",
    "batch_embed": "Embeddings of several contents (Gemini)",
    "models": "The models there are",
    "model": "One model",
    "key": "The key that asks: its rules, its limits, and what is left of them",
    "healthz": "Whether the process is up",
    "readyz": "Whether calls can be admitted and recorded",
}


class Wire(NamedTuple):
    """Of a route: the fields that a request must have, with their types; one that a good answer has ("" for none that
    is always there); whether it streams; the schema of its errors."""

    required: dict[str, list[str]]
    reply: str
    streams: bool
    error: str = "Error"


_WIRES: Final[dict[str, Wire]] = {
    "responses": Wire({"input": ["string", "array"]}, "output", True),
    "messages": Wire({"messages": ["array"], "max_tokens": ["integer"]}, "content", True, "AnthropicError"),
    "count_tokens": Wire({"messages": ["array"]}, "input_tokens", False, "AnthropicError"),
    "generate": Wire({"contents": ["array"]}, "", True, "GoogleError"),
    "google_count": Wire({"contents": ["array"]}, "totalTokens", False, "GoogleError"),
    "embed_content": Wire({"content": ["object"]}, "embedding", False, "GoogleError"),
    "batch_embed": Wire({"requests": ["array"]}, "embeddings", False, "GoogleError"),
} | {
    name: Wire(
        {field: [_OPENED[chr(opener)] for opener in openers] for field, openers in shape.required},
        shape.reply,
        shape.streams,
    )
    for name, shape in SHAPES.items()
}

# Codes that stand at the door: any request may meet them, whatever its route.
_DOOR: Final = ("bad_request", "request_timeout", "request_too_large", "headers_too_large", "internal_error")
_KEY: Final = ("missing_api_key", "invalid_api_key", "expired_api_key", "invalid_value", "unavailable")
# A path that does not exist, or a method that the path does not have: no operation of a description.
_NOWHERE: Final = ("not_found", "method_not_allowed")
# What `GET /readyz` says while it is not.
_READY: Final = ("unavailable", "draining")


BETA: Final = "/v1beta/models"


def codes(route: Route) -> list[str]:
    """The codes that an operation may answer with, in the order of the table of faults."""
    if route.kind == "inference":
        return [code for code in FAULTS if code not in _NOWHERE]
    may = set(_DOOR)
    if not route.public:
        may.update(_KEY)
    if route.kind == "model":
        may.add("model_not_found")
    if route.kind == "readyz":
        may.update(_READY)
    return [code for code in FAULTS if code in may]


def describe() -> Json:
    """The whole description."""
    paths = {path: _path(route) for path, route in ROUTES.items() if path != BETA}
    _in_many_shapes(paths["/v1/models"])
    paths |= {f"{MODEL_PATH}{{id}}": _one_model(_in_many_shapes(_path(MODEL_ROUTE))), BETA: _beta(ROUTES[BETA])}
    paths[f"{BETA}/{{id}}"] = _one_model(_beta(MODEL_PATHS[f"{BETA}/"]))
    paths |= {f"/v1beta/models/{{model}}:{name}": _method(route) for name, route in METHODS.items()}
    shared = _share(paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Encke",
            "version": __version__,
            "description": "A gateway for language models that speaks the OpenAI dialect. Paths also match with a "
            "trailing slash and with a doubled /v1/v1. Any other path is 404 `not_found`, any other method 405 "
            "`method_not_allowed` with `Allow`, both in the shape of `Error`; a request that is not HTTP/1.1 is 400 "
            "`bad_request`, and its connection is closed.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8080"}],
        "security": [{name: []} for name in parts.schemes()],
        "paths": paths,
        "components": {
            "securitySchemes": parts.schemes(),
            "schemas": parts.schemas(),
            "headers": parts.headers(),
            "responses": shared,
        },
    }


def _share(paths: Json) -> Json:
    """Put the errors that several operations have in common into one place: the answers, by name."""
    names: dict[str, str] = {}
    shared: Json = {}
    operations = [one for path in paths.values() for one in path.values() if isinstance(one, dict)]
    for operation in operations:
        for status, answer in operation["responses"].items():
            if status == "200":
                continue
            text = json.dumps(answer, sort_keys=True)
            name = names.setdefault(
                text, f"Error{status}-{1 + sum(key.startswith(f'Error{status}') for key in shared)}"
            )
            shared[name] = answer
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))


def render() -> str:
    """The text of docs/openapi.json."""
    return json.dumps(describe(), indent=1, ensure_ascii=False) + "\n"


# Paths and operations.


def _path(route: Route) -> Json:
    operations = {route.method.lower(): _operation(route)}
    if route.method == "GET":
        operations["head"] = _head(route)
    return {**operations, "options": _options(route)}


def _one_model(operations: Json) -> Json:
    parameter = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The model's name, percent-encoded; it may also hold slashes as they are.",
        "schema": {"type": "string", "minLength": 1},
    }
    return {"parameters": [parameter], **operations}


_ELSE: Final = {"type": "object", "description": "In Anthropic's or Gemini's shape, by the headers of their clients."}


def _in_many_shapes(operations: Json) -> Json:
    """What answers in the shape of whoever asks, by the headers."""
    envelopes = [{"$ref": f"#/components/schemas/{name}Error"} for name in ("Anthropic", "Google")]
    for operation in operations.values():
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                content["schema"] = {"anyOf": [content["schema"], *([_ELSE] if status == "200" else envelopes)]}
    return operations


def _beta(route: Route) -> Json:
    """A list of models, or one, in Gemini's shape."""
    operations = _path(route)
    reply: Json = {"type": "object", "required": ["models" if route.kind == "models" else "name"]}
    for operation in operations.values():
        operation["operationId"] = f"beta_{operation['operationId']}"
        operation["parameters"] = [one for one in operation.get("parameters", ()) if one is not _PRICES]
        for status, answer in operation["responses"].items():
            if "content" in answer:
                schema = reply if status == "200" else {"$ref": "#/components/schemas/GoogleError"}
                answer["content"] = {"application/json": {"schema": schema}}
    return operations


def _method(route: Route) -> Json:
    parameter = {
        "name": "model",
        "in": "path",
        "required": True,
        "description": "The model's name, percent-encoded; it may also hold slashes as they are.",
        "schema": {"type": "string", "minLength": 1},
    }
    operations = _path(route)
    for method, operation in operations.items():
        bound = {"maxLength": MAX_MODEL_NAME} if method == "post" else {}  # who only asks what is allowed is not judged
        name = {**parameter, "schema": {"type": "string", "minLength": 1, **bound}}
        operation["parameters"] = [*operation.get("parameters", ()), name]
    return operations


def _operation(route: Route) -> Json:
    operation: Json = {"operationId": route.name, "summary": _SUMMARIES[route.name]}
    if route.public:
        operation["security"] = []
    more = {"inference": [_NAME], "models": [_PRICES], "model": [_PRICES]}
    operation["parameters"] = [_REQUEST_ID, *more.get(route.kind, [])]
    if route.method == "POST":
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _request(route)}}}
    operation["responses"] = {"200": _good(route), **_bad(route)}
    return operation


_STREAM: Final = (
    "Where `stream` is true: server-sent events as the provider sent them, at the end `data: [DONE]`. A failure after "
    "the head is an event with an `Error`, and the connection is closed without that end."
)
_PRICES: Final = {
    "name": "x-encke-include-prices",
    "in": "header",
    "description": "`true` tells with each model what its targets cost now.",
    "schema": {"type": "string"},
}
_REQUEST_ID: Final = {
    "name": "x-request-id",
    "in": "header",
    "description": "The caller's own id, echoed as `x-client-request-id` (visible ASCII, 128 characters at most).",
    "schema": {"type": "string"},
}
_NAME: Final = {
    "name": "idempotency-key",
    "in": "header",
    "description": "A name for this call: sent again with the same body within 24 hours, it is not made and charged a "
    "second time, and the answer is the first one's (`x-encke-replayed`). With another body, while the first still "
    "runs, or when its answer was too large to keep, it is 409. A call that failed frees its name.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def _head(route: Route) -> Json:
    """As GET, without a body."""
    full = _operation(route)
    bare = {status: {k: v for k, v in answer.items() if k != "content"} for status, answer in full["responses"].items()}
    return {**full, "operationId": f"{route.name}_head", "responses": bare}


def _options(route: Route) -> Json:
    allow = {"required": True, "schema": {"const": route.allow}}
    ok = {"description": "What is allowed here.", "headers": {**refs(ALWAYS), "allow": allow}}
    responses = {"200": ok, **_bad(Route(route.name, "healthz", "OPTIONS", True))}
    return {"operationId": f"{route.name}_options", "security": [], "responses": responses}


# Of required fields, what must hold beside their types.
_BOUNDS: Final[dict[tuple[str, str], Json]] = {
    ("messages", "max_tokens"): {"minimum": 0},
    ("responses", "input"): {"minItems": 1, "items": {"type": "object"}},
}


def _request(route: Route) -> Json:
    wire = _WIRES[route.name]
    types = wire.required
    fields: Json = {"model": {"type": "string", "minLength": 1, "maxLength": MAX_MODEL_NAME}}
    if wire.error == "GoogleError":
        fields = {}  # it stands in the path
    required = [*fields, *types]
    fields |= {
        name: {"type": kinds[0] if len(kinds) == 1 else kinds, **_BOUNDS.get((route.name, name), {})}
        for name, kinds in types.items()
    }
    schema: Json = {"type": "object", "required": required, "properties": fields, "additionalProperties": True}
    if wire.streams and wire.error != "GoogleError":
        fields["stream"] = {"type": ["boolean", "null"]}
    if route.name in SHAPES and wire.streams:
        usage = {"include_usage": {"type": ["boolean", "null"]}}
        options = {"type": ["object", "null"], "properties": usage, "additionalProperties": True}
        # Read only where a stream is asked for; otherwise it is the provider's to judge.
        schema["if"] = {"required": ["stream"], "properties": {"stream": {"const": True}}}
        schema["then"] = {"properties": {"stream_options": options}}
    return schema


def _good(route: Route) -> Json:
    content: Json = {"application/json": {"schema": _answer(route)}}
    headers = refs(ALWAYS)
    if route.kind == "models":
        headers |= refs(("x-encke-models-missing",))
    if route.kind == "inference":
        headers |= refs((*CALLED, *LEFT))
        if _WIRES[route.name].streams:
            content["text/event-stream"] = {"schema": {"description": _STREAM}}
    return {"description": _SUMMARIES[route.name] + ".", "headers": headers, "content": content}


def _answer(route: Route) -> Json:
    if route.kind == "inference":
        wanted = _WIRES[route.name].reply
        required = [wanted] if wanted else []
        return {"type": "object", "required": required, "additionalProperties": True}
    if route.kind in ("models", "model", "key"):
        return {"$ref": f"#/components/schemas/{route.kind.capitalize()}"}
    word = {"healthz": "ok", "readyz": "ready"}[route.kind]
    return {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}


def _bad(route: Route) -> Json:
    """An answer for each status, with the codes it may carry."""
    grouped: dict[int, list[str]] = {}
    for code in codes(route):
        side = CLIENTS.get(route.name)
        status = FAULTS[code].status if side is None else side.fault_status(Fault(code, ""))
        grouped.setdefault(status, []).append(code)
    if route.method == "POST":
        envelope = _WIRES[route.name].error
        found: Json = {str(status): _error(status, of, envelope) for status, of in sorted(grouped.items())}
        found["4XX"] = _error(0, ("upstream_invalid_request",), envelope)
        return found
    return {str(status): _error(status, of) for status, of in sorted(grouped.items())}


def _error(status: int, of: Iterable[str], envelope: str = "Error") -> Json:
    lines = [f"`{code}`: {FAULTS[code].meaning}" for code in of]
    schema: Json = {"$ref": f"#/components/schemas/{envelope}"}
    if "upstream_invalid_request" in of:
        lines.append(
            "A provider that refuses a request as the caller's fault is quoted: its own status, type and code."
        )
    elif envelope == "Error":
        code = {"code": {"enum": list(of)}, "type": {"enum": sorted({FAULTS[one].type for one in of})}}
        schema = {"allOf": [schema, {"properties": {"error": {"properties": code}}}]}
    headers = refs(ALWAYS) | refs(("x-encke-error-code", "x-should-retry")) | refs(AFTER, required=status in (503, 529))
    if status == 429:
        headers |= refs(LEFT)
    return {"description": " ".join(lines), "headers": headers, "content": {"application/json": {"schema": schema}}}
