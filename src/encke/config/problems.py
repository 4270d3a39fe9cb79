"""Problem: one thing wrong with the settings. ConfigError: all of them at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Literal

import msgspec

# A setting's place: ("models", "fast", "targets", 0, "provider").
Where = tuple[str | int, ...]

Origin = Literal["file", "environment", "command line"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(where: Where) -> str:
    """The place as one would write it: `models.fast.targets[0].provider`; names that need quotes get them."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE_KEY.fullmatch(part) else quote(part)
        text += f".{name}" if text else name
    return text


def quote(text: str, limit: int = 80) -> str:
    """Text in double quotes on one line: control characters escaped, cut after `limit` characters."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    escaped = "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in shown)
    return f'"{escaped}"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char.encode("unicode_escape").decode("ascii")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None if none is near."""
    found = get_close_matches(name[:200], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong. `message` says what and what to do; `suggestion` is the name that was probably meant.

    `line` and `column` count from 1 and are None where they are not known or mean nothing (environment, command line).
    """

    where: Where
    message: str
    suggestion: str | None = None
    line: int | None = None
    column: int | None = None
    origin: Origin = "file"

    @property
    def key(self) -> str:
        """The setting's dotted name, or the variable's name."""
        return dotted(self.where) if self.origin != "environment" else str(self.where[0])

    def render(self, path: str | None) -> str:
        """One line: `encke.toml:12: server.lissten: unknown setting; did you mean "listen"?`."""
        meant = f"; did you mean {quote(self.suggestion)}?" if self.suggestion is not None else ""
        parts = [part for part in (self._place(path), self.key, f"{self.message}{meant}") if part]
        return ": ".join(parts)

    def _place(self, path: str | None) -> str:
        if self.origin != "file":
            return self.origin
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        return ":".join([path, *numbers]) if path else ""


def news(later: Iterable[Problem], found: Collection[Problem]) -> list[Problem]:
    """The later problems without those that may only follow from what was found before in the same table."""
    tables = {problem.where[:2] for problem in found} | {
        problem.where[:1] for problem in found if len(problem.where) == 1
    }
    return [one for one in later if one.where[:2] not in tables and one.where[:1] not in tables]


class ConfigError(Exception):
    """The settings cannot be used. `problems` holds everything found, `path` the file they stand in (None: no file)."""

    def __init__(self, problems: Iterable[Problem], path: str | None = None) -> None:
        self.problems = tuple(problems)
        self.path = path
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Every problem rendered, in the order of the file, those without a line last."""
        ordered = sorted(self.problems, key=lambda problem: (problem.line is None, problem.line or 0))
        return [problem.render(self.path) for problem in ordered]
