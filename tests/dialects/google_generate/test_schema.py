"""Google's Schema as JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.dialects.google_generate.schema import read_schema, to_json_schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        (
            {"type": 6, "properties": {"type": {"type": 1}}},
            {"type": "object", "properties": {"type": {"type": "string"}}},
        ),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "STRING", "format": "enum", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        (
            {"any_of": [{"type": "NUMBER"}, {"type": "NULL"}]},
            {"anyOf": [{"type": "number"}, {"type": "null"}]},
        ),
        ({"anyOf": [{"type": "NUMBER"}], "nullable": True}, {"anyOf": [{"type": "number"}, {"type": "null"}]}),
        (
            {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "minItems": "1", "max_items": 3},
            {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 1, "maxItems": 3},
        ),
        ({"type": "OBJECT", "propertyOrdering": ["a"], "example": {}}, {"type": "object", "examples": [{}]}),
        ({"type": "string", "title": "T", "$ref": "#/$defs/x"}, {"type": "string", "title": "T", "$ref": "#/$defs/x"}),
        ("odd", "odd"),
    ],
)
def test_schemas(schema: Any, expected: Any) -> None:
    """Types in small letters, null as a type, counts as numbers; what JSON schemas have no word for is left out."""
    assert json.loads(read_schema(msgspec.Raw(json.dumps(schema).encode()))) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "items", "anyOf", "properties", "nullable", "enum"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)


@given(VALUES)
def test_wrong_types_are_no_crash(schema: Any) -> None:
    """They stay what they are."""
    to_json_schema(schema)
