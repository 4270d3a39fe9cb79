"""How long answers are: what a call that cannot be metered while it runs is held at, learnt from those before it."""

from __future__ import annotations

from typing import Final

ENOUGH: Final = 100  # answers, before what was learnt counts
AGED: Final = 4096  # answers, after which all count half
START: Final = 4096  # tokens, before
MAX_MODELS: Final = 4096
BUCKETS: Final = 28


class Sizes:
    """For each model, the sizes of whole answers by powers of two."""

    def __init__(self) -> None:
        self._of: dict[str, list[int]] = {}

    def learn(self, model: str, tokens: int) -> None:
        """An answer had so many tokens."""
        counts = self._of.get(model)
        if counts is None:
            if len(self._of) >= MAX_MODELS:
                self._of.clear()
            counts = self._of[model] = [0] * (BUCKETS + 1)
        counts[min(tokens.bit_length(), BUCKETS - 1)] += 1
        counts[BUCKETS] += 1
        if counts[BUCKETS] >= AGED:
            self._of[model] = aged = [count // 2 for count in counts[:BUCKETS]]
            aged.append(sum(aged))

    def most(self, model: str) -> int:
        """Tokens that 99 of 100 answers do not exceed."""
        counts = self._of.get(model)
        if counts is None or counts[BUCKETS] < ENOUGH:
            return START
        beyond = counts[BUCKETS] // 100
        for bucket in range(BUCKETS - 1, 0, -1):
            beyond -= counts[bucket]
            if beyond < 0:
                return 1 << bucket
        return 1
