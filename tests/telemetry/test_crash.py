"""What the process's log says of a fault of ours."""

from __future__ import annotations

import json

import pytest

from encke.telemetry.crash import report


def test_a_crash_is_one_line_without_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    """Type and place are told, innermost first; what the exception says may quote a caller, and is not."""

    def inner() -> None:
        raise ValueError("sk-secret-of-a-caller")

    try:
        inner()
    except ValueError as error:
        report(error)
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "sk-secret" not in said
    line = json.loads(said)
    assert (line["level"], line["event"], line["type"]) == ("error", "crash", "ValueError")
    assert line["at"].startswith("inner:")
