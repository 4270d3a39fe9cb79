"""Ids: UUIDv7 (RFC 9562, section 5.7), so that they sort by time."""

from __future__ import annotations

import os
import random
import time
from typing import Final

# A random hexadecimal digit, its two upper bits set to 10.
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class IdMint:
    """Makes UUIDv7 strings. Ids are no secrets: a generator seeded by the system gives the random part, without a
    system call each.
    """

    def __init__(self) -> None:
        self._bits = random.Random(os.urandom(32)).getrandbits

    def new(self) -> str:
        """A fresh id, such as `019aa2b4-6c1e-7d3a-9f00-3c5d0c1e2f4a`."""
        ms = time.time_ns() // 1_000_000
        # 48 bits of time, then random ones, of which the six that say version 7 and variant 10 are overwritten.
        text = (ms << 80 | self._bits(80)).to_bytes(16, "big").hex()
        variant = _VARIANT[text[16]]
        return text[:8] + "-" + text[8:12] + "-7" + text[13:16] + "-" + variant + text[17:20] + "-" + text[20:]
