"""Carriers come back as they went, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.dialects.carrier import unwrap, wrap

TEXT = st.text(st.characters(codec="utf-8"))


@given(TEXT, TEXT)
def test_there_and_back(signature: str, id: str) -> None:
    """Any signature and any id."""
    assert unwrap(wrap("google_generate", signature, id), "openai_chat") == ("google_generate", signature, id)


@pytest.mark.parametrize(
    "text", ["", "EqQBCg==", "encke.", "encke.nobody..", "encke.openai_chat.a.b.c", "encke.openai_chat.!.!"]
)
def test_what_is_none_is_the_dialects_own(text: str) -> None:
    """Half a carrier, or one of nobody, is passed on as it is."""
    assert unwrap(text, "anthropic_messages") == ("anthropic_messages", text, "")
