"""Usage on this wire, both ways."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.openai_responses.usage import parse_usage, render_usage

COUNTS = st.integers(0, 1 << 20)


def parsed(value: object) -> Usage | None:
    return parse_usage(msgspec.Raw(json.dumps(value).encode()))


def test_what_is_no_usage() -> None:
    """Nothing, null, text and numbers below zero are no usage."""
    assert parsed(None) is None
    assert parsed({}) is None
    assert parsed("many") is None
    assert parsed({"input_tokens": -1, "output_tokens": 2}) is None


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_both_ways(fresh: int, cached: int, written: int, said: int, thought: int) -> None:
    """What has a bucket on this wire comes back as it was, and the sums are right for all."""
    usage = Usage(input=fresh, cache_read=cached, cache_write_5m=written, output=said, reasoning=thought)
    told = json.loads(render_usage(usage))
    assert told["total_tokens"] == fresh + cached + written + said + thought
    assert parsed(told) == usage


def test_what_has_no_bucket_is_in_the_sum() -> None:
    """Sound and pictures are counted in the totals."""
    told = json.loads(render_usage(Usage(input=1, audio_input=2, image_input=3, output=4, audio_output=5)))
    assert (told["input_tokens"], told["output_tokens"], told["total_tokens"]) == (6, 9, 15)


def test_thoughts_on_top() -> None:
    """Who counts thoughts beside the output, and in the total, is understood."""
    told = {
        "input_tokens": 10,
        "output_tokens": 3,
        "total_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    assert parsed(told) == Usage(input=10, output=3, reasoning=7)
