"""Google's Schema, which is OpenAPI 3.0's with types in capitals, and JSON schemas.

Source: ai.google.dev/api/caching#Schema; for JSON schemas (`parametersJsonSchema`, `responseJsonSchema`), which Google
takes too, ai.google.dev/api/generate-content#FIELDS.response_json_schema.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

TYPES: Final = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_NAMES: Final = {
    "any_of": "anyOf", "max_items": "maxItems", "min_items": "minItems", "max_length": "maxLength",
    "min_length": "minLength", "max_properties": "maxProperties", "min_properties": "minProperties",
    "property_ordering": "propertyOrdering", "additional_properties": "additionalProperties",
}  # fmt: skip
_COUNTS: Final = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
_INNER: Final = frozenset({"items", "additionalProperties"})
_LISTS: Final = frozenset({"anyOf"})
_MAPS: Final = frozenset({"properties"})
_GONE: Final = frozenset({"nullable", "propertyOrdering"})


def to_json_schema(schema: Any) -> Any:
    """A Schema as a JSON schema. What is no object stays as it is: the provider may say what it thinks of it."""
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        name = _NAMES.get(str(key), str(key))
        if name in _GONE or value is None:
            continue
        if name == "type":
            made["type"] = _type(value)
        elif name in _MAPS and isinstance(value, dict):
            made[name] = {inner: to_json_schema(one) for inner, one in value.items()}
        elif name in _LISTS and isinstance(value, list):
            made[name] = [to_json_schema(one) for one in value]
        elif name in _INNER:
            made[name] = to_json_schema(value)
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal():
            made[name] = int(value)  # 64-bit numbers are texts in protobuf's JSON
        elif name == "example":
            made["examples"] = [value]
        elif not (name == "format" and value == "enum"):
            made[name] = value
    if schema.get("nullable") is True:
        _allow_null(made)
    return made


def _type(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(TYPES):
        value = TYPES[value]
    if isinstance(value, list):
        return [_type(one) for one in value]
    return value.lower() if isinstance(value, str) else value


def _allow_null(made: dict[str, Any]) -> None:
    kind = made.get("type")
    if isinstance(kind, str) and kind != "null":
        made["type"] = [kind, "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    elif isinstance(made.get("anyOf"), list):
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]


def read_schema(raw: msgspec.Raw) -> bytes:
    """The JSON schema of a Schema as it came."""
    return _encode(to_json_schema(_any.decode(raw)))
