"""The page about what is refused names the limits that the code has."""

from __future__ import annotations

import re

import pytest

from encke.core.faults import FAULTS
from encke.dialects.body import MOST_FIELDS
from encke.http.incoming import FREE_PIECES, MAX_FIELDS, MAX_HEAD, PIECE_BYTES, ServerLimits
from encke.http.server import PER_TURN
from tests.docs.pages import ROOT

PAGE = " ".join((ROOT / "docs" / "hardening.md").read_text("utf-8").split())
LIMITS = ServerLimits()


@pytest.mark.parametrize(
    "words",
    [
        f"more than {MAX_HEAD:,} bytes or {MAX_FIELDS} fields of headers",
        f"more than {FREE_PIECES:,} chunks of less than {PIECE_BYTES} bytes",
        f"more than {MOST_FIELDS:,} fields",
        f"has {PER_TURN} of them answered",
        f"{LIMITS.header_timeout:g} s, then 408",
        f"one more for every {LIMITS.body_floor:,.0f} bytes",
        f"{LIMITS.write_stall:g} s without progress",
        f"| {LIMITS.keepalive:g} s |",
        f"`server.max_body`, {LIMITS.max_body >> 20} MiB",
    ],
)
def test_limits(words: str) -> None:
    """Each as it is in the code."""
    assert words in PAGE


def test_codes() -> None:
    """Every answer that is named is one that there is, with its status."""
    named = re.findall(r"([0-9]{3}) `(\w+)`", PAGE)
    assert len(named) > 10
    assert [(status, code) for status, code in named if FAULTS[code].status != int(status)] == []
