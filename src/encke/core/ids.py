"""Ids: UUIDv7 (RFC 9562, section 5.7), so that they sort by time."""

from __future__ import annotations

import os
import time
from typing import Final

_LAST: Final = (1 << 48) - 1


class IdMint:
    """Makes UUIDv7 strings: the time, 26 bits that are this mint's own, and a counter of 48 that begins anywhere (RFC
    9562, section 6.2, method 1). Ids are no secrets; what matters is that no two are alike, and that one costs little.
    """

    def __init__(self) -> None:
        own = os.urandom(4).hex()
        self._own = f"-7{own[:3]}-{'89ab'[int(own[3], 16) & 3]}{own[4:7]}-"
        self._next = int.from_bytes(os.urandom(6), "big")
        self._ms = -1
        self._start = ""

    def new(self) -> str:
        """A fresh id, such as `019aa2b4-6c1e-7d3a-9f00-3c5d0c1e2f4a`."""
        ms = time.time_ns() // 1_000_000
        if ms != self._ms:
            text = (ms & _LAST).to_bytes(6, "big").hex()
            self._ms = ms
            self._start = f"{text[:8]}-{text[8:]}{self._own}"
        count = self._next
        self._next = (count + 1) & _LAST
        return self._start + count.to_bytes(6, "big").hex()
