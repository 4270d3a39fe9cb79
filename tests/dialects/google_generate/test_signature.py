"""Signatures through a caller of this dialect."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.dialects.google_generate.signature import ORIGIN, SENTINEL, pack, unpack

OWN = base64.b64encode(bytes(range(200, 256))).decode()


def test_googles_own_stay_as_they_are() -> None:
    """In the standard alphabet, whatever the caller's SDK has made of them."""
    assert pack(ORIGIN, OWN) == OWN
    assert unpack(OWN) == (ORIGIN, OWN, "")
    assert unpack(OWN.replace("+", "-").replace("/", "_").rstrip("=")) == (ORIGIN, OWN, "")


@given(st.sampled_from(["anthropic_messages", "openai_responses"]), st.text(), st.text())
def test_others_come_back(origin: str, signature: str, id: str) -> None:
    """In base64, which SDKs decode and encode anew."""
    told = pack(origin, signature, id)
    expected = (origin, signature, id) if signature or id else ("", "", "")
    assert unpack(told) == expected
    if told:
        assert unpack(base64.urlsafe_b64encode(base64.b64decode(told)).decode()) == expected


@pytest.mark.parametrize("told", ["", SENTINEL, "skip_thought_signature_validator"])
def test_what_says_nothing(told: str) -> None:
    """Google's words for "there is none" are none."""
    assert unpack(told) == ("", "", "")


@given(st.text())
def test_any_text_is_read(told: str) -> None:
    """As Google's own, if as nothing else."""
    assert unpack(told)[0] in ("", ORIGIN)
