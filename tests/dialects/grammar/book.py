"""What a checker finds: rules that were broken, and how the stream ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Breach:
    """A rule that the event `at` (counted from 0) breaks, and what is wrong with it."""

    rule: str
    at: int
    what: str


@dataclass
class Book:
    """`end` is "whole" if the stream came to its own end, "error" if it told of a failure as its last word, "" if it
    just stopped. `at` is the event that is looked at."""

    breaches: list[Breach] = field(default_factory=list)
    end: str = ""
    at: int = -1

    def need(self, holds: object, rule: str, what: object = "") -> bool:
        """Note a breach unless it holds; says whether it does."""
        if not holds:
            self.breaches.append(Breach(rule, self.at, str(what)[:300]))
        return bool(holds)

    @property
    def rules(self) -> set[str]:
        """The names of the rules that were broken."""
        return {breach.rule for breach in self.breaches}

    def __str__(self) -> str:
        return f"end {self.end!r}; " + "; ".join(f"{b.rule} at {b.at}: {b.what}" for b in self.breaches[:6])


def is_count(value: Any) -> bool:
    """Whether it is a number of something."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_name(value: Any) -> bool:
    """Whether it is a text that is not empty."""
    return isinstance(value, str) and value != ""
