"""What passed and what differed, by provider, callers' dialect and feature; and why, where it may."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).parents[3] / "tools" / "compatibility.json"

# A cell: who answered on which wire, the caller's dialect, and what was looked at.
Cell = tuple[str, str, str]


@dataclass
class Tally:
    """`passed` and `differ` count exchanges; `reasons` those that differ for a reason that is known;
    `dropped` what was named as left out, by wire and caller."""

    passed: Counter[Cell] = field(default_factory=Counter)
    differ: Counter[Cell] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    dropped: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def note(
        self,
        source: str,
        route: str,
        feature: str,
        problem: str = "",
        name: str = "",
        reason: str = "",
        *,
        lost: bool = False,
    ) -> None:
        """One exchange in one cell. A problem without a reason fails the test; what is `lost` was named as such."""
        cell = (source, route, feature)
        if lost:
            self.differ[cell] += 1
            return
        if not problem:
            self.passed[cell] += 1
            return
        self.differ[cell] += 1
        if reason:
            self.reasons[(route, feature, reason)] += 1
        else:
            self.problems.append(f"{name} -> {route}: {feature}: {problem}")

    def check(self) -> None:
        """Raises AssertionError with the first problems."""
        kinds: dict[str, list[str]] = defaultdict(list)
        for problem in self.problems:
            kinds[":".join(problem.split(" -> ")[-1].split(":")[:2])].append(problem)
        lines = [f"{len(found)} {kind}\n    " + "\n    ".join(found[:7]) for kind, found in sorted(kinds.items())]
        assert not self.problems, f"{len(self.problems)} differ:\n" + "\n".join(lines)[:12_000]

    def line(self) -> str:
        """For the end of the run."""
        known = f", {sum(self.differ.values())} differ for known reasons" if self.differ else ""
        return f"{sum(self.passed.values())} agree{known}"


def write(part: str, tally: Tally, left_out: Iterable[tuple[str, int]]) -> None:
    """Put one test's results into the data file that the page is made of."""
    data = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {}
    cells = sorted(tally.passed.keys() | tally.differ.keys())
    data[part] = {
        "cells": [[*cell, tally.passed[cell], tally.differ[cell]] for cell in cells],
        "dropped": [[*key, count] for key, count in sorted(tally.dropped.items())],
        "reasons": [[*key, count] for key, count in sorted(tally.reasons.items())],
        "left_out": sorted([why, count] for why, count in left_out),
    }
    DATA.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def hold(part: str, tally: Tally) -> None:
    """What this run has seen is in the data file: no more than all of it. Raises AssertionError."""
    data = json.loads(DATA.read_text("utf-8"))[part]
    known = {(source, route, feature): (passed, differ) for source, route, feature, passed, differ in data["cells"]}
    for cell in tally.passed.keys() | tally.differ.keys():
        passed, differ = known.get(cell, (0, 0))
        assert tally.passed[cell] <= passed and tally.differ[cell] <= differ, (
            f"{part}: {cell}: {tally.passed[cell]} and {tally.differ[cell]} now, {passed} and {differ} in {DATA.name}: "
            "write it again, as tools/compatibility.py says"
        )
