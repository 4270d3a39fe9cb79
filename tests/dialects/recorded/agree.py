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
    "chat": {"stop_sequence": "stop", **_NO_WORD, "error": "length"},
    "responses": {"stop_sequence": "stop", "other": "stop", "pause": "stop"},
    "messages": {"content_filter": "refusal", "other": "stop", "error": "stop"},
    "generate": {"stop_sequence": "stop", "pause": "stop"},
}
# Dialects that answer a request once only: of several answers the first is told.
SINGLE = frozenset({"responses", "messages"})
# Dialects whose tools take objects only.
OBJECTS_ONLY = frozenset({"messages", "generate", "array"})
# Dialects that tell a refusal as text.
NO_REFUSAL = frozenset({"messages", "generate", "array"})
ASPECTS = (
    "answers", "text", "reasoning", "refusal", "calls", "signed", "cited", "logprobs", "stop", "usage",
)  # fmt: skip
# What a dialect has no place for in its answers, and why: not compared, and told as an exception.
NO_PLACE = {
    ("messages", "logprobs"): "Anthropic's answers have no place for log probabilities",
}


def differences(said: Facts, told: Facts, route: str) -> dict[str, str]:
    """What a caller is told that differs from what was said, by aspect."""
    found: dict[str, str] = {}
    answers = said.answers[:1] if route in SINGLE else said.answers
    if len(answers) != len(told.answers):
        return {"answers": f"{len(answers)}, not {len(told.answers)}"}
    for one, other in zip(answers, told.answers, strict=True):
        found |= _answer(one, other, route)
    if said.usage not in (None, (0, 0)) and said.usage != told.usage:
        found["usage"] = f"{said.usage}, not {told.usage}"
    return found


# An image in an answer of a dialect that has none there.
_IMAGE = re.compile(r"!\[[^]]*\]\([^)]*\)")


def _answer(said: Answer, told: Answer, route: str) -> dict[str, str]:
    found = {}
    no_refusal = route in NO_REFUSAL
    text = said.text + said.refusal if no_refusal else said.text
    if told.spoken != said.spoken and not told.media:
        text += said.spoken  # a dialect without sound tells what it says
    pairs: dict[str, tuple[Any, Any]] = {
        "text": (text, _IMAGE.sub("", told.text) if said.media and route == "messages" else told.text),
        "reasoning": (_dense(said.thinking), _dense(told.thinking)),
        "refusal": ("" if no_refusal else said.refusal, told.refusal),
        "calls": (_calls(said, route), _calls(told)),
        "stop": (stop_for(said, route), _ended(told)),
        "signed": (said.signed, told.signed),
        "cited": (sorted(said.cited), sorted(told.cited)),
        "logprobs": (said.logprobs, told.logprobs),
    }
    if _stop(said) in ("content_filter", "refusal"):
        # Why it was stopped may be told where the provider told it elsewhere, or not at all.
        why = told.refusal if not said.refusal else ""
        pairs["refusal"] = (said.refusal, said.refusal if why else told.refusal)
        pairs["refusal"] = ("", "") if no_refusal else pairs["refusal"]
        pairs["text"] = (text, told.text[: len(text)] if no_refusal and not said.refusal else told.text)
        pairs["stop"] = (
            "content_filter",
            {"refusal": "content_filter", "stop": "content_filter"}.get(_stop(told), _stop(told)),
        )
    for aspect, (one, other) in pairs.items():
        if (route, aspect) in NO_PLACE:
            continue
        if aspect == "stop" and route == "hub" and said.calls and {one, other} == {"stop", "tool_calls"}:
            continue  # which of the two it is, the caller's side decides
        if one != other and not (aspect == "stop" and not said.finish):  # what was not told may be anything
            found[aspect] = f"{_near(one, other)}"
    return found


def stop_for(said: Answer, route: str) -> str:
    """The end that a caller is to be told."""
    words = FINISHES["generate" if route == "array" else route]
    finish = words.get(_stop(said), _stop(said))
    # With calls to run, the answer has ended for them, whatever the provider calls it (`stop`, where one was forced).
    if said.calls and _stop(said) == "stop" and route not in ("chat", "hub"):
        return "tool_calls"
    if finish == "tool_calls" and not said.calls:
        return "stop"  # there are none to run
    return finish


def _ended(told: Answer) -> str:
    """The end as it was told. Without calls to run it is the common one, whatever it is called."""
    return "stop" if told.finish == "tool_calls" and not told.calls else _stop(told)


def _stop(answer: Answer) -> str:
    """An answer with a refusal is one, also where the reason of its end is the common one (OpenAI)."""
    return "refusal" if answer.refusal and answer.finish == "stop" else answer.finish


def _calls(answer: Answer, route: str = "") -> list[tuple[str, Any]]:
    # Free text for a custom tool is the one argument "input" of a dialect that has none.
    return [
        (name, {"input": value} if route in OBJECTS_ONLY and isinstance(value, str) else _object(value))
        for name, value in answer.calls
    ]


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
