"""Decimals as people write them, read exactly: whole numbers of a small unit, never a float."""

from __future__ import annotations

import re
from typing import Final

# Six digits before the point are a dollar for a single token, were it a price for a million.
MOST_DIGITS: Final = 6

_DECIMAL: Final = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")


def whole(text: str, places: int) -> int:
    """`text`, such as "0.25", in units of 10 to the power of -`places`. ValueError says what is wrong with it."""
    found = _DECIMAL.fullmatch(text) if text.isascii() else None
    if found is None:
        raise ValueError('is no decimal; write digits and a point, such as "0.25", without a sign or an exponent')
    front, behind = found[1], (found[2] or "").rstrip("0")
    if len(front) > MOST_DIGITS:
        raise ValueError(f"is too large; at most {MOST_DIGITS} digits stand before the point")
    if len(behind) > places:
        raise ValueError(f"is too precise; at most {places} digits stand behind the point")
    return int(front + behind.ljust(places, "0"))


def written(value: int, places: int) -> str:
    """The shortest decimal that `whole` reads as this."""
    front, behind = divmod(value, 10**places)
    tail = str(behind).rjust(places, "0").rstrip("0") if places else ""
    return f"{front}.{tail}" if tail else str(front)
