"""Usage on the wire, of all sorts that providers tell, falls into buckets that do not overlap."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.openai_chat.parse import parse_reply, parse_usage
from encke.dialects.openai_chat.stream import ChatTap
from encke.dialects.openai_chat.usage import MOST_TOKENS
from encke.dialects.openai_chat.wire import INPUT_INCLUDES_CACHE
from encke.testing import replay
from tests.support import recordings


def usage(value: object) -> Usage | None:
    return parse_usage(msgspec.Raw(msgspec.json.encode(value)))


def told(prompt: int, completion: int, total: int | None = None, **more: Any) -> dict[str, Any]:
    """Usage as it is told; `ins` and `outs` are the details."""
    found: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    if total is not None:
        found["total_tokens"] = total
    for short, name in (("ins", "prompt_tokens_details"), ("outs", "completion_tokens_details")):
        if short in more:
            found[name] = more.pop(short)
    return found | more


CASES: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "all parts are within their totals",
        told(100, 50, ins={"cached_tokens": 60, "audio_tokens": 10}, outs={"reasoning_tokens": 20, "audio_tokens": 5}),
        Usage(input=30, cache_read=60, audio_input=10, output=25, reasoning=20, audio_output=5),
    ),
    ("one side only", told(3, 0, None), Usage(input=3)),
    ("DeepSeek's name for the cache", told(5, 1, 6, prompt_cache_hit_tokens=2), Usage(input=3, cache_read=2, output=1)),
    (
        "written into the cache (OpenAI, OpenRouter)",
        told(3382, 53, 3435, ins={"cached_tokens": 3211, "cache_write_tokens": 115}),
        Usage(input=56, cache_read=3211, cache_write_5m=115, output=53),
    ),
    (
        "written for an hour and for five minutes (LiteLLM)",
        told(
            1000,
            10,
            1010,
            ins={
                "cached_tokens": 100,
                "cache_creation_tokens": 700,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 500},
            },
            cache_creation_input_tokens=700,
            cache_read_input_tokens=100,
        ),
        Usage(input=200, cache_read=100, cache_write_5m=200, cache_write_1h=500, output=10),
    ),
    (
        "Anthropic's names and way of counting: beside the prompt",
        told(31, 467, 498, cache_creation_input_tokens=1253, ins={"cached_tokens": 0}),
        Usage(input=31, cache_write_5m=1253, output=467),
    ),
    (
        "Anthropic's parts by duration, without their sum",
        told(9, 1, 10, cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 6}),
        Usage(input=3, cache_write_1h=6, output=1),
    ),
    (
        "more cached than read, by the total (Grok at Azure)",
        told(154, 274, 428, ins={"cached_tokens": 164, "text_tokens": 154}),
        Usage(cache_read=154, output=274),
    ),
    (
        "cached on top of the total",
        told(31, 10, 141, ins={"cached_tokens": 100}),
        Usage(input=31, cache_read=100, output=10),
    ),
    (
        "the same tokens read and written (Gemini at OpenRouter)",
        told(2168, 100, 2268, ins={"cached_tokens": 2161, "cache_write_tokens": 2161}),
        Usage(input=7, cache_read=2161, cache_write_5m=2161, output=100),
    ),
    (
        "images, partly cached (Cerebras, Xiaomi)",
        told(281, 2, 283, image_tokens=255, ins={"cached_tokens": 256}),
        Usage(cache_read=256, image_input=25, output=2),
    ),
    (
        "images and text (xAI)",
        told(270, 1, 271, ins={"image_tokens": 256, "text_tokens": 14}),
        Usage(input=14, image_input=256, output=1),
    ),
    (
        "sound, partly cached",
        told(272, 2, 274, ins={"audio_tokens": 5, "cached_tokens": 256}),
        Usage(input=11, cache_read=256, audio_input=5, output=2),
    ),
    (
        "sound on top of the total (Mistral)",
        told(9, 248, 632, prompt_audio_seconds=3, ins={"cached_tokens": 0, "audio_tokens": 375}),
        Usage(input=9, audio_input=375, output=248),
    ),
    (
        "sound that only the total tells of (Mistral, earlier)",
        told(16, 2, 393, prompt_audio_seconds=0),
        Usage(input=16, audio_input=375, output=2),
    ),
    ("no sound (Mistral)", told(16, 2, 18, prompt_audio_seconds={}), Usage(input=16, output=2)),
    ("images drawn", told(5, 100, 105, outs={"image_tokens": 90}), Usage(input=5, output=10, image_output=90)),
    ("thoughts on top of the total (xAI)",
     told(12, 1, 303, outs={"reasoning_tokens": 290}), Usage(input=12, output=1, reasoning=290)),
    (
        "as many cached as thought, and the total has the thoughts",
        told(12, 1, 18, ins={"cached_tokens": 5}, outs={"reasoning_tokens": 5}),
        Usage(input=7, cache_read=5, output=1, reasoning=5),
    ),
    ("thoughts that only the total tells of (Google)", told(20, 198, 623), Usage(input=20, output=198, reasoning=405)),
    ("thoughts within the completion",
     told(1, 9, 10, outs={"reasoning_tokens": 5}), Usage(input=1, output=4, reasoning=5)),
    ("more thoughts than written, by the total (OpenRouter)",
     told(21, 16, 37, outs={"reasoning_tokens": 22}), Usage(input=21, reasoning=16)),
    ("more thoughts than written, no total",
     told(1, 5, None, outs={"reasoning_tokens": 9}), Usage(input=1, output=5, reasoning=9)),
    ("thoughts in Together's place",
     told(114, 92, 206, reasoning_tokens=81), Usage(input=114, output=11, reasoning=81)),
    ("some thoughts told, and more in the total",
     told(10, 100, 117, outs={"reasoning_tokens": 40}), Usage(input=10, output=60, reasoning=47)),
    ("a total that is smaller than its parts", told(10, 5, 3), Usage(input=10, output=5)),
    ("nulls", told(3, 0, None, ins=None, outs=None, cache_creation=None), Usage(input=3)),
]  # fmt: skip


@pytest.mark.parametrize(("value", "buckets"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_usage_of_all_sorts(value: dict[str, Any], buckets: Usage) -> None:
    """Every way of telling that is known, in a whole answer and in a stream alike."""
    assert usage(value) == buckets
    whole = {"choices": [{"finish_reason": "stop"}], "usage": value}
    assert parse_reply("chat", msgspec.json.encode(whole)).usage == buckets
    tap = ChatTap(True)
    tap.feed(msgspec.json.encode({"choices": [], "usage": value}))
    assert tap.usage == buckets
    beside = ChatTap(True)
    beside.feed(msgspec.json.encode({"choices": [{"index": 0, "delta": {}}], "x_groq": {"usage": value}}))
    assert beside.usage == buckets


def test_this_wire_counts_the_cache_as_input() -> None:
    """The dialect says so, in one place."""
    assert INPUT_INCLUDES_CACHE
    assert usage(told(10, 1, 11, ins={"cached_tokens": 4})) == Usage(input=6, cache_read=4, output=1)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "many",
        7,
        {"total_tokens": 5},
        told(-5, -7),
        told(5, -1),
        told(5, 5, -1),
        {"prompt_tokens": 5.5, "completion_tokens": 1},
        {"prompt_tokens": "5", "completion_tokens": "many"},
        {"prompt_tokens": True, "completion_tokens": False},
        told(10**15, 10**18),
        told(10**40, 1),
        told(1, 1, 10**9),
        told(1, 1, prompt_cache_hit_tokens=10**40),
        told(1, 1, outs={"reasoning_tokens": 10**18}),
        told(5, 5, ins={"cached_tokens": -1}),
        told(5, 5, ins={"cache_write_tokens": -1}),
        told(5, 5, ins={"image_tokens": -1}),
        told(5, 5, cache_creation={"ephemeral_5m_input_tokens": 9, "ephemeral_1h_input_tokens": -4}),
        told(5, 5, cache_creation_input_tokens=3, cache_creation={"ephemeral_1h_input_tokens": -4}),
        told(5, 5, ins=[1]),
        told(5, 5, outs={"reasoning_tokens": "x"}),
    ],
)
def test_usage_that_cannot_be_believed_is_none(value: object) -> None:
    """Then the gateway estimates, and says so."""
    assert usage(value) is None


COUNT = st.none() | st.integers(0, 40)
DETAILS = st.none() | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"), COUNT
    ),
)


@given(
    st.integers(0, 40), st.integers(0, 40), st.none() | st.integers(0, 120), DETAILS, DETAILS,
    st.dictionaries(st.sampled_from(["reasoning_tokens", "prompt_cache_hit_tokens"]), COUNT),
)  # fmt: skip
def test_buckets_add_up_to_what_was_told(
    prompt: int, completion: int, total: int | None, ins: Any, outs: Any, more: dict[str, Any]
) -> None:
    """With a total: never more than it or its two parts, and never less than those; nothing is negative."""
    found = usage(told(prompt, completion, total, ins=ins, outs=outs, **more))
    assert found is not None
    assert min(getattr(found, name) for name in found.__struct_fields__) >= 0
    both = found.total_input + found.total_output
    assert both >= prompt + completion
    twice = found.cache_write_5m if found.cache_write_5m == found.cache_read and found.total_input > prompt else 0
    if total:
        assert both - twice == max(total, prompt + completion) or both == max(total, prompt + completion)


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every usage in every recorded answer of this dialect, with its provider."""
    for api in ("openai.chat", "openai.completions", "openai.embeddings", "mistral.chat"):
        for one in replay.recorded(recordings.folder(), api=api):
            lines = one.body.split(b"\n")
            texts = [line[5:] for line in lines if line.startswith(b"data:")] if one.stream else [one.body]
            for text in texts:
                try:
                    value = json.loads(text)
                except ValueError:
                    continue
                said = value.get("usage") if isinstance(value, dict) else None
                if isinstance(said, dict) and said.get("prompt_tokens") is not None:
                    yield one.provider, said


