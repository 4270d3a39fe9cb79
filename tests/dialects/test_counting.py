"""What counts as content, and how much of it there is."""

from __future__ import annotations

import msgspec
import pytest

from encke.dialects.counting import CountingTap, is_blank


class Tapped(CountingTap):
    """Counts a value."""

    def count(self, value: bytes) -> bool:
        """Whether it is content."""
        return self._count(msgspec.Raw(value))


@pytest.mark.parametrize("value", [b"", b"null", b'""', b"[]", b"{}"])
def test_nothing(value: bytes) -> None:
    """What is empty is no content, not even after some."""
    tap = Tapped()
    assert tap.count(b'"a"') and not tap.count(value) and tap.content_bytes == 1


def test_white_space_is_no_content_before_there_is_some() -> None:
    """It is counted all the same: it was sent."""
    tap = Tapped()
    assert not tap.count(rb'" \n\t"')
    assert tap.count(b'"word"') and tap.count(b'" "')
    assert tap.content_bytes == 5 + 4 + 1


@pytest.mark.parametrize(
    ("value", "blank"),
    [(b'" "', True), (rb'"\u00a0\n"', True), (b'"."', False), (b"[1]", False), (b"12345", False), (b'"\xff "', False)],
)
def test_blank(value: bytes, blank: bool) -> None:
    """Only a text can be; one that cannot be read is not."""
    assert is_blank(msgspec.Raw(value)) is blank
