"""Usage as it is told on this wire, sorted into buckets that do not overlap.

`prompt_tokens` counts everything that was read, `completion_tokens` everything that was written, and the details are
parts of them. Not everybody keeps to that, so the sums are checked:

- a part larger than its whole is cut to it, if `total_tokens` agrees with the two wholes;
- `total_tokens` larger than the two has the thoughts on top (xAI, and Google, who tells them nowhere else), or, if it
  fits exactly, the cache counts or what was heard (Mistral);
- without `total_tokens` thoughts that do not fit into the completion were counted beside it;
- cache counts under Anthropic's names that do not fit into the prompt were counted beside it, as Anthropic does.
- as many tokens read from the cache as written into it, and not room for both: the same tokens, charged for both
  (Gemini at OpenRouter, whose own cost shows it). These stand in two buckets, the only ones that ever do.

So the buckets never add up to more than upstream has said, and none of what it has said is lost.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.openai_chat.wire import INPUT_INCLUDES_CACHE, NOTHING, NULL, CacheCreation, UsageDetails, WireUsage

# More than six times the largest context window there is (10 million): whoever says so is not to be believed.
MOST_TOKENS: Final = 1 << 26
NO_DETAILS: Final = UsageDetails()
_SILENT: Final = (NOTHING, NULL, msgspec.Raw(b"{}"))


def buckets(wire: WireUsage) -> Usage | None:
    """Usage in disjoint buckets, or None where it is absent or cannot be believed (negative, or out of all bounds)."""
    if wire.prompt_tokens is None and wire.completion_tokens is None:
        return None
    prompt, completion = wire.prompt_tokens or 0, wire.completion_tokens or 0
    ins = wire.prompt_tokens_details or NO_DETAILS
    outs = wire.completion_tokens_details or NO_DETAILS
    cached = ins.cached_tokens or wire.prompt_cache_hit_tokens or wire.cache_read_input_tokens or 0
    short, long = _cache_writes(wire, ins)
    heard, seen = ins.audio_tokens or 0, ins.image_tokens or wire.image_tokens or 0
    thought = outs.reasoning_tokens or wire.reasoning_tokens or 0
    spoken, drawn = outs.audio_tokens or 0, outs.image_tokens or 0
    total = wire.total_tokens or 0
    # Of bits joined by "or", since that costs least: negative if one is, and below a power of two only if all are.
    joined = prompt | completion | cached | short | long | heard | seen | thought | spoken | drawn | total
    if not 0 <= joined < MOST_TOKENS:
        return None
    # What `total_tokens` has on top of the two; 0 where it is not told.
    rest = total - prompt - completion
    if rest < 0:
        rest = 0
    fresh, kept = prompt, cached + short + long
    if kept:
        if rest != thought and rest in (kept, kept + thought):
            rest -= kept
        elif kept > prompt >= cached == short:
            fresh -= cached
        elif INPUT_INCLUDES_CACHE and not (kept > prompt and _has_written_beside(wire)):
            cached = min(cached, prompt)
            short = min(short, prompt - cached)
            long = min(long, prompt - cached - short)
            fresh -= cached + short + long
    if rest and rest != thought and (rest == heard or wire.prompt_audio_seconds not in _SILENT):
        heard, fresh, rest = rest, fresh + rest, 0
    # What of sound and images was cached is not told: what is fresh cannot be more than what is fresh at all.
    if heard > fresh:
        heard = fresh
    if seen > fresh - heard:
        seen = fresh - heard

    if rest and thought in (0, rest):
        thought = rest
    elif total or thought + spoken + drawn <= completion:
        if thought > completion:
            thought = completion
        completion -= thought
        thought += rest
    if spoken > completion:
        spoken = completion
    if drawn > completion - spoken:
        drawn = completion - spoken
    # By place, and nothing above by min or max: this is done for every answer.
    said = completion - spoken - drawn
    return Usage(fresh - heard - seen, cached, short, long, heard, said, thought, spoken, False, seen, drawn)


def _cache_writes(wire: WireUsage, ins: UsageDetails) -> tuple[int, int]:
    """Tokens written into a cache for five minutes and for an hour; all for five minutes where that is not told."""
    all_of_them = (
        ins.cache_write_tokens
        or ins.cache_creation_tokens
        or ins.cache_creation_input_tokens
        or wire.cache_creation_input_tokens
        or 0
    )
    parts: CacheCreation | None = ins.cache_creation_token_details or wire.cache_creation
    if parts is None:
        return all_of_them, 0
    short, long = parts.ephemeral_5m_input_tokens or 0, parts.ephemeral_1h_input_tokens or 0
    if not all_of_them or min(short, long) < 0:
        return short, long
    long = min(long, all_of_them)
    return all_of_them - long, long


def _has_written_beside(wire: WireUsage) -> bool:
    return bool(wire.cache_read_input_tokens or wire.cache_creation_input_tokens)
