"""Values of callers, read: what is wrong is said with its path, in our words."""

from __future__ import annotations

import msgspec
import pytest

from encke.core.faults import Fault
from encke.dialects.typed import (
    MOST_VALUES,
    check_depth,
    check_size,
    depth,
    is_set,
    read,
    read_any,
    read_list,
    read_map,
    read_string,
)


class Inner(msgspec.Struct):
    """A place below."""

    name: str
    sizes: list[int] | None = None


_inner = msgspec.json.Decoder(Inner)


@pytest.mark.parametrize(
    ("raw", "code", "param", "message"),
    [
        (b"5", "invalid_type", "x", "`x` must be an object, not an integer."),
        (b'{"name":true}', "invalid_type", "x.name", "`x.name` must be a string, not a boolean."),
        (b"{}", "missing_required_parameter", "x.name", "Missing required parameter: `x.name`."),
        (
            b'{"name":"a","sizes":{}}', "invalid_type", "x.sizes",
            "`x.sizes` must be an array or null, not an object.",
        ),
        (
            b'{"name":"a","sizes":[1,"b"]}', "invalid_type", "x.sizes[1]",
            "`x.sizes[1]` must be an integer, not a string.",
        ),
        (b'{"name":', "invalid_json", "x", "`x` is not valid JSON: Input data was truncated."),
        (b'{"name":"\\ud800"}', "invalid_json", "x", "`x` is not valid JSON: Input data was truncated."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(raw: bytes, code: str, param: str, message: str) -> None:
    """The place, what must be there, and what is."""
    with pytest.raises(Fault) as raised:
        read(raw, _inner, "x")
    assert (raised.value.code, raised.value.param, raised.value.message) == (code, param, message)


def test_plain_readers() -> None:
    """Texts, lists, objects, anything; null and nothing are not set."""
    assert read_string(b'"a"', "x") == "a" and [bytes(one) for one in read_list(b"[1,{}]", "x")] == [b"1", b"{}"]
    assert bytes(read_map(b'{"a":[]}', "x")["a"]) == b"[]" and read_any(b"[1]", "x") == [1]
    assert not is_set(None) and not is_set(msgspec.Raw(b"null")) and not is_set(msgspec.Raw(b""))
    assert is_set(msgspec.Raw(b"0"))


def test_depth_counts_what_is_nested_and_no_text() -> None:
    """Brackets of both kinds; not those in texts, escaped quotes or not."""
    assert depth(b"1") == 0 and depth(b'[{"a":[1]},{}]') == 3 and depth(b'["[[[", "\\"[[", "\\\\"]') == 1
    check_depth(b"[" * 64 + b"]" * 64)
    check_depth(b"[" + b"[]," * 200 + b"[]]")
    with pytest.raises(Fault, match="64 levels"):
        check_depth(b"[" * 65 + b"]" * 65)


def test_deep_nesting_is_no_error_of_ours() -> None:
    """What the decoder cannot take is refused like what is too deep."""
    with pytest.raises(Fault) as raised:
        read_any(b"[" * 100_000 + b"]" * 100_000, "x")
    assert raised.value.code == "invalid_value" and raised.value.param == "x"


def test_a_body_of_millions_of_values_is_refused_and_a_long_text_is_not() -> None:
    """Each value that is translated becomes an object; commas in a text cost nothing."""
    check_size(b'{"text":"' + b'a, \\" b,' * MOST_VALUES + b'"}')
    check_size(b"[" + b"1," * MOST_VALUES + b"1]")
    with pytest.raises(Fault, match="invalid_value"):
        check_size(b"[" + b"1," * (MOST_VALUES + 1) + b"1]")
