"""Ids: UUIDv7 (RFC 9562, section 5.7), so that they sort by time."""

from __future__ import annotations

import os
import random
import time


class IdMint:
    """Makes UUIDv7 strings. Ids are no secrets: a generator seeded by the system gives the random part, without a
    system call each.
    """

    def __init__(self) -> None:
        self._bits = random.Random(os.urandom(32)).getrandbits

    def new(self) -> str:
        """A fresh id, such as `019aa2b4-6c1e-7d3a-9f00-3c5d0c1e2f4a`."""
        ms = time.time_ns() // 1_000_000
        bits = self._bits(74)
        low = bits & 0xFFFFFFFFFFFF
        return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{bits >> 62:03x}-{(bits >> 48 & 0x3FFF) | 0x8000:04x}-{low:012x}"
