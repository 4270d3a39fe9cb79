"""What must not be in the tree: the hosts of package registries (which registry is used is the user's own setting)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOSTS = re.compile(r"\b(pypi|pythonhosted|npmjs|crates|debian|ubuntu)[.](org|com|io)\b")


def problems(files: list[Path]) -> list[str]:
    """One line per forbidden name: file, line, name. Binary files are not read."""
    found = []
    for file in files:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for number, line in enumerate(lines, 1):
            if host := HOSTS.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: names the registry host {host[0]}; leave it out")
    return found


def tracked() -> list[Path]:
    """The files git knows."""
    if not shutil.which("git"):
        sys.exit("git is missing; on Debian and Ubuntu: apt install git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


if __name__ == "__main__":
    lines = problems(tracked())
    print("\n".join(lines) or "The tree names no registry.")
    sys.exit(bool(lines))
