"""Usage of this wire, sorted into buckets that do not overlap, and back.

`input_tokens` is what was read fresh: what came out of a cache or went into one is counted beside it. `output_tokens`
is everything written, and `output_tokens_details.thinking_tokens` the part of it that was thought, where it is told.
A stream tells usage twice, and what the second leaves out stays as the first said it; the second often tells how much
went into a cache, but not for how long. Rounds of type "compaction" in `iterations` are charged, but are not in the
sums (platform.claude.com/docs, "Compaction": "Understanding usage").
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.anthropic_messages.wire import CacheCreation, Iteration, WireUsage
from encke.dialects.mend import relaxed

MOST_TOKENS: Final = 1 << 26
_usage: Final = msgspec.json.Decoder(WireUsage)


class Tally:
    """The usage of one answer, as it is told. `usage` is None until something was told that can be believed."""

    __slots__ = ("_extra", "_long", "_made", "_output", "_read", "_short", "_thought", "input", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.input = 0
        self._read = 0
        self._short = 0
        self._long = 0
        self._made = 0
        self._output = 0
        self._thought = 0
        self._extra: Usage | None = None

    def feed(self, raw: msgspec.Raw) -> bool:
        """Take a `usage`; whether it said anything that can be believed."""
        if len(raw) < 5:  # absent, null or {}
            return False
        wire = relaxed(raw, _usage, WireUsage)
        return wire is not None and self.take(wire)

    def take(self, wire: WireUsage) -> bool:
        """The same of one that is decoded."""
        if (wire.input_tokens is None and wire.output_tokens is None) or not _believed(wire):
            return False
        if wire.input_tokens is not None:
            self.input = wire.input_tokens
        if wire.output_tokens is not None:
            self._output = wire.output_tokens
        if wire.cache_read_input_tokens is not None:
            self._read = wire.cache_read_input_tokens
        parts = wire.cache_creation
        if parts is not None:
            self._short = parts.ephemeral_5m_input_tokens or 0
            self._long = parts.ephemeral_1h_input_tokens or 0
            self._made = self._short + self._long
        if wire.cache_creation_input_tokens is not None:
            self._made = wire.cache_creation_input_tokens
        if wire.output_tokens_details is not None:
            self._thought = wire.output_tokens_details.thinking_tokens or 0
        if wire.iterations is not None:
            self._extra = _beside(wire.iterations)
        self._sum()
        return True

    def _sum(self) -> None:
        long = self._long if self._long < self._made else self._made
        thought = self._thought if self._thought < self._output else self._output
        self.usage = Usage(self.input, self._read, self._made - long, long, 0, self._output - thought, thought)
        extra = self._extra
        if extra is not None:
            usage = self.usage
            self.usage = Usage(
                input=usage.input + extra.input,
                cache_read=usage.cache_read + extra.cache_read,
                cache_write_5m=usage.cache_write_5m + extra.cache_write_5m,
                cache_write_1h=usage.cache_write_1h + extra.cache_write_1h,
                output=usage.output + extra.output,
                reasoning=usage.reasoning,
            )


def _believed(wire: WireUsage) -> bool:
    """Whether every number is one that can be: one bit-wise or, negative if one is, below a power of two if all are."""
    joined = (
        (wire.input_tokens or 0)
        | (wire.output_tokens or 0)
        | (wire.cache_creation_input_tokens or 0)
        | (wire.cache_read_input_tokens or 0)
        | _parts(wire.cache_creation)
    )
    if wire.output_tokens_details is not None:
        joined |= wire.output_tokens_details.thinking_tokens or 0
    for one in wire.iterations or ():
        joined |= (
            (one.input_tokens or 0)
            | (one.output_tokens or 0)
            | (one.cache_creation_input_tokens or 0)
            | (one.cache_read_input_tokens or 0)
            | _parts(one.cache_creation)
        )
    return 0 <= joined < MOST_TOKENS


def _parts(parts: CacheCreation | None) -> int:
    if parts is None:
        return 0
    return (parts.ephemeral_5m_input_tokens or 0) | (parts.ephemeral_1h_input_tokens or 0)


def _beside(iterations: list[Iteration]) -> Usage | None:
    """What the rounds come to that are not in the sums."""
    fresh = read = short = long = written = 0
    for one in iterations:
        if one.type != "compaction":
            continue
        fresh += one.input_tokens or 0
        read += one.cache_read_input_tokens or 0
        written += one.output_tokens or 0
        made = one.cache_creation_input_tokens or 0
        kept = 0
        if one.cache_creation is not None:
            kept = min(one.cache_creation.ephemeral_1h_input_tokens or 0, made)
        long += kept
        short += made - kept
    if fresh | read | short | long | written == 0:
        return None
    return Usage(input=fresh, cache_read=read, cache_write_5m=short, cache_write_1h=long, output=written)


def parse_usage(raw: msgspec.Raw) -> Usage | None:
    """Usage of a whole answer; None where it is absent or cannot be believed."""
    tally = Tally()
    tally.feed(raw)
    return tally.usage


def usage_json(usage: Usage | None) -> bytes:
    """A `usage` object. What this wire has no bucket for, sound and images, is in the sums."""
    if usage is None:
        return b'{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}'
    fresh = usage.input + usage.audio_input + usage.image_input
    made = usage.cache_write_5m + usage.cache_write_1h
    details = b',"output_tokens_details":{"thinking_tokens":%d}' % usage.reasoning if usage.reasoning else b""
    return (
        b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},"output_tokens":%d%b}'
    ) % (fresh, made, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.total_output, details)
