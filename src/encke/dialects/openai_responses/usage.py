"""Usage as it is told on this wire, in buckets that do not overlap, and back.

`input_tokens` counts all that was read and `output_tokens` all that was written; the details are parts of them. Who
does not keep to that (xAI counts thoughts on top) is found out by the sums, as for chat completions.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.mend import relaxed
from encke.dialects.openai_chat.usage import buckets
from encke.dialects.openai_chat.wire import WireUsage as ChatUsage
from encke.dialects.openai_responses.wire import WireUsage

_usage: Final = msgspec.json.Decoder(WireUsage)


def parse_usage(raw: msgspec.Raw) -> Usage | None:
    """Usage, or None where it is absent or cannot be believed."""
    if len(raw) < 5:  # absent, null or {}
        return None
    wire = relaxed(raw, _usage, WireUsage)
    if wire is None:
        return None
    return buckets(
        ChatUsage(
            wire.input_tokens,
            wire.output_tokens,
            wire.total_tokens,
            wire.input_tokens_details,
            wire.output_tokens_details,
        )
    )


def render_usage(usage: Usage | None) -> bytes:
    """`usage`, with the details that the description asks for; null where there is none."""
    if usage is None:
        return b"null"
    read, written = usage.total_input, usage.total_output
    return (
        b'{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d},"output_tokens":%d,'
        b'"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}'
        % (
            read,
            usage.cache_read,
            usage.cache_write_5m + usage.cache_write_1h,
            written,
            usage.reasoning,
            read + written,
        )
    )
