"""JSON schemas of answers, as this wire takes them.

Objects must say `"additionalProperties": false`; bounds on numbers, texts and lists are not known, and go into the
description, for the model to read (platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema
limitations"; Anthropic's SDKs change schemas in the same way).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

_UNKNOWN: Final = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "minProperties", "maxProperties",
        "patternProperties", "propertyNames",
    }
)  # fmt: skip
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems")


def fitted(schema: bytes) -> tuple[msgspec.Raw, bool]:
    """The schema as it may be sent, and whether a bound is now but a wish."""
    try:
        value: Any = _any.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(schema), False
    if not isinstance(value, dict):
        return msgspec.Raw(schema), False
    changed, lost = _fit(value)
    return (msgspec.Raw(_encode(value)) if changed else msgspec.Raw(schema)), lost


def _fit(schema: dict[str, Any]) -> tuple[bool, bool]:
    """Change a schema and those inside of it; whether there was anything to change, and to lose."""
    changed = lost = False
    bounds = {name: schema.pop(name) for name in list(schema) if name in _UNKNOWN}
    if isinstance(schema.get("minItems"), int) and schema["minItems"] > 1:
        bounds["minItems"] = schema.pop("minItems")
    if bounds:
        said = ", ".join(f"{name}: {_encode(bounds[name]).decode()}" for name in sorted(bounds))
        old = schema.get("description")
        schema["description"] = f"{old}\n\n{{{said}}}" if isinstance(old, str) and old else f"{{{said}}}"
        changed = lost = True
    if _is_object(schema) and schema.get("additionalProperties") is not False:
        lost |= "additionalProperties" in schema
        schema["additionalProperties"] = False
        changed = True
    for inner in _inner(schema):
        more, less = _fit(inner)
        changed, lost = changed | more, lost | less
    return changed, lost


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _inner(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[Any] = [schema.get("items")]
    for name in _MAPS:
        inner = schema.get(name)
        if isinstance(inner, dict):
            found += inner.values()
    for name in _LISTS:
        inner = schema.get(name)
        if isinstance(inner, list):
            found += inner
    return [one for one in found if isinstance(one, dict)]
