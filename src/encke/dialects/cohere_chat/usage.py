"""Usage as Cohere tells it.

Cohere counts twice. `tokens` is all that the model read and wrote, Cohere's own preamble and marks among it;
`billed_units` is what is charged (docs.cohere.com/docs/how-does-cohere-pricing-work: "the total number of billed
tokens"). The ledger is about money, so `billed_units` are what is taken, and `tokens` only where they are missing.

`cached_tokens` are parts of `tokens`, most of them of the preamble; no price knows them, and they cannot be told apart
within what is billed, so they are left out. Thoughts and images are billed as output and as input: they are parts of
`billed_units`, and are cut to them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.usage import Usage
from encke.dialects.cohere_chat.wire import WireUsage
from encke.dialects.mend import relaxed

# More than six times the largest context window there is (10 million): whoever says so is not to be believed.
MOST_TOKENS: Final = 1 << 26

_usage: Final = msgspec.json.Decoder(WireUsage)


def parse_usage(raw: msgspec.Raw) -> Usage | None:
    """Usage in disjoint buckets; None where it is absent or cannot be believed."""
    if len(raw) <= 2:
        return None
    wire = relaxed(raw, _usage, WireUsage)
    if wire is None:
        return None
    told = wire.billed_units
    if told is None or (told.input_tokens is None and told.output_tokens is None):
        told = wire.tokens
    if told is None or (told.input_tokens is None and told.output_tokens is None):
        return None
    details = wire.tokens or told
    read, written = _count(told.input_tokens), _count(told.output_tokens)
    seen, thought = _count(details.image_tokens), _count(details.reasoning_tokens)
    if min(read, written, seen, thought) < 0:
        return None
    seen, thought = min(seen, read), min(thought, written)
    return Usage(input=read - seen, image_input=seen, output=written - thought, reasoning=thought)


def _count(number: float | None) -> int:
    """A number of tokens; -1 for none that can be believed."""
    if number is None:
        return 0
    return int(number) if 0 <= number < MOST_TOKENS else -1
