"""Plain text for terminals: tables, money, times, and nothing that a terminal would obey."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from encke.core.money import NANO


def dollars(nano: int | None) -> str | None:
    """Nano-dollars as an exact decimal string of dollars, `0.001234567`; null stays null."""
    if nano is None:
        return None
    whole, rest = divmod(abs(nano), NANO)
    return f"{'-' if nano < 0 else ''}{whole}.{rest:09d}"


def safe(text: str) -> str:
    """Text of unknown origin (model names that callers asked for) on one line, without control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def speech(text: str) -> str:
    """A model's answer for a terminal: line breaks and tabs stay, other control characters go."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns in line, two spaces between them; the columns numbered in `right` are set to the right."""
    lines = [list(map(safe, row)) for row in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def cell(column: int, text: str) -> str:
        return text.rjust(widths[column]) if column in right else text.ljust(widths[column])

    return "\n".join("  ".join(cell(column, text) for column, text in enumerate(line)).rstrip() for line in lines)


def json_text(value: object) -> str:
    """Indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
