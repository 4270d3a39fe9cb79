"""The class of service (`flex`, `priority`, `fast`), which some providers have prices of its own for.

A caller asks for one by `service_tier` (OpenAI, Anthropic), `serviceTier` (Google) or `speed` (Anthropic's fast mode),
and the answer names the one that it got: less may be given than was asked for, or more, if an account is set so.
Sources: OpenAI's description of `service_tier` in requests and answers, Anthropic's `usage.service_tier` and
`usage.speed`, Google's `usageMetadata.serviceTier`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.dialects.body import opener
from encke.dialects.request import Body
from encke.dialects.service_wire import NOTHING, Holder, Named, Served

# Names of what costs what it costs anyway. Words of Google's begin with a prefix in some versions.
STANDARD: Final = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand", "unspecified"})
_PREFIX: Final = "service_tier_"
_LONGEST: Final = 64
_WORDS: Final = (b'"service', b'"speed"')  # the beginnings of their names

# The fields of requests, of all dialects.
FIELDS: Final = ("speed", "service_tier", "serviceTier")

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_served: Final = msgspec.json.Decoder(Served)
_holder: Final = msgspec.json.Decoder(Holder)
_named: Final = msgspec.json.Decoder(Named)
_string: Final = msgspec.json.Decoder(str)


def asked_service(body: Body, fields: tuple[str, ...]) -> str:
    """The class of service that a request asks for in one of these fields; "" for the usual one."""
    for name in fields:
        if found := _word(body.get(name, NOTHING)):
            return found
    return ""


def sent_service(data: bytes) -> str:
    """The class of service that a request made for a provider asks for: it has only fields that its wire knows."""
    try:
        return asked_service(_map.decode(data), FIELDS)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""


def served_service(data: bytes) -> str | None:
    """The class of service that an answer or an event names, "" for the usual one; None if it names none."""
    for word in _WORDS:
        if data.find(word) >= 0:
            break
    else:
        return None
    try:
        served = _served.decode(data)
        holder = Holder(served.service_tier, served.usage)
        for inner in (served.response, served.message):
            if opener(inner) == b"{":
                holder = _holder.decode(inner)
        found = [holder.service_tier]
        for usage in (holder.usage, served.usageMetadata):
            if opener(usage) == b"{":
                named = _named.decode(usage)
                found += [named.speed, named.service_tier, named.serviceTier]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    told = [raw for raw in found if opener(raw) == b'"']
    if not told:
        return None
    for raw in told:
        if word_of := _word(raw):
            return word_of
    return ""


def _word(raw: msgspec.Raw) -> str:
    if opener(raw) != b'"' or len(raw) > _LONGEST:
        return ""
    try:
        name = _string.decode(raw).lower().removeprefix(_PREFIX)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return "" if name in STANDARD else name
