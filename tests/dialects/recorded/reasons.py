"""Why an answer may differ in a caller's dialect. docs/compatibility.md shows each reason with how often it holds."""

from __future__ import annotations

from tests.dialects.recorded.cases import Case


def reason(case: Case, route: str, aspect: str) -> str:
    """The reason, or "" if there is none."""
    return ""
