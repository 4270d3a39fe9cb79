"""Amounts as people write them, to whole numbers without any float: `25`, `0.05` dollars; `60`, `100_000` a minute."""

from __future__ import annotations

import re

from encke.admin.context import AdminError
from encke.config.problems import quote
from encke.core.money import NANO

# Nine digits behind the point are a nano-dollar; a billion dollars in them is a ninth of what 64 bits hold.
_DOLLARS = re.compile(r"\$?(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_WHOLE = re.compile(r"\d{1,3}(?:[_]\d{3})+|\d{1,15}", re.ASCII)
MOST_DOLLARS = 10**9
_FORM = "a decimal number such as 25 or 0.05, with nine digits after the point at most"


def dollars(text: str, what: str) -> int:
    """Nano-dollars of an amount in dollars, 0 to a billion. `what` names the value in the AdminError."""
    found = _DOLLARS.fullmatch(text.strip())
    if found is None:
        raise AdminError(f"{what} {quote(text)} is not an amount in dollars; use {_FORM}")
    whole, part = int(found[1]), found[2] or ""
    amount = whole * NANO + int(part.ljust(9, "0"))
    if amount > MOST_DOLLARS * NANO:
        raise AdminError(f"{what} {quote(text)} is more than {MOST_DOLLARS:,} dollars; nothing costs that")
    return amount


def number(text: str, most: int, what: str) -> int:
    """A whole number from 1 to `most`."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None:
        raise AdminError(f"{what} {quote(text)} is not a whole number; use 1 to {most}, or off for no limit")
    value = int(found[0].replace("_", ""))
    if not 1 <= value <= most:
        raise AdminError(f"{what} {quote(text)} is out of bounds; use 1 to {most}, or off for no limit")
    return value
