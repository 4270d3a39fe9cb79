"""What every test may ask for: the size of the run, and a line in its summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.support.canaries import PLANTED
from tests.support.evidence import EVIDENCE

# No example of a property has to be quick: that says how busy the machine is. What must not grow is counted elsewhere.
settings.register_profile("encke", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("encke")

_LINES = pytest.StashKey[list[str]]()


class Size(Protocol):
    """`size(20_000, soak=200_000)`: how many (of anything) this run shall do; the second with --soak."""

    def __call__(self, usual: int, *, soak: int) -> int: ...


class Count(Protocol):
    """`count("leaks: 20000 calls, 4012 cancelled")`: a line for the end of the run, shown also when all is well."""

    def __call__(self, line: str, /) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """The switches."""
    parser.addoption("--soak", action="store_true", help="the large numbers of `make soak` (minutes to hours)")
    parser.addoption("--programs", action="store_true", help="what `make clients` installs: tests/programs")
    parser.addoption("--write-compatibility", action="store_true", help="write what docs/compatibility.md is made of")


def pytest_configure(config: pytest.Config) -> None:
    """The lines of this run."""
    config.stash[_LINES] = []


def note_failure(what: str) -> None:
    """A line for the file that ENCKE_FAILED names, if it does: a test's id, or what no test is to blame for."""
    if path := os.environ.get("ENCKE_FAILED"):
        with Path(path).open("a") as file:
            file.write(f"{what}\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What failed is named for whoever wants to run it again."""
    if report.failed:
        note_failure(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whatever ran: no secret may lie in what it has left. One that does fails the run."""
    config = session.config
    # The folder is only known to the plugin that makes it; None if no test asked for one.
    root = getattr(getattr(config, "_tmp_path_factory", None), "_basetemp", None)
    leaks = EVIDENCE.leaks(root)
    counts, lines = EVIDENCE.counts, config.stash[_LINES]
    if sum(counts.values()):
        seen = ", ".join(f"{count} {name}" for name, count in counts.items())
        lines.append(f"secrets: {len(PLANTED)} canaries, {len(leaks)} found in {seen}")
    for leak in leaks:
        note_failure(f"LEAK of {leak.secret}")
        lines.append(f"LEAK of {leak.secret} ({leak.disguise}) in {leak.where}: {leak.excerpt}")
    if leaks and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print them."""
    if lines := config.stash[_LINES]:
        terminalreporter.section("counts", sep="-")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Size:
    """Chooses the usual or the large number."""
    large = bool(pytestconfig.getoption("--soak"))

    def chosen(usual: int, *, soak: int) -> int:
        return soak if large else usual

    return chosen


@pytest.fixture(scope="session")
def count(pytestconfig: pytest.Config) -> Count:
    """Adds a line to the summary."""
    return pytestconfig.stash[_LINES].append
