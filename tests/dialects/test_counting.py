"""What counts as content, and how much of it there is."""

from __future__ import annotations

import msgspec
import pytest

from encke.dialects.counting import CountingTap, is_blank


def count(tap: CountingTap, value: bytes) -> bool:
    """Whether it is content."""
    return tap._count(msgspec.Raw(value))


@pytest.mark.parametrize("value", [b"", b"null", b'""', b"[]", b"{}"])
def test_nothing(value: bytes) -> None:
    """What is empty is no content, not even after some."""
    tap = CountingTap()
    assert count(tap, b'"a"') and not count(tap, value) and tap.content_bytes == 1


def test_white_space_is_no_content_before_there_is_some() -> None:
    """It is counted all the same: it was sent."""
    tap = CountingTap()
    assert not count(tap, rb'" \n\t"')
    assert count(tap, b'"word"') and count(tap, b'" "')
    assert tap.content_bytes == 5 + 4 + 1


@pytest.mark.parametrize(
    ("value", "blank"),
    [(b'" "', True), (rb'"\u00a0\n"', True), (b'"."', False), (b"[1]", False), (b"12345", False), (b'"\xff "', False)],
)
def test_blank(value: bytes, blank: bool) -> None:
    """Only a text can be; one that cannot be read is not."""
    assert is_blank(msgspec.Raw(value)) is blank
