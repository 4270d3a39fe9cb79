"""Usage in disjoint buckets, and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.anthropic_messages.usage import parse_usage, usage_json

NUMBERS = st.integers(0, 1 << 20)


def read(usage: Any) -> Usage | None:
    return parse_usage(msgspec.Raw(msgspec.json.encode(usage)))


@pytest.mark.parametrize(
    "wire, usage",
    [
        ({"input_tokens": 3, "output_tokens": 2}, Usage(input=3, output=2)),
        (
            {"input_tokens": 3, "output_tokens": 2, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 5},
            Usage(input=3, output=2, cache_write_5m=4, cache_read=5),
        ),
        (
            {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
            Usage(input=3, output=5, reasoning=4),
        ),
        ({"input_tokens": 0, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 4}}, Usage(reasoning=2)),
        (
            {"input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 7}},
            Usage(input=1, output=1, cache_write_1h=7),
        ),
        (
            {
                "input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 3},
            },
            Usage(input=1, output=1, cache_write_1h=2, cache_write_5m=7),
        ),
        (
            {
                "input_tokens": 5, "output_tokens": 6,
                "iterations": [
                    {"type": "compaction", "input_tokens": 100, "output_tokens": 20, "cache_creation_input_tokens": 7},
                    {"type": "message", "input_tokens": 5, "output_tokens": 6},
                    {"type": "advisor_message", "input_tokens": 50, "output_tokens": 60},
                ],
            },
            Usage(input=105, output=26, cache_write_5m=7),
        ),
        ({"cache_read_input_tokens": 1}, None),
        ({}, None),
        (None, None),
        ([], None),
        ("x", None),
        ({"input_tokens": -1, "output_tokens": 2}, None),
        ({"input_tokens": 1.5, "output_tokens": 2}, None),
        ({"input_tokens": 1 << 26, "output_tokens": 2}, None),
        ({"input_tokens": 1, "iterations": [{"type": "compaction", "input_tokens": -5}]}, None),
    ],
)  # fmt: skip
def test_reading(wire: Any, usage: Usage | None) -> None:
    """Each token in one bucket; None for what cannot be believed."""
    assert read(wire) == usage


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_back(fresh: int, cached: int, short: int, long: int, said: int, thought: int) -> None:
    """What was written is read again."""
    usage = Usage(fresh, cached, short, long, 0, said, thought)
    assert parse_usage(msgspec.Raw(usage_json(usage))) == usage


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_what_has_no_bucket_is_in_the_sums(heard: int, seen: int, spoken: int, drawn: int, said: int) -> None:
    """Sound and images are input and output like any other."""
    usage = Usage(audio_input=heard, image_input=seen, output=said, audio_output=spoken, image_output=drawn)
    back = parse_usage(msgspec.Raw(usage_json(usage)))
    assert back is not None
    assert (back.total_input, back.total_output) == (usage.total_input, usage.total_output)
