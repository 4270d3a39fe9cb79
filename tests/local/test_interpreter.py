from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from encke.local.interpreter import interpreter


def test_plain_where_the_system_has_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the folder of libraries the interpreter is started as it is."""
    monkeypatch.setattr("encke.local.interpreter.LIBRARIES", tmp_path / "none")
    assert interpreter() == [sys.executable]


def test_libraries_of_the_environment_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, the dynamic linker of the child looks there; the child keeps the process id."""
    monkeypatch.setattr("encke.local.interpreter.LIBRARIES", tmp_path)
    code = "import os; print(os.environ['LD_LIBRARY_PATH'], os.getpid())"
    child = subprocess.Popen([*interpreter(), "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.communicate(timeout=20)[0].split() == [str(tmp_path), str(child.pid)]
