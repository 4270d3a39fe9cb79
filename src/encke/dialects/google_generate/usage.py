"""Google's `usageMetadata`, sorted into buckets that do not overlap, and back.

`promptTokenCount` counts all of the prompt, what was cached included; `candidatesTokenCount` what was said, without the
thoughts, which stand beside it in `thoughtsTokenCount`; `toolUsePromptTokenCount` what results of Google's own tools
added to the prompt, beside it. `totalTokenCount` is the sum of all. The details say which of them are sound or images
(a video's and a document's tokens count as text does); of what was cached they are told apart, so that what is fresh is
known by kind. What `totalTokenCount` has on top of all that was told is the prompt, where that is missing (answers of
a file search), else thoughts, where those are.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.google_generate.wire import ModalityCount, WireUsage
from encke.dialects.google_generate.words import modality_word
from encke.dialects.mend import relaxed

MOST_TOKENS: Final = 1 << 26

_usage: Final = msgspec.json.Decoder(WireUsage)
_encode: Final = msgspec.json.Encoder().encode


def parse_usage(raw: msgspec.Raw | bytes) -> Usage | None:
    """Usage in disjoint buckets; None where it is absent, says nothing, or cannot be believed."""
    if len(raw) < 5:
        return None
    wire = relaxed(raw, _usage, WireUsage)
    return None if wire is None else buckets(wire)


def buckets(wire: WireUsage) -> Usage | None:
    """See `parse_usage`. None where neither the prompt nor the answer is told."""
    if wire.promptTokenCount is None and wire.candidatesTokenCount is None and wire.totalTokenCount is None:
        return None
    prompt, said = wire.promptTokenCount or 0, wire.candidatesTokenCount or 0
    cached, thought = wire.cachedContentTokenCount or 0, wire.thoughtsTokenCount or 0
    tools, total = wire.toolUsePromptTokenCount or 0, wire.totalTokenCount or 0
    if not 0 <= prompt | said | cached | thought | tools | total < MOST_TOKENS:
        return None
    rest = total - prompt - said - thought - tools
    if rest > 0:
        if wire.promptTokenCount is None:
            prompt = rest
        elif not thought:
            thought = rest
    if cached > prompt:
        cached = prompt
    heard = seen = spoken = drawn = 0
    details = wire.promptTokensDetails or wire.promptTokenDetails
    if details is not None:
        heard, seen = _kinds(details)
        if wire.cacheTokensDetails is not None:
            cached_heard, cached_seen = _kinds(wire.cacheTokensDetails)
            heard, seen = heard - cached_heard, seen - cached_seen
    if wire.toolUsePromptTokensDetails is not None:
        more_heard, more_seen = _kinds(wire.toolUsePromptTokensDetails)
        heard, seen = heard + more_heard, seen + more_seen
    if wire.candidatesTokensDetails is not None:
        spoken, drawn = _kinds(wire.candidatesTokensDetails)
    fresh = prompt - cached + tools
    heard = min(max(heard, 0), fresh)
    seen = min(max(seen, 0), fresh - heard)
    spoken = min(max(spoken, 0), said)
    drawn = min(max(drawn, 0), said - spoken)
    return Usage(fresh - heard - seen, cached, 0, 0, heard, said - spoken - drawn, thought, spoken, False, seen, drawn)


def _kinds(details: list[ModalityCount]) -> tuple[int, int]:
    """Tokens of sound and of images. A list of more kinds than there are is not to be believed, nor is a negative."""
    heard = seen = 0
    for one in details[:16]:
        count = one.tokenCount or 0
        if 0 < count < MOST_TOKENS:
            word = modality_word(one.modality)
            if word == "AUDIO":
                heard += count
            elif word == "IMAGE":
                seen += count
    return heard, seen


def usage_metadata(usage: Usage) -> dict[str, Any]:
    """The `usageMetadata` that says the same. What was written into a cache is part of the prompt, as all that was
    read."""
    told: dict[str, Any] = {
        "promptTokenCount": usage.total_input,
        "candidatesTokenCount": usage.total_output - usage.reasoning,
        "totalTokenCount": usage.total_input + usage.total_output,
    }
    if usage.reasoning:
        told["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read:
        told["cachedContentTokenCount"] = usage.cache_read
    text_in = usage.total_input - usage.audio_input - usage.image_input
    if details := _details(text_in, usage.audio_input, usage.image_input):
        told["promptTokensDetails"] = details
    if usage.cache_read and (usage.audio_input or usage.image_input):
        told["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.cache_read}]
    if usage.audio_output or usage.image_output:
        told["candidatesTokensDetails"] = _details(usage.output, usage.audio_output, usage.image_output)
    return told


def usage_json(usage: Usage) -> bytes:
    """The same as JSON."""
    return _encode(usage_metadata(usage))


def _details(text: int, sound: int, images: int) -> list[dict[str, Any]]:
    counts = (("TEXT", text), ("AUDIO", sound), ("IMAGE", images))
    return [{"modality": kind, "tokenCount": count} for kind, count in counts if count]
