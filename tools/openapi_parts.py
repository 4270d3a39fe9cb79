"""The parts of the OpenAPI description that its operations share: keys, headers, the shapes of answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from encke.core.faults import FAULTS
from encke.worker.admission import KEY_HEADERS

Json = dict[str, Any]

ALWAYS: Final = ("x-request-id", "x-cometapi-request-id", "openai-processing-ms", "x-client-request-id")
CALLED: Final = ("x-encke-model", "x-encke-attempts", "x-encke-provider")
AFTER: Final = ("retry-after", "retry-after-ms")
_ID: Final = {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"}
_COUNT: Final = {"type": "integer", "minimum": 0}


def refs(names: Iterable[str], required: bool = False) -> Json:
    """References to headers, by name; `required` to those that a 503 always has."""
    return {name: {"$ref": f"#/components/headers/{name}{'-503' if required else ''}"} for name in names}


def headers() -> Json:
    """Every header that the gateway writes of its own."""
    table: dict[str, tuple[Json, str]] = {
        "x-request-id": (_ID, "The gateway's id of the call, a UUIDv7."),
        "x-cometapi-request-id": (_ID, "The same id, for tools that look for this name."),
        "x-client-request-id": ({"type": "string"}, "The `x-request-id` that was sent."),
        "openai-processing-ms": (_COUNT, "Milliseconds from receipt to the head of the answer."),
        "x-encke-model": ({"type": "string"}, "The model asked for."),
        "x-encke-provider": ({"type": "string"}, "Who answered, or was tried last."),
        "x-encke-attempts": (_COUNT, "How many attempts were made."),
        "x-encke-models-missing": ({"type": "string"}, "The providers whose list of models is not there."),
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
    return made | {f"{name}-503": {**made[name], "required": True} for name in AFTER}


def schemas() -> Json:
    """The error envelope, and the models."""
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


def schemes() -> Json:
    """Where a key may stand."""
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer sk-…`, in any spelling of Bearer, or without it. Two different keys in "
        "one request are refused, and so is a key in the query string.",
    }
    others = [name.decode() for name in KEY_HEADERS]
    return {"bearer": bearer, **{name: {"type": "apiKey", "in": "header", "name": name} for name in others}}
