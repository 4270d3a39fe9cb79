"""Usage as callers of this wire get it: what was read and written in all, and the parts of it in the details.

`prompt_tokens` counts everything that was read: from caches, into them, heard and seen. The details have OpenAI's names
where it has some; tokens written into a cache are told as LiteLLM does (`cache_creation_tokens`), and for how long they
stay there, where it is not five minutes, as Anthropic does (`cache_creation`). What is read again gives the same.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.usage import Usage

_encode: Final = msgspec.json.Encoder().encode


def render_usage(usage: Usage) -> bytes:
    """The object."""
    read, written = usage.total_input, usage.total_output
    made: dict[str, Any] = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    ins: dict[str, Any] = {"cached_tokens": usage.cache_read}
    if usage.cache_write_5m or usage.cache_write_1h:
        ins["cache_creation_tokens"] = usage.cache_write_5m + usage.cache_write_1h
        if usage.cache_write_1h:
            made["cache_creation"] = {
                "ephemeral_5m_input_tokens": usage.cache_write_5m,
                "ephemeral_1h_input_tokens": usage.cache_write_1h,
            }
    ins["audio_tokens"] = usage.audio_input
    if usage.image_input:
        ins["image_tokens"] = usage.image_input
    outs: dict[str, Any] = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output}
    if usage.image_output:
        outs["image_tokens"] = usage.image_output
    made["prompt_tokens_details"] = ins
    made["completion_tokens_details"] = outs
    if usage.estimated:
        made["estimated"] = True
    return _encode(made)
