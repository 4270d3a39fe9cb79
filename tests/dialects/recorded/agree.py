"""Whether an answer in a caller's dialect says what the provider's answer said, as far as it has words for it.

The one table of what is told in other words stands here; everything else has to be equal.
"""

from __future__ import annotations

import re
from typing import Any

from tests.dialects.wires.facts import Answer, Facts

# A caller's dialect: what an end becomes there, where it has no word of its own for it. The reason is the same for all:
# the dialect's public list of words has no other that is nearer.
_NO_WORD = {"other": "stop", "error": "stop", "pause": "stop"}
FINISHES: dict[str, dict[str, str]] = {
    "hub": {},
    "chat": {"stop_sequence": "stop", "refusal": "content_filter", **_NO_WORD},
    "responses": {"stop_sequence": "stop", **_NO_WORD},
    "messages": {"content_filter": "refusal", "other": "stop", "error": "stop"},
    "generate": {"stop_sequence": "stop", "refusal": "content_filter", "pause": "stop"},
}
# Dialects that answer a request once only: of several answers the first is told.
SINGLE = frozenset({"responses", "messages"})
# Dialects that tell a refusal as text.
NO_REFUSAL = frozenset({"messages", "generate", "array"})
ASPECTS = ("answers", "text", "reasoning", "refusal", "calls", "stop", "usage")


def differences(said: Facts, told: Facts, route: str) -> dict[str, str]:
    """What a caller is told that differs from what was said, by aspect."""
    found: dict[str, str] = {}
    answers = said.answers[:1] if route in SINGLE else said.answers
    if len(answers) != len(told.answers):
        return {"answers": f"{len(answers)}, not {len(told.answers)}"}
    for one, other in zip(answers, told.answers, strict=True):
        found |= _answer(one, other, route)
    if said.usage is not None and said.usage != told.usage:
        found["usage"] = f"{said.usage}, not {told.usage}"
    return found


def _answer(said: Answer, told: Answer, route: str) -> dict[str, str]:
    found = {}
    no_refusal = route in NO_REFUSAL
    texts = (said.text + said.refusal if no_refusal else said.text), told.text
    pairs: dict[str, tuple[Any, Any]] = {
        "text": texts,
        "reasoning": (_dense(said.thinking), _dense(told.thinking)),
        "refusal": ("" if no_refusal else said.refusal, told.refusal),
        "calls": (_calls(said), _calls(told)),
        "stop": (stop_for(said, route), told.finish),
    }
    for aspect, (one, other) in pairs.items():
        if one != other:
            found[aspect] = f"{_near(one, other)}"
    return found


def stop_for(said: Answer, route: str) -> str:
    """The end that a caller is to be told."""
    words = FINISHES["generate" if route == "array" else route]
    finish = words.get(said.finish, said.finish)
    # With calls to run, the answer has ended for them, whatever the provider calls it (`stop`, where one was forced).
    if said.calls and finish == "stop" and route != "chat":
        return "tool_calls"
    return finish


def _calls(answer: Answer) -> list[tuple[str, Any]]:
    return [(name, _object(value)) for name, value in answer.calls]


def _object(value: Any) -> Any:
    """Arguments of nothing are an empty object."""
    return {} if value is None else value


def _dense(text: str) -> str:
    """Thoughts come in paragraphs, which dialects join in their own ways."""
    return re.sub(r"\s+", "", text)


def _near(one: Any, other: Any) -> str:
    one, other = str(one), str(other)
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(at - 20, 0)
    return f"{one[begin : at + 60]!r}, not {other[begin : at + 60]!r}"
