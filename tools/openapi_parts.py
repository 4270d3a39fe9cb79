"""The parts of the OpenAPI description that its operations share: keys, headers, the shapes of answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from encke.core.faults import FAULTS
from encke.core.money import RATES
from encke.worker.admission import KEY_HEADERS

Json = dict[str, Any]

ALWAYS: Final = ("x-request-id", "x-cometapi-request-id", "openai-processing-ms", "x-client-request-id")
CALLED: Final = (
    "x-encke-model",
    "x-encke-attempts",
    "x-encke-provider",
    "x-encke-dropped",
    "x-encke-replayed",
    "x-encke-cost",
)
LEFT: Final = tuple(
    f"x-ratelimit-{what}-{kind}" for kind in ("requests", "tokens") for what in ("limit", "remaining", "reset")
)
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
        "x-encke-dropped": ({"type": "string"}, "What was left out, since the target could not be asked for it."),
        "x-encke-estimated": ({"const": "true"}, "The gateway counted the tokens; nobody else does for this model."),
        "x-encke-replayed": (_ID, "The call whose answer, kept under an `Idempotency-Key`, this is once more."),
        "x-encke-cost": (
            {"type": "string", "pattern": r"^\d+(\.\d{1,9})?$"},
            "Not on streams: what the call cost, in dollars, all attempts; absent without a price.",
        ),
        **{name: _rate(name) for name in LEFT},
        "x-encke-models-missing": ({"type": "string"}, "The providers whose list of models is not there."),
        "x-encke-error-code": ({"enum": sorted(FAULTS)}, "The error's code, whatever the dialect of the body."),
        "x-should-retry": ({"enum": ["true", "false"]}, "Whether the same request may be sent again."),
        "retry-after": ({"type": "integer", "minimum": 1, "maximum": 600}, "Seconds to wait first."),
        "retry-after-ms": ({"type": "integer", "minimum": 1000, "maximum": 600_000}, "The same in milliseconds."),
    }
    # An early head of a stream, sent to keep the connection open, has only the id: see the chat reference.
    sure = ("x-request-id", "x-should-retry", "x-encke-error-code")
    made: Json = {
        name: {"required": name in sure, "schema": schema, "description": text}
        for name, (schema, text) in table.items()
    }
    return made | {f"{name}-503": {**made[name], "required": True} for name in AFTER}


def _rate(name: str) -> tuple[Json, str]:
    """A header of a limit a minute, as OpenAI has them."""
    what, kind = name.split("-")[2:]
    duration = {"type": "string", "pattern": r"^(\d+h)?(\d+m)?\d+(\.\d{1,3})?m?s$"}
    meaning: dict[str, tuple[Json, str]] = {
        "limit": (_COUNT, f"Where the key has such a limit: {kind} a minute of the tightest one."),
        "remaining": (_COUNT, f"How many {kind} of it are left."),
        "reset": (duration, "When all of it is there again: `20ms`, `1s`, `1m0s`."),
    }
    return meaning[what]


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
        "properties": {
            "id": text,
            "object": {"const": "model"},
            "created": {"type": "integer"},
            "owned_by": text,
            "capabilities": {"type": "object", "description": "What it can do, as far as that is known; of one model."},
            "prices": {"type": "array", "items": _price(), "description": "What its targets cost, where asked for."},
        },
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
    anthropic = {
        "type": "object",
        "required": ["type", "error", "request_id"],
        "properties": {
            "type": {"const": "error"},
            "error": {"type": "object", "required": ["type", "message"], "properties": {"type": text, "message": text}},
            "request_id": _ID,
        },
    }
    google = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "status"],
                "properties": {"code": {"type": "integer"}, "message": text, "status": text},
            }
        },
    }
    envelopes = {"Error": envelope, "AnthropicError": anthropic, "GoogleError": google}
    return {**envelopes, "Model": model, "Models": models, "Key": _key(), "Limit": _limit()}


_MONEY: Final = {"type": "string", "pattern": r"^-?\d+(\.\d{1,9})?$", "description": "Dollars, exactly."}
_TIME: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
_MAYBE: Final = {"anyOf": [_TIME, {"type": "null"}]}


def _price() -> Json:
    """A target and its price: decimals by the names that the settings have for them."""
    decimal = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
    rates: Json = dict.fromkeys(RATES, decimal)
    tier = {"type": "object", "required": ["above"], "properties": {"above": {"type": "integer"}, **rates}}
    fields: Json = {"version": {"type": "string"}, **rates, "tiers": {"type": "array", "items": tier}}
    price = {"type": ["object", "null"], "required": ["version", "input", "output"], "properties": fields}
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["provider", "model", "price"],
        "properties": {"provider": text, "model": text, "price": price},
    }


def _key() -> Json:
    text = {"type": "string"}
    names = {"type": ["array", "null"], "items": text}
    rules = {"type": "object", "properties": {"models": names, "routes": names, "addresses": names}}
    number = {"type": ["number", "null"]}
    short: Json = {"label": text, "limit": number, "usage": number, "limit_remaining": number, "is_free_tier": {}}
    one = {"$ref": "#/components/schemas/Limit"}
    fields: Json = {
        "object": {"const": "key"},
        "id": text,
        "name": text,
        "project": text,
        "organisation": text,
        "created": _TIME,
        "expires": _MAYBE,
        "rules": {"type": "array", "items": rules, "description": "All of them must allow a call; null allows all."},
        "tags": {"type": "array", "items": text},
        "limits": {"type": "array", "items": one, "description": "The organisation's, the project's and the key's."},
        "tightest_budget": {"anyOf": [one, {"type": "null"}], "description": "The one with the least left."},
        "data": {
            "type": "object",
            "properties": short,
            "description": "The tightest budget in the form of OpenRouter's GET /api/v1/key, for tools that read that.",
        },
    }
    return {"type": "object", "required": list(fields), "properties": fields}


def _limit() -> Json:
    amount = {"anyOf": [_MONEY, _COUNT]}
    fields: Json = {
        "kind": {"enum": ["budget", "requests", "tokens", "concurrency"]},
        "scope": {"type": "string", "description": "Whose it is."},
        "period": {"enum": ["total", "credit", "day", "week", "month"]},
        "strict": {"type": "boolean"},
        "zone": {"type": "string"},
        "anchor": _COUNT,
        "per": {"const": "minute"},
        "since": _TIME,
        "amount": amount,
        "spent": _MONEY,
        "reserved": {**amount, "description": "Held for running calls, or lent to workers for the next ones."},
        "left": amount,
        "reset": _MAYBE,
    }
    return {"type": "object", "required": ["kind", "scope", "amount", "left"], "properties": fields}


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
