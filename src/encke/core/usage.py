"""Usage: the tokens of one attempt, in disjoint buckets."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one attempt. The buckets are disjoint: what is counted in one stands in no other.

    `input` is what was read fresh; `cache_read` and the two `cache_write` buckets are input too. `output` is the
    visible answer; `reasoning` is output that was thought and not said. `estimated` says that the gateway counted, not
    upstream.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    estimated: bool = False
    image_input: int = 0
    image_output: int = 0

    @property
    def total_input(self) -> int:
        """Tokens read: fresh, from a cache, into a cache, audio, images."""
        return (
            self.input
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.audio_input
            + self.image_input
        )

    @property
    def total_output(self) -> int:
        """Tokens written: said, thought, audio, images."""
        return self.output + self.reasoning + self.audio_output + self.image_output


NO_USAGE = Usage()
