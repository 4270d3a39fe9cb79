"""The newest of the makers' Python packages, where the development environment has older ones for others' sake."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.programs.conftest import ROOT, environment

SUITES = ["tests/clients/test_dialects.py", "tests/clients/test_recorded.py", "tests/clients/test_openai_python.py"]


@pytest.mark.parametrize("suite", SUITES)
def test_the_newest(suite: str) -> None:
    """They pass what those of the development environment pass."""
    (place,) = environment("makers").glob("lib/python3*/site-packages")
    before = [str(place), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not model", suite]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(before)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
