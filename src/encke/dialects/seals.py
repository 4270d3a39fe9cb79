"""What models have thought comes back sealed, and is of use only to who sealed it: another maker's model, and with some
makers another account, refuses the whole request for it. This is what is left out then.

- Always, of a request that passes as it is: carriers (`encke.dialects.carrier`), whose seal another dialect made.
- Once a provider has refused a request for its seals: all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Message, Part, Text, Thinking, ToolCall
from encke.core.faults import Fault
from encke.dialects.carrier import PREFIX
from encke.dialects.request import Request
from encke.dialects.typed import has_too_many_values

# OpenAI's and Azure's "The encrypted content … could not be verified" (code invalid_encrypted_content); Anthropic's
# "Invalid `signature` in `thinking` block"; Google's "Corrupted thought signature." and "Invalid thought signature".
_REFUSED: Final = re.compile(
    r"invalid_encrypted_content|encrypted content\b.{0,200}\bcould not be (?:verified|decrypted)"
    r"|invalid [`'\"]?(?:signature|data)[`'\"]? in [`'\"]?(?:redacted_)?thinking"
    r"|(?:corrupted|invalid) thought.?signature",
    re.IGNORECASE | re.DOTALL,
)
_CARRIER: Final = b'"' + PREFIX.encode()
_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

# Takes the seals out of a decoded list of messages, items or contents: all of them, or only carriers. True if there
# were any.
Opener = Callable[[list[Any], bool], bool]


def refused(fault: Fault) -> bool:
    """Whether a provider has refused a request for something sealed in it."""
    if fault.code != "upstream_invalid_request" or fault.status != 400:
        return False
    code = fault.body.get("code") if fault.body is not None else None
    return _REFUSED.search(f"{code} {fault.message[:2000]}") is not None


def is_carrier(sealed: object) -> bool:
    """Whether a seal is one of another dialect's, in its envelope."""
    return isinstance(sealed, str) and sealed.startswith(PREFIX)


def opened(request: Request, name: str, opener: Opener, all_: bool, mark: bytes = _CARRIER) -> Request | None:
    """The request without seals in the field `name`; None where there are none. `mark` is how they begin in a body
    that has carriers. What cannot be read, or is too much to be read, is left to its provider."""
    if (not all_ and mark not in request.data) or has_too_many_values(request.data):
        return None
    raw = request.body.get(name)
    if raw is None:
        return None
    try:
        said = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not isinstance(said, list) or not opener(said, all_):
        return None
    return request.with_body({**request.body, name: msgspec.Raw(_encode(said))})


def unsealed(request: ChatRequest) -> ChatRequest | None:
    """The same of a request in no dialect's words: all seals; None where there are none."""
    pairs = [(_unsealed(message), message) for message in request.messages]
    if all(new is old for new, old in pairs):
        return None
    # An answer of which nothing is left is none.
    return msgspec.structs.replace(request, messages=tuple([new for new, old in pairs if new is old or new.parts]))


def _unsealed(message: Message) -> Message:
    parts: list[Part] = []
    changed = False
    for part in message.parts:
        if isinstance(part, Thinking) and (part.signature or part.redacted):
            changed = True
            continue
        if isinstance(part, Text | ToolCall) and part.signature:
            part = msgspec.structs.replace(part, signature="", origin="")
            changed = True
        parts.append(part)
    return msgspec.structs.replace(message, parts=tuple(parts)) if changed else message
