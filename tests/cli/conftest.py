"""Running the command line, in this process and as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from encke.cli.main import main
from encke.providers.presets import read_presets, usual_variables
from tests.support.evidence import EVIDENCE

Run = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(data: Path, **more: str) -> dict[str, str]:
    """The environment without anybody's ENCKE_ variables and providers' keys."""
    usual = usual_variables(read_presets())
    ours = {name for name in os.environ if name.startswith("ENCKE_") or name in usual}
    plain = {name: value for name, value in os.environ.items() if name not in ours}
    return {**plain, "ENCKE_DATA": str(data), **more}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder, not made yet."""
    return tmp_path / "data"


@pytest.fixture
def encke(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`encke("keys", "list", stdin="", ENCKE_API_KEY=…)` in this process, away from any settings file."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(environment(data)):
        monkeypatch.delenv(name)

    def run(*args: str, stdin: str = "", **more: str) -> Result:
        result = CliRunner().invoke(main, args, input=stdin, env={"ENCKE_DATA": str(data), **more})
        EVIDENCE.terminal(result.output_bytes)
        return result

    return run


@pytest.fixture
def program(tmp_path: Path, data: Path) -> Program:
    """`program("keys", "list")` as a process of its own."""

    def run(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "encke", *args]
        env = environment(data, **more)
        ran = subprocess.run(command, env=env, cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False)
        EVIDENCE.terminal((ran.stdout + ran.stderr).encode())
        return ran

    return run
