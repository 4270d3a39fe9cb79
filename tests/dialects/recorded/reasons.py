"""Why an answer may differ in a caller's dialect. docs/compatibility.md shows each reason with how often it holds."""

from __future__ import annotations

from encke.core.faults import Fault
from tests.dialects.recorded.cases import Case
from tests.dialects.wires.facts import Facts

# What a request is refused for when it is to be translated: code, field (its beginning), and why that is right.
REFUSED: tuple[tuple[str, str, str], ...] = (
    ("unsupported_parameter", "previous_response_id", "kept at the provider: only a provider of the same wire has it"),
    ("unsupported_parameter", "prompt", "kept at the provider: only a provider of the same wire has it"),
    ("unsupported_parameter", "conversation", "kept at the provider: only a provider of the same wire has it"),
    ("unsupported_parameter", "background", "runs on at the provider: only a provider of the same wire can do it"),
    ("unsupported_parameter", "input", "an item that only Responses can read: a compacted conversation"),
    ("invalid_value", "max_tokens", "0 in one client library's own notes of what it sent; OpenAI refuses it"),
    ("missing_required_parameter", "response_format", "Together's own form, which OpenAI refuses"),
)


# A provider's own words that are no JSON cannot become the object that these dialects have.
_OBJECTS = ("messages", "generate", "array", "hub")


def reason(case: Case, route: str, aspect: str, facts: Facts) -> str:
    """The reason, or "" if there is none."""
    broken = any(isinstance(value, str) for answer in facts.answers for _, value in answer.calls)
    if broken and route in _OBJECTS and aspect in ("grammar", "calls"):
        return "the model wrote arguments that are no JSON; they are passed on as they are"
    if case.op == "messages" and case.exchange.body.count(b"message_start") > 1:
        return "a recording of two answers in one stream"
    return ""


def refusal(fault: Fault) -> str:
    """Why it is right that a request cannot be read, or "" if it is not known to be."""
    field = fault.param or ""
    return next((why for code, name, why in REFUSED if code == fault.code and field.startswith(name)), "")
