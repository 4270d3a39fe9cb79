"""`tools/env`: what it says when something is missing, and that it does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from encke.local.interpreter import LIBRARIES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the tool reads, without an environment."""
    (tmp_path / "tools").mkdir()
    for name in ("tools/env", "pyproject.toml", *(lock.name for lock in ROOT.glob("requirements*.lock"))):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(tree: Path, python: str | Path, kind: str = "serve") -> subprocess.CompletedProcess[str]:
    """Run it with an interpreter."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tree), "PYTHON": str(python)}
    return subprocess.run([tree / "tools/env", kind], env=env, capture_output=True, text=True, timeout=60, check=False)


def script(path: Path, text: str) -> Path:
    """A program."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_no_python(tree: Path) -> None:
    """A missing interpreter is named, with the packages that bring it."""
    done = run(tree, "python-that-is-not-there")
    assert done.returncode == 1 and "python-that-is-not-there is missing" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_an_old_python(tree: Path) -> None:
    """Its version and the one needed are named."""
    old = script(tree / "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    done = run(tree, old)
    assert done.returncode == 1 and "Python 3.9.2 is too old" in done.stderr and "3.11" in done.stderr


def test_no_venv_module(tree: Path) -> None:
    """Debian's python3 without python3-venv: the package is named."""
    bare = script(tree / "python3", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    done = run(tree, bare)
    assert done.returncode == 1 and "apt install python3-venv" in done.stderr


def test_a_wrong_word(tree: Path) -> None:
    """It knows two kinds of environment."""
    done = run(tree, "python3", "prod")
    assert done.returncode == 1 and "serve|dev" in done.stderr


FAKE = """
case "$*" in
  --version|-VV) echo Python 3.12.1;;
  "-m venv .venv")
    mkdir -p .venv/bin; echo "VIRTUAL_ENV=$PWD/.venv" >.venv/bin/activate
    cp "$0" .venv/bin/python; cp "$0" .venv/bin/encke;;
  "-m pip install"*) echo "$*" >>pip.log; [ ! -e no-network ];;
esac
"""


def installs(tree: Path) -> int:
    """How often pip was asked to install something."""
    log = tree / "pip.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_the_second_time_nothing_is_done_until_a_lock_changes(tree: Path) -> None:
    """A whole environment is left alone; an interrupted one and an outdated one are completed."""
    python = script(tree / "python3", FAKE)
    (tree / "no-network").touch()
    assert run(tree, python).returncode == 1
    tried = installs(tree)
    assert tried == 2  # with the engine's library, then without
    (tree / "no-network").unlink()
    assert run(tree, python).returncode == 0
    assert installs(tree) == tried + 2  # what is locked, then Encke itself
    assert run(tree, python).returncode == 0
    assert installs(tree) == tried + 2
    with (tree / "requirements-local.lock").open("a") as lock:
        lock.write("# changed\n")
    assert run(tree, python).returncode == 0
    assert installs(tree) == tried + 4


def test_an_environment_for_tests_will_do_for_serving(tree: Path) -> None:
    """After `make test`, `make serve` has nothing to build; the other way round there is."""
    python = script(tree / "python3", FAKE)
    assert run(tree, python, "dev").returncode == 0
    done = installs(tree)
    assert run(tree, python, "serve").returncode == 0
    assert installs(tree) == done


def test_everything_is_installed_by_hash_and_as_wheels(tree: Path) -> None:
    """No requirement is installed without its hash, none is built, and Encke itself needs no network."""
    run(tree, script(tree / "python3", FAKE))
    locked, own = (tree / "pip.log").read_text().splitlines()
    assert "--require-hashes" in locked and "--only-binary :all:" in locked
    assert "--no-index" in own and "--no-build-isolation" in own and "-e ." in own


LACKS_OPENMP = """
case "$*" in
  "-c import ctypes"*) exit 1;;
  "-m pip download"*) for folder in "$@"; do :; done; touch "$folder/a.whl"; echo "$*" >>download.log; exit;;
  "-m zipfile"*)
    for folder in "$@"; do :; done; mkdir "$folder/a.libs"; touch "$folder/a.libs/libgomp-1a2b.so.1.0.0"; exit;;
esac
"""


def test_a_library_that_a_minimal_system_lacks(tree: Path) -> None:
    """Where the system has no libgomp one is taken out of a locked package and put where the engine looks; once."""
    python = script(tree / "python3", LACKS_OPENMP + FAKE)
    assert run(tree, python).returncode == 0
    place = LIBRARIES.relative_to(sys.prefix)
    assert [file.name for file in (tree / ".venv" / place).iterdir()] == ["libgomp.so.1"]
    (tree / ".venv/encke-stamp").unlink()
    assert run(tree, python).returncode == 0
    (download,) = (tree / "download.log").read_text().splitlines()
    assert "--require-hashes" in download and "-r tools/openmp.lock" in download and "--no-deps" in download
