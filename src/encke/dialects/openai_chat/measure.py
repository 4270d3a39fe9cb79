"""How much of an answer there is in a body that is no stream: for an estimate where its usage is missing."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from encke.dialects.openai_chat.stream import CONTENT_KEYS

_any: Final = msgspec.json.Decoder()

# Larger bodies are not decoded: millions of empty lists would stop everybody else for seconds, and take 25 times the
# memory of their text.
LARGE: Final = 1 << 18

# The texts of an answer, wherever they stand; the last may lack its end. (Possessive: nothing is kept to come back to.)
_TEXTS: Final = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|text|arguments)"\s*+:\s*+"([^"\\]*+(?:\\.[^"\\]*+)*+)', re.DOTALL
)


def content_bytes(body: bytes) -> int:
    """The answer's own text in `body`, in bytes of JSON; of a body that is cut off, as much of it as there is."""
    if len(body) > LARGE:
        return _of_part(body)
    try:
        value = _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _of_part(body)
    choices = value.get("choices") if isinstance(value, dict) else None
    return sum(_of_choice(choice) for choice in choices) if isinstance(choices, list) else 0


def _of_choice(choice: Any) -> int:
    if not isinstance(choice, dict):
        return 0
    message = choice.get("message")
    fields = message if isinstance(message, dict) else choice
    return sum(max(len(msgspec.json.encode(fields[key])) - 2, 0) for key in CONTENT_KEYS if fields.get(key))


def _of_part(body: bytes) -> int:
    return sum(found.end(1) - found.start(1) for found in _TEXTS.finditer(body))
