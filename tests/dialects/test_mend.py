"""Reading what is not quite what it should be."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.dialects.mend import MOST_VALUES, loosely, mend, readable, relax, relaxed


class Inner(msgspec.Struct):
    """An item."""

    index: int = 0
    text: str | None = None
    raw: msgspec.Raw = msgspec.Raw(b"")


class Outer(msgspec.Struct):
    """What is read."""

    count: int | None = None
    share: float | None = None
    flag: bool | None = None
    inner: Inner | None = None
    items: list[Inner] | None = None
    numbers: list[int] | None = None
    either: str | list[msgspec.Raw] | None = None


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b'{"count":12.0}', Outer(count=12)),
        (b'{"count":"12"}', Outer(count=12)),
        (b'{"share":"0.5","flag":"true"}', Outer(share=0.5, flag=True)),
        (b'{"share":NaN,"count":1}', Outer(count=1)),
        (b'{"share":-Infinity,"either":"a NaN \\" Infinity"}', Outer(either='a NaN " Infinity')),
        (b'{"either":"\\ud83d"}', Outer(either="\ufffd")),
        (b'{"either":"\\ude00\\ud83d\\ude00"}', Outer(either="\ufffd\U0001f600")),
        (b'{"either":"\\\\ud83d","count":"1"}', Outer(either="\\ud83d", count=1)),
        (b'{"either":"a\xffb","count":"1"}', Outer(either="a\ufffdb", count=1)),
    ],
)
def test_numbers_and_texts_of_other_writers(data: bytes, wanted: Outer) -> None:
    """Both ways of reading take them."""
    assert relax(data, Outer) == mend(data, Outer) == wanted


def test_only_what_cannot_be_read_is_left_out() -> None:
    """A field that may be null, an item of a list; bytes of what is kept raw stay as they are."""
    data = b'{"count":1.5,"flag":[],"inner":{"index":3.0,"text":7,"raw":{"a": 1.50}},"items":[{"text":"a"},7]}'
    found = mend(data, Outer)
    assert found is not None and found.count is None and found.flag is None
    assert found.inner is not None and (found.inner.index, found.inner.text) == (3, None)
    assert bytes(found.inner.raw) == b'{"a": 1.50}'
    assert found.items == [Inner(text="a")]
    assert relax(data, Outer) is None


def test_what_must_be_there_takes_its_object_with_it() -> None:
    """An index of no number is not the first one; null is none at all."""
    assert mend(b'{"inner":{"index":"x","text":"a"},"numbers":[1,"x"]}', Outer) == Outer()
    assert mend(b'{"inner":{"index":null,"text":"a"}}', Outer) == Outer(inner=Inner(text="a"))


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b'"x"', b"{", b"null", b"[" * 100_000, b'{"inner":' * 100_000])
def test_what_is_no_object_is_nothing(data: bytes) -> None:
    """Neither raises."""
    assert mend(data, Outer) is None and relax(data, Outer) is None


def test_too_many_values_are_nothing() -> None:
    """They would take far more memory than their bytes."""
    assert mend(b'{"count":"1","items":[%b1]}' % (b"1," * MOST_VALUES), Outer) is None


def test_the_decoder_comes_first() -> None:
    """What it takes is not looked at again."""
    decoder = msgspec.json.Decoder(Outer)
    assert loosely(b'{"count":1}', decoder, Outer) == relaxed(b'{"count":1}', decoder, Outer) == Outer(count=1)
    assert loosely(b'{"count":[]}', decoder, Outer) == Outer()
    assert relaxed(b'{"count":[]}', decoder, Outer) is None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_readable_json_is_what_python_reads(value: object) -> None:
    """NaN and Infinity become null, and nothing else another value."""
    said = json.dumps({"a": value})
    plain = json.loads(said, parse_constant=lambda _: None)
    assert msgspec.json.decode(readable(said.encode())) == plain
