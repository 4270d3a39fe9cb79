"""What is looked at of an answer or an event to tell there what it cost."""

from __future__ import annotations

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw()


class Costed(msgspec.Struct):
    """Of an answer or an event: its kind, its usage by either name, and the answer that an event may have whole."""

    type: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    usageMetadata: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING


class CostedUsage(msgspec.Struct):
    """Of a `usage`, what it costs already."""

    cost: msgspec.Raw = NOTHING
