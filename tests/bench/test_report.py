"""`bench/report.py`: ratios are made round by round, and noise is shown."""

from __future__ import annotations

import importlib
from typing import Any

report: Any = importlib.import_module("report")
cases: Any = importlib.import_module("cases")

NAMES = ("nginx", "encke")


def window(round_: int, candidate: str, cpu_us: float, case: str = "1KB", steal: float = 0, other: float = 0) -> Any:
    """A window of which only these matter."""
    return cases.Window(round_, case, candidate, cpu_us, 1000, 10, 20, 0, 0, 50, 50, steal, other, 0, 0)


def results(*windows: Any) -> Any:
    """What a run measured."""
    return report.Results(list(windows))


def line(text: str, title: str) -> str:
    """A line of the table."""
    return next(line for line in text.splitlines() if line.startswith(title))


def test_ratio_of_each_round() -> None:
    """The median of the rounds' ratios with their range; not the ratio of medians, which would be 2.5 or more here."""
    pairs = ((10, 20), (40, 50), (12, 60))
    found = results(
        *(window(r, name, us) for r, pair in enumerate(pairs) for name, us in zip(NAMES, pair, strict=True))
    )
    row = line(report.table(found, ["nginx", "encke"]), "1 KB: CPU")
    assert "2.00x (1.25-5.00)" in row
    assert "1KB 2.00x" in report.last_line(found, "encke")


def test_quiet_rounds() -> None:
    """ "... if quiet" leaves out the rounds in which the host or others took more than 5 % of either's core."""
    found = results(
        window(0, "nginx", 10), window(0, "encke", 20),
        window(1, "nginx", 10), window(1, "encke", 90, steal=6),
        window(2, "nginx", 10, other=7), window(2, "encke", 90),
    )  # fmt: skip
    assert line(report.table(found, ["nginx", "encke"]), "1 KB: CPU").endswith(" 2.00x")


def test_noise_is_shown() -> None:
    """What was stolen from each candidate's core, and what others used of it, has lines of its own."""
    found = results(window(0, "nginx", 10, steal=3), window(0, "encke", 20, other=17))
    text = report.table(found, ["nginx", "encke"])
    assert line(text, "% of its core stolen: 1KB").split()[-2:] == ["3", "0"]
    assert line(text, "% of its core used by others: 1KB").split()[-2:] == ["0", "17"]


def test_two_that_are_not_nginx() -> None:
    """Two workers are held against one in the same round."""
    found = results(
        window(0, "encke", 40), window(0, "encke-2w", 50), window(1, "encke", 80), window(1, "encke-2w", 80)
    )
    assert report.against(found, "encke-2w", "encke") == "CPU of encke-2w / encke: 1KB 1.12x (1.00-1.25)"


def test_a_case_that_a_candidate_did_not_run() -> None:
    """It has a dash and no ratio; the others keep theirs."""
    found = results(window(0, "nginx", 10, "rate"), window(0, "encke", 30, "rate"), window(0, "litellm", 900))
    row = line(report.table(found, ["nginx", "encke", "litellm"]), "500/s: CPU")
    assert row.split()[3:7] == ["10", "30", "-", "3.00x"] and "500/s" not in report.last_line(found, "litellm")
