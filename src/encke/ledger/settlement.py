"""The policy of settlement: what an attempt used, however it ended.

| at the end                            | input                | output                                  |
| ------------------------------------- | -------------------- | --------------------------------------- |
| refused by upstream, or never sent    | 0                    | 0                                       |
| sent, outcome unknown                 | estimate             | what was received, often 0              |
| 200 and then garbage                  | estimate             | 0                                       |
| the client left before the first byte | estimate             | 0                                       |
| broken off in the middle              | usage, else estimate | usage so far, and what came after it    |
| complete                              | usage, else estimate | usage, else what was received           |

Estimates are bytes / 3 and flagged.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.money import unpack
from encke.core.usage import NO_USAGE, Usage
from encke.ledger.entry import NIL, Entry, Intent
from encke.ledger.journal import Progress

BYTES_PER_TOKEN: Final = 3


def estimate_tokens(size: int) -> int:
    """Tokens in so many bytes of text, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def used(status: str, usage: Usage | None, input_estimate: int, content_bytes: int, cap: int = 0) -> Usage:
    """What to record for an attempt that ended with `status`. `cap`: the most tokens it was asked to write; 0: any."""
    if usage is not None:
        return usage
    if status in ("refused", "failed", "rejected"):
        return NO_USAGE
    return Usage(input=input_estimate, output=_written(content_bytes, cap), estimated=True)


def _written(content_bytes: int, cap: int) -> int:
    written = estimate_tokens(content_bytes)
    return min(written, cap) if cap else written


def with_rest(usage: Usage, content_bytes: int, cap: int = 0) -> Usage:
    """Usage that was told before the answer was over, with an estimate of the `content_bytes` that came after it."""
    if content_bytes <= 0:
        return usage
    output = usage.output + estimate_tokens(content_bytes)
    if cap and output > cap:
        output = max(usage.output, cap)
    return msgspec.structs.replace(usage, output=output, estimated=True)


def settle_orphan(intent: Intent, progress: Progress | None, now_ms: int) -> Entry:
    """The entry of an attempt whose worker died. `progress` is None when its slot was never written, or is not its."""
    received = content = 0
    usage = Usage(input=intent.input_estimate, estimated=True)
    if progress is not None:
        received, content = progress.received, progress.content
        usage = Usage(input=intent.input_estimate, output=_written(content, intent.cap), estimated=True)
        if progress.usage_seen:
            usage = Usage(input=progress.input - progress.cached, cache_read=progress.cached, output=progress.output)
    cost, version = _cost(intent, usage)
    return Entry(
        call=intent.call,
        attempt=intent.attempt,
        key=intent.key,
        route=intent.route,
        asked=intent.asked,
        provider=intent.provider,
        model=intent.model,
        status="orphan",
        reason="worker_died",
        http_status=0,
        stream=intent.stream,
        final=True,
        started=intent.started,
        dispatched=intent.dispatched,
        first_us=0,
        total_us=max(now_ms - intent.started, 0) * 1000,
        usage=usage,
        cost=cost,
        price_version=version,
        received=received,
        client_request_id=intent.client_request_id,
        credential=intent.credential,
        project=intent.project,
        accounts=intent.accounts,
    )


def _cost(intent: Intent, usage: Usage) -> tuple[int | None, str]:
    packed = bytes(intent.price)
    if packed == NIL:
        return None, ""
    price = unpack(packed)
    return price.cost(usage), price.version
