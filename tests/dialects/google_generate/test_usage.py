"""Google's usage in disjoint buckets, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.google_generate.usage import parse_usage, usage_metadata

TEXT = "TEXT"


def read(**told: Any) -> Usage | None:
    """A `usageMetadata` of these fields."""
    return parse_usage(json.dumps(told).encode())


def kinds(**counts: int) -> list[dict[str, Any]]:
    """Details by kind."""
    return [{"modality": kind, "tokenCount": count} for kind, count in counts.items()]


def test_thoughts_stand_beside_what_was_said() -> None:
    """The prompt, the answer, the thoughts: each its own."""
    told = read(promptTokenCount=61, candidatesTokenCount=4, thoughtsTokenCount=48, totalTokenCount=113)
    assert told == Usage(input=61, output=4, reasoning=48)


def test_what_was_cached_is_part_of_the_prompt() -> None:
    """It is taken out of what is fresh, and never more than there is."""
    assert read(promptTokenCount=100, cachedContentTokenCount=80) == Usage(input=20, cache_read=80)
    assert read(promptTokenCount=100, cachedContentTokenCount=800) == Usage(cache_read=100)


def test_results_of_googles_own_tools_are_input() -> None:
    """They are counted beside the prompt."""
    told = read(promptTokenCount=10, toolUsePromptTokenCount=90, candidatesTokenCount=5, totalTokenCount=105)
    assert told == Usage(input=100, output=5)


def test_sound_and_images_are_told_apart() -> None:
    """Of the prompt, without what of them was cached, and of the answer; a video and a document count as text."""
    told = read(
        promptTokenCount=100,
        cachedContentTokenCount=30,
        candidatesTokenCount=50,
        totalTokenCount=150,
        promptTokensDetails=kinds(TEXT=20, AUDIO=40, IMAGE=20, VIDEO=15, DOCUMENT=5),
        cacheTokensDetails=kinds(TEXT=10, AUDIO=20),
        candidatesTokensDetails=[{"modality": 2, "tokenCount": 45}],
    )
    assert told == Usage(input=30, cache_read=30, audio_input=20, image_input=20, output=5, image_output=45)


def test_what_only_the_sum_tells() -> None:
    """Is the prompt where that is missing, as after a file search, else the thoughts."""
    assert read(candidatesTokenCount=1, thoughtsTokenCount=9, totalTokenCount=60) == Usage(50, output=1, reasoning=9)
    assert read(promptTokenCount=5, candidatesTokenCount=1, totalTokenCount=60) == Usage(5, output=1, reasoning=54)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"trafficType": "ON_DEMAND"},
        {"promptTokenCount": -1},
        {"promptTokenCount": 1 << 40},
        {"promptTokenCount": "x"},
    ],
)
def test_what_cannot_be_believed_is_none(told: dict[str, Any]) -> None:
    """Nothing said of tokens, negative, out of all bounds, of another type."""
    assert read(**told) is None


COUNTS = st.integers(0, 1 << 20)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_written_and_read_again(
    fresh: int, cached: int, heard: int, said: int, thought: int, spoken: int, seen: int, drawn: int
) -> None:
    """Every bucket comes back as it was."""
    usage = Usage(fresh, cached, 0, 0, heard, said, thought, spoken, False, seen, drawn)
    assert parse_usage(json.dumps(usage_metadata(usage)).encode()) == usage


@given(st.dictionaries(st.sampled_from(list(usage_metadata(Usage(1, 1, 1, 1, 1, 1, 1, 1)))), st.integers(-5, 1 << 27)))
def test_nothing_that_is_told_makes_a_bucket_negative(told: dict[str, int]) -> None:
    """Whatever the numbers are."""
    usage = read(**told)
    assert usage is None or min(usage.input, usage.cache_read, usage.output, usage.reasoning) >= 0
