"""`tools/soak`: its table of parts, and how it runs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = '"good|a part that holds|echo 3 counted"'
BAD = '"bad|a part that does not|echo broken; exit 3"'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy with two parts of ours in place of the real ones."""
    (tmp_path / "tools").mkdir()
    text = (ROOT / "tools/soak").read_text()
    before, _, rest = text.partition("PARTS=(\n")
    (tmp_path / "tools/soak").write_text(f"{before}PARTS=(\n{BAD}\n{GOOD}\n){rest.partition(chr(10) + ')')[2]}")
    shutil.copymode(ROOT / "tools/soak", tmp_path / "tools/soak")
    return tmp_path


def soak(tree: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run([tree / "tools/soak", *args], capture_output=True, text=True, timeout=60, check=False)


def test_all_parts_run(tree: Path) -> None:
    """Without names every part runs, also after one that fails; the status says that one did."""
    ran = soak(tree)
    assert ran.returncode == 1
    assert "3 counted" in ran.stdout and "FAILED (status 3)" in ran.stdout
    assert ran.stdout.index("broken") < ran.stdout.index("3 counted")


def test_chosen_parts_run(tree: Path) -> None:
    """Names choose; what is not named does not run."""
    ran = soak(tree, "good")
    assert ran.returncode == 0 and "3 counted" in ran.stdout and "broken" not in ran.stdout


def test_unknown_part(tree: Path) -> None:
    """An unknown name is an error that lists what there is, before anything runs."""
    ran = soak(tree, "good", "leeks")
    assert ran.returncode == 2 and "'leeks'" in ran.stderr and "a part that holds" in ran.stderr
    assert "counted" not in ran.stdout


def test_real_parts() -> None:
    """Every part of the real table has a name of its own, a sentence and a command."""
    listed = [line.split(maxsplit=1) for line in soak(ROOT, "--list").stdout.splitlines()]
    names = [name for name, *_ in listed]
    assert names and len(set(names)) == len(names) and all(len(one) == 2 for one in listed)
    assert (ROOT / "tools/soak").read_text().count("|.venv/bin/") >= 1
