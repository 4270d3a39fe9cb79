"""How much of an answer there is in a body that is no stream: for an estimate where its usage is missing."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.openai_chat.stream import CONTENT_KEYS

_any: Final = msgspec.json.Decoder()


def content_bytes(body: bytes) -> int:
    """The answer's own text in `body`, in bytes of JSON; of a body that is cut off, what comes after its beginning."""
    try:
        value = _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _after_mark(body)
    choices = value.get("choices") if isinstance(value, dict) else None
    return sum(_of_choice(choice) for choice in choices) if isinstance(choices, list) else 0


def _of_choice(choice: Any) -> int:
    if not isinstance(choice, dict):
        return 0
    message = choice.get("message")
    fields = message if isinstance(message, dict) else choice
    return sum(max(len(msgspec.json.encode(fields[key])) - 2, 0) for key in CONTENT_KEYS if fields.get(key))


def _after_mark(body: bytes) -> int:
    found = [at + len(mark) for mark in _MARKS if (at := body.find(mark)) >= 0]
    return len(body) - min(found) if found else 0


_MARKS: Final = tuple(b'"%b":' % key.encode() for key in CONTENT_KEYS)
