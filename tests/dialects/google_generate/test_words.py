"""Finish reasons as words, and as the hub's."""

from __future__ import annotations

import pytest

from encke.dialects.google_generate.wire import BLOCKS, FINISHES
from encke.dialects.google_generate.words import block_word, finish_of, finish_word, modality_word, word_of
from encke.dialects.openai_chat.wire import shown_finish


def test_numbers_are_words() -> None:
    """Of enums that were asked for as numbers; what is unspecified is nothing."""
    assert finish_word(1) == "STOP" and finish_word(12) == "UNEXPECTED_TOOL_CALL" and finish_word(99) == "OTHER"
    assert finish_word(0) == finish_word(None) == finish_word("FINISH_REASON_UNSPECIFIED") == finish_word(True) == ""
    assert block_word(1) == "SAFETY" and modality_word(4) == "AUDIO" and modality_word("IMAGE") == "IMAGE"


@pytest.mark.parametrize(
    ("word", "calls", "finish"),
    [
        ("STOP", False, "stop"),
        ("STOP", True, "tool_calls"),
        ("MAX_TOKENS", True, "length"),
        ("RECITATION", False, "content_filter"),
        ("MALFORMED_FUNCTION_CALL", False, "error"),
        ("SOMETHING_NEW", False, "other"),
    ],
)
def test_ends(word: str, calls: bool, finish: str) -> None:
    """STOP with calls is tool_calls."""
    assert finish_of(word, calls) == finish


def test_ends_for_clients() -> None:
    """Google's own word comes back; of others the nearest."""
    assert word_of("content_filter", "BLOCKLIST") == "BLOCKLIST"
    assert word_of("content_filter", "content_filter") == "SAFETY"
    assert word_of("tool_calls", "STOP") == word_of("tool_calls", "tool_use") == word_of("stop", "end_turn") == "STOP"
    assert word_of("length", "max_tokens") == "MAX_TOKENS" and word_of("other", "NEW") == "OTHER"


def test_ends_are_recorded_in_googles_own_words() -> None:
    """The ledger knows them all."""
    for word in (*FINISHES[1:], *BLOCKS[1:], "MODEL_ARMOR", "MALFORMED_RESPONSE"):
        assert shown_finish(word) == word
