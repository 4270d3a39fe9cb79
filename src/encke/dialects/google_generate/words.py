"""Google's words for why an answer ended, as the hub's, and back."""

from __future__ import annotations

from typing import Any, Final

from encke.core.chat import Finish
from encke.dialects.google_generate.wire import BLOCKS, FINISHES, MODALITIES, WireFeedback

# https://ai.google.dev/api/generate-content#FinishReason. What broke the model's own output is an error; what Google
# stopped, whatever for, is content_filter.
_FINISHES: Final[dict[str, Finish]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "JAILBREAK": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "NO_IMAGE": "error",
    "IMAGE_OTHER": "error",
    "ESCALATION": "other",
    "CONTINUATION": "pause",
}

_WORDS: Final[dict[Finish, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
    "error": "OTHER",
    "other": "OTHER",
}


def finish_word(told: Any) -> str:
    """A finish reason as a word; "" for none. Numbers are told where enums were asked for so."""
    return _word(told, FINISHES)


def block_word(told: Any) -> str:
    """Why a prompt was refused, as a word; "" if it was not."""
    return _word(told, BLOCKS)


def blocked_word(feedback: WireFeedback | None) -> str:
    """The same of a `promptFeedback`, which may tell it in a sentence only; "" if the prompt was not refused."""
    if feedback is None:
        return ""
    return block_word(feedback.blockReason) or ("OTHER" if feedback.blockReasonMessage else "")


def modality_word(told: Any) -> str:
    """A kind of tokens, as a word."""
    return _word(told, MODALITIES)


def finish_of(word: str, has_calls: bool) -> Finish:
    """The hub's finish. A call of a function ends with STOP on this wire."""
    found = _FINISHES.get(word, "other")
    return "tool_calls" if found == "stop" and has_calls else found


def word_of(finish: str, raw: str) -> str:
    """Google's word for the hub's finish; `raw`, the upstream's own word, if it was Google's and means the same."""
    if raw and raw in _FINISHES and finish in (_FINISHES[raw], "tool_calls"):
        return raw if finish != "tool_calls" or raw == "STOP" else "STOP"
    return next((word for name, word in _WORDS.items() if name == finish), "OTHER")


def _word(told: Any, words: tuple[str, ...]) -> str:
    if isinstance(told, str):
        return "" if told.endswith("_UNSPECIFIED") else told[:64]
    if isinstance(told, int) and not isinstance(told, bool) and told > 0:
        return words[told] if told < len(words) else "OTHER"
    return ""