@pytest.mark.recordings
def test_every_recorded_usage_adds_up() -> None:
    """What providers really say: nothing is lost, nothing is counted twice, and the parts are where they were told."""
    seen: Counter[str] = Counter()
    for provider, said in recorded():
        found = usage(said)
        assert found is not None, (provider, said)
        read, written, total = said["prompt_tokens"], said.get("completion_tokens") or 0, said.get("total_tokens") or 0
        ins, outs = said.get("prompt_tokens_details") or {}, said.get("completion_tokens_details") or {}
        cached = ins.get("cached_tokens") or said.get("prompt_cache_hit_tokens") or 0
        twice = cached if cached and ins.get("cache_write_tokens") == cached else 0
        on_top = max(total - read - written, 0)
        sound = on_top if said.get("prompt_audio_seconds") not in (None, {}) else 0
        assert found.total_input == read + twice + sound, (provider, said)
        assert found.total_output == written + on_top - sound, (provider, said)
        assert found.cache_read == min(cached, read), (provider, said)
        assert found.cache_write_5m == (ins.get("cache_write_tokens") or 0), (provider, said)
        assert found.audio_input == (ins.get("audio_tokens") or sound), (provider, said)
        thought = outs.get("reasoning_tokens") or said.get("reasoning_tokens") or 0
        if thought <= written:
            assert found.reasoning >= thought, (provider, said)
        seen[provider] += 1
    print(f"{sum(seen.values())} recorded usages of {len(seen)} providers add up")
    assert sum(seen.values()) > 4000 and len(seen) > 25


def test_bounds_of_belief_are_beyond_all_models() -> None:
    """Ten million tokens are read today."""
    assert MOST_TOKENS > 60_000_000
    assert usage(told(10_000_000, 1)) == Usage(input=10_000_000, output=1)
