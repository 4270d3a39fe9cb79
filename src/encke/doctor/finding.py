"""Finding: one thing looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

# A note is neither good nor bad; a warning will hurt some day; with an error the gateway, or a provider, does not work.
Level = Literal["ok", "note", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """`area` is what was looked at, `text` what was found, `todo` what to do about it. No secret is in it."""

    area: str
    level: Level
    text: str
    todo: str = ""


Check = Callable[[], Iterator[Finding]]


def guarded(area: str, check: Check) -> list[Finding]:
    """What a check finds; a check that fails itself is a finding too, by the failure's kind only."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:
        found.append(Finding(area, "warning", f"this could not be looked at ({type(error).__name__})"))
    return found
