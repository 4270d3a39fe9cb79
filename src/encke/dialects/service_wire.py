"""Where answers of all providers name the class of service that they were given with."""

from __future__ import annotations

from typing import Final

import msgspec

NOTHING: Final = msgspec.Raw()


class Named(msgspec.Struct):
    """An object that may name it. `speed` is Anthropic's, for its fast mode."""

    service_tier: msgspec.Raw = NOTHING
    serviceTier: msgspec.Raw = NOTHING
    speed: msgspec.Raw = NOTHING


class Holder(msgspec.Struct):
    """An object with usage that may name it."""

    service_tier: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING


class Served(msgspec.Struct):
    """An answer, or an event: OpenAI's name stands beside its usage, or in the response within the event; Anthropic's
    and Google's in the usage, Anthropic's first one in the message within the event."""

    service_tier: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    usageMetadata: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING
    message: msgspec.Raw = NOTHING
