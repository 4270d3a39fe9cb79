"""Addresses that are the thing itself."""

from __future__ import annotations

import pytest

from encke.core.faults import Fault
from encke.dialects.data_url import checked, join, split


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://x/data:", None),
        ("data:", None),
        ("data:image/png;base64", None),
        ("data:image/png;base64,QUJD", ("image/png", "QUJD")),
        ("DATA:Image/PNG;name=x;BASE64,QUJD", ("image/png", "QUJD")),
        ("data:;base64,QUJD", ("text/plain", "QUJD")),
        ("data:,a%2Cb%zz", ("text/plain", "YSxiJXp6")),
        ("data:text/plain;charset=utf-8,é", ("text/plain", "w6k=")),
    ],
)
def test_split(url: str, found: tuple[str, str] | None) -> None:
    """The media type without its parameters, and base64; what is not base64 is made so."""
    assert split(url) == found


def test_join() -> None:
    """And back."""
    assert split(join("image/png", "QUJD")) == ("image/png", "QUJD")


@pytest.mark.parametrize("data", ["QUJD", "QUJDRA==", "QUJDRA", "QUJD\r\nQUJD\n", "+/+/", "QQ="])
def test_base64(data: str) -> None:
    """With padding or without, on one line or several."""
    assert checked(data, "x") == data
    assert split(f"data:image/png;base64,{data}", "x") == ("image/png", data)


@pytest.mark.parametrize("data", ["", "@@@", "QUJDQ", "QU=JD", "é", "QUJ!", "A" * 100_000 + "!"])
def test_no_base64(data: str) -> None:
    """What nobody can read is refused with its place, where that is told."""
    with pytest.raises(Fault) as caught:
        checked(data, "a.b")
    assert (caught.value.code, caught.value.param) == ("invalid_value", "a.b") and len(caught.value.message) < 100
    assert split(f"data:image/png;base64,{data}") == ("image/png", data)
