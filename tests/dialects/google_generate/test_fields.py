"""Fields as protobuf's JSON mapping has them."""

from __future__ import annotations

from typing import Any

import pytest

from encke.core.faults import Fault
from encke.dialects.google_generate.fields import Fields, camel, standard


def test_either_spelling() -> None:
    """And what was not asked for, in lowerCamelCase; null is absent."""
    fields = Fields(b'{"top_p":1,"maxItems":"2","new_thing":3,"x":null,"top_k":null}', "here")
    assert fields.number("topP") == 1 and fields.whole("maxItems") == 2 and fields.whole("topK") is None
    assert [name for name, _ in fields.rest()] == ["newThing"]
    assert fields.at("a") == "here.a" and camel("thought_signature") == "thoughtSignature"


def test_a_single_object_is_a_list_of_one() -> None:
    """As Google takes it."""
    fields = Fields(b'{"parts":{"text":"a"},"tools":[{},{}]}', "")
    assert [path for _, path in fields.items("parts")] == ["parts"]
    assert [path for _, path in fields.items("tools")] == ["tools[0]", "tools[1]"]
    assert fields.items("none") == []


@pytest.mark.parametrize(
    ("data", "read", "code", "param"),
    [
        (b'{"a":1}', "string", "invalid_type", "here.a"),
        (b'{"a":"x"}', "number", "invalid_type", "here.a"),
        (b'{"a":true}', "number", "invalid_type", "here.a"),
        (b'{"a":1e400}', "number", "invalid_json", "here.a"),
        (b'{"a":1.5}', "whole", "invalid_value", "here.a"),
        (b'{"a":"1"}', "flag", "invalid_type", "here.a"),
        (b'{"a":[]}', "inner", "invalid_type", "here.a"),
        (b'{"a":"x"}', "items", "invalid_type", "here.a"),
        (b'{"a":[1]}', "strings", "invalid_type", "here.a[0]"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, read: str, code: str, param: str) -> None:
    """With its path."""
    with pytest.raises(Fault) as caught:
        getattr(Fields(data, "here"), read)("a")
    assert caught.value.code in (code, "invalid_type") and caught.value.param == param


@pytest.mark.parametrize(("value", "word"), [('"any"', "ANY"), ("2", "ANY"), ('"MODE_UNSPECIFIED"', ""), ("0", "")])
def test_enums(value: str, word: str) -> None:
    """As words or numbers."""
    fields: Any = Fields(b'{"mode":%b}' % value.encode(), "")
    assert fields.word("mode", ("MODE_UNSPECIFIED", "AUTO", "ANY")) == word


def test_base64() -> None:
    """Either alphabet, with or without padding, is one."""
    assert standard("_-A") == "/+A=" and standard("AAAA") == "AAAA"
