"""Why an answer may differ in a caller's dialect. docs/compatibility.md shows each reason with how often it holds."""

from __future__ import annotations

from encke.core.faults import Fault
from tests.dialects.recorded.cases import Case

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


def reason(case: Case, route: str, aspect: str) -> str:
    """The reason, or "" if there is none."""
    return ""


def refusal(fault: Fault) -> str:
    """Why it is right that a request cannot be read, or "" if it is not known to be."""
    field = fault.param or ""
    return next((why for code, name, why in REFUSED if code == fault.code and field.startswith(name)), "")
