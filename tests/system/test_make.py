"""`make serve` from the tree, in a terminal."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.terminal import Terminal
from tests.system.conftest import READY, environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environ(tmp_path: Path, data: Path) -> dict[str, str]:
    """A person's environment, and settings that do without the embedded model."""
    assert shutil.which("make"), "make is missing; on Debian: apt install make"
    settings = tmp_path / "plain.toml"
    settings.write_text("[local]\nenabled = false\n")
    return environment(data, ENCKE_CONFIG=str(settings))


def test_ctrl_c_under_make(environ: dict[str, str]) -> None:
    """make gets the Ctrl-C too: nothing is left, and nothing ugly is printed. (The first run may have to compile.)"""
    with Terminal(["make", "serve"], ROOT, environ) as terminal:
        terminal.wait_for(READY, 600)
        terminal.press_ctrl_c()
        status = os.waitstatus_to_exitcode(terminal.wait())
        assert status in (0, -signal.SIGINT)
        assert terminal.processes() == {}
        said = terminal.output.partition("^C")[2]
        assert "Stopping" in said
        assert "***" not in said and "Error" not in said and "Traceback" not in said


def test_make_that_is_told_to_end(environ: dict[str, str]) -> None:
    """SIGTERM to make, as from a process manager, ends the gateway with it."""
    with Terminal(["make", "serve"], ROOT, environ) as terminal:
        terminal.wait_for(READY, 600)
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.wait()
        assert terminal.processes() == {}


def test_help_names_every_target(tmp_path: Path, environ: dict[str, str]) -> None:
    """`make` alone lists what can be made, the README's commands among it."""
    with Terminal(["make"], ROOT, environ) as terminal:
        terminal.wait(20)
        for target in ("serve", "test", "env", "bench", "soak", "lint", "clean"):
            assert f"make {target}" in terminal.output
