"""The OpenAPI 3.1 description of what a worker serves, made from the code's own tables: routes, faults, wire shapes.

`docs/openapi.json` is this; `python -m tools.docs` writes it, and a test holds it up to date. It describes what the
gateway itself reads and writes; whatever else a body holds is between the caller and the provider, and is left open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from encke import __version__
from encke.core.faults import FAULTS
from encke.dialects.openai_chat.parse import MAX_MODEL_NAME
from encke.dialects.openai_chat.wire import ROUTES as SHAPES
from encke.worker.admission import KEY_HEADERS
from encke.worker.routes import MODEL_PATH, MODEL_ROUTE, ROUTES, Route

Json = dict[str, Any]

# A JSON value's first byte tells its type; see `RouteShape`.
_OPENED: Final = {'"': "string", "[": "array", "{": "object"}

_SUMMARIES: Final = {
    "chat": "A chat completion, whole or as a stream",
    "completions": "A completion of a prompt, whole or as a stream (the older route)",
    "embeddings": "Embeddings of texts",
    "moderations": "A judgement of texts",
    "models": "The models there are",
    "model": "One model",
    "healthz": "Whether the process is up",
    "readyz": "Whether calls can be admitted and recorded",
}

# Codes that stand at the door: any request may meet them, whatever its route.
_DOOR: Final = ("bad_request", "request_timeout", "request_too_large", "headers_too_large", "internal_error")
_KEY: Final = ("missing_api_key", "invalid_api_key", "expired_api_key", "invalid_value", "unavailable")
# A path that does not exist, or a method that the path does not have: no operation of a description.
_NOWHERE: Final = ("not_found", "method_not_allowed")
# What `GET /readyz` says while it is not.
_READY: Final = ("unavailable", "draining")


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
    paths = {**{path: _path(route) for path, route in ROUTES.items()}, f"{MODEL_PATH}{{id}}": _one_model()}
    shared = _share(paths)
    parts = {"securitySchemes": _schemes(), "schemas": _schemas(), "headers": _headers(), "responses": shared}
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
        "security": [{name: []} for name in _schemes()],
        "paths": paths,
        "components": parts,
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


def _schemes() -> Json:
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer sk-…`, in any spelling of Bearer, or without it. Two different keys in "
        "one request are refused, and so is a key in the query string.",
    }
    others = [name.decode() for name in KEY_HEADERS]
    return {"bearer": bearer, **{name: {"type": "apiKey", "in": "header", "name": name} for name in others}}


# Paths and operations.


def _path(route: Route) -> Json:
    operations = {route.method.lower(): _operation(route)}
    if route.method == "GET":
        operations["head"] = _head(route)
    return {**operations, "options": _options(route)}


def _one_model() -> Json:
    parameter = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The model's name, percent-encoded; it may also hold slashes as they are.",
        "schema": {"type": "string", "minLength": 1},
    }
    return {"parameters": [parameter], **_path(MODEL_ROUTE)}


def _operation(route: Route) -> Json:
    operation: Json = {"operationId": route.name, "summary": _SUMMARIES[route.name]}
    if route.public:
        operation["security"] = []
    operation["parameters"] = [_REQUEST_ID]
    if route.method == "POST":
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _request(route)}}}
    operation["responses"] = {"200": _good(route), **_bad(route)}
    return operation


_STREAM: Final = (
    "Where `stream` is true: server-sent events as the provider sent them, at the end `data: [DONE]`. A failure after "
    "the head is an event with an `Error`, and the connection is closed without that end."
)
_REQUEST_ID: Final = {
    "name": "x-request-id",
    "in": "header",
    "description": "The caller's own id, echoed as `x-client-request-id` (visible ASCII, 128 characters at most).",
    "schema": {"type": "string"},
}


def _head(route: Route) -> Json:
    """As GET, without a body."""
    full = _operation(route)
    bare = {status: {k: v for k, v in answer.items() if k != "content"} for status, answer in full["responses"].items()}
    return {**full, "operationId": f"{route.name}_head", "responses": bare}


def _options(route: Route) -> Json:
    allow = {"required": True, "schema": {"const": route.allow}}
    ok = {"description": "What is allowed here.", "headers": {**_refs(_ALWAYS), "allow": allow}}
    responses = {"200": ok, **_bad(Route(route.name, "healthz", "OPTIONS", True))}
    return {"operationId": f"{route.name}_options", "security": [], "responses": responses}


def _request(route: Route) -> Json:
    shape = SHAPES[route.name]
    types = {name: [_OPENED[chr(opener)] for opener in openers] for name, openers in shape.required}
    fields: Json = {"model": {"type": "string", "minLength": 1, "maxLength": MAX_MODEL_NAME}}
    fields |= {name: {"type": kinds[0] if len(kinds) == 1 else kinds} for name, kinds in types.items()}
    schema: Json = {"type": "object", "required": ["model", *types], "properties": fields, "additionalProperties": True}
    if shape.streams:
        fields["stream"] = {"type": ["boolean", "null"]}
        usage = {"include_usage": {"type": ["boolean", "null"]}}
        options = {"type": ["object", "null"], "properties": usage, "additionalProperties": True}
        # Read only where a stream is asked for; otherwise it is the provider's to judge.
        schema["if"] = {"required": ["stream"], "properties": {"stream": {"const": True}}}
        schema["then"] = {"properties": {"stream_options": options}}
    return schema


def _good(route: Route) -> Json:
    content: Json = {"application/json": {"schema": _answer(route)}}
    headers = _refs(_ALWAYS)
    if route.kind == "inference":
        headers |= _refs(_CALLED)
        if SHAPES[route.name].streams:
            content["text/event-stream"] = {"schema": {"description": _STREAM}}
    return {"description": _SUMMARIES[route.name] + ".", "headers": headers, "content": content}


def _answer(route: Route) -> Json:
    if route.kind == "inference":
        wanted = SHAPES[route.name].reply
        return {"type": "object", "required": [wanted], "additionalProperties": True}
    if route.kind in ("models", "model"):
        return {"$ref": f"#/components/schemas/{route.kind.capitalize()}"}
    word = {"healthz": "ok", "readyz": "ready"}[route.kind]
    return {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}


def _bad(route: Route) -> Json:
    """An answer for each status, with the codes it may carry."""
    grouped: dict[int, list[str]] = {}
    for code in codes(route):
        grouped.setdefault(FAULTS[code].status, []).append(code)
    if route.method == "POST":
        found: Json = {str(status): _error(status, of) for status, of in sorted(grouped.items())}
        found["4XX"] = _error(0, ("upstream_invalid_request",))
        return found
    return {str(status): _error(status, of) for status, of in sorted(grouped.items())}


def _error(status: int, of: Iterable[str]) -> Json:
    lines = [f"`{code}`: {FAULTS[code].meaning}" for code in of]
    schema: Json = {"$ref": "#/components/schemas/Error"}
    if "upstream_invalid_request" in of:
        lines.append(
            "A provider that refuses a request as the caller's fault is quoted: its own status, type and code."
        )
    else:
        code = {"code": {"enum": list(of)}, "type": {"enum": sorted({FAULTS[one].type for one in of})}}
        schema = {"allOf": [schema, {"properties": {"error": {"properties": code}}}]}
    headers = _refs(_ALWAYS) | _refs(("x-should-retry",)) | _refs(_AFTER, required=status == 503)
    return {"description": " ".join(lines), "headers": headers, "content": {"application/json": {"schema": schema}}}


# Components.

_ALWAYS: Final = ("x-request-id", "x-cometapi-request-id", "openai-processing-ms", "x-client-request-id")
_CALLED: Final = ("x-encke-model", "x-encke-attempts", "x-encke-provider")
_AFTER: Final = ("retry-after", "retry-after-ms")
_ID: Final = {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"}
_COUNT: Final = {"type": "integer", "minimum": 0}


def _refs(names: Iterable[str], required: bool = False) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}{'-503' if required else ''}"} for name in names}


def _headers() -> Json:
    table: dict[str, tuple[Json, str]] = {
        "x-request-id": (_ID, "The gateway's id of the call, a UUIDv7."),
        "x-cometapi-request-id": (_ID, "The same id, for tools that look for this name."),
        "x-client-request-id": ({"type": "string"}, "The `x-request-id` that was sent."),
        "openai-processing-ms": (_COUNT, "Milliseconds from receipt to the head of the answer."),
        "x-encke-model": ({"type": "string"}, "The model asked for."),
        "x-encke-provider": ({"type": "string"}, "Who answered, or was tried last."),
        "x-encke-attempts": (_COUNT, "How many attempts were made."),
        "x-should-retry": ({"enum": ["true", "false"]}, "Whether the same request may be sent again."),
        "retry-after": ({"type": "integer", "minimum": 1, "maximum": 600}, "Seconds to wait first."),
        "retry-after-ms": ({"type": "integer", "minimum": 1000, "maximum": 600_000}, "The same in milliseconds."),
    }
    # An early head of a stream, sent to keep the connection open, has only the id: see the chat reference.
    sure = ("x-request-id", "x-should-retry")
    made: Json = {
        name: {"required": name in sure, "schema": schema, "description": text}
        for name, (schema, text) in table.items()
    }
    return made | {f"{name}-503": {**made[name], "required": True} for name in _AFTER}


def _schemas() -> Json:
    text = {"type": "string"}
    error = {
        "type": "object",
        "required": ["message", "type", "param", "code"],
        "properties": {
            "message": {**text, "description": "What is wrong, with which value, and what to do."},
            "type": text,
            "param": {"type": ["string", "null"], "description": "The field that is meant."},
            "code": {
                "description": "One of the gateway's, or what the provider said that refused the request.",
                "anyOf": [
                    {"oneOf": [{"const": code, "description": kind.meaning} for code, kind in FAULTS.items()]},
                    {"type": ["string", "null"]},
                ],
            },
        },
    }
    model = {
        "type": "object",
        "required": ["id", "object", "created", "owned_by"],
        "properties": {"id": text, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": text},
    }
    models = {
        "type": "object",
        "required": ["object", "data"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
        },
    }
    envelope = {
        "type": "object",
        "required": ["error", "request_id"],
        "properties": {"error": error, "request_id": _ID},
    }
    return {"Error": envelope, "Model": model, "Models": models}
