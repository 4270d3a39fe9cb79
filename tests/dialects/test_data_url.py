"""Addresses that are the thing itself."""

from __future__ import annotations

import pytest

from encke.dialects.data_url import join, split


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
