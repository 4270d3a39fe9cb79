"""What is in the Dockerfile and the systemd unit, as far as it can be checked without Docker and systemd running."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_image_is_made_of_files_that_are_there() -> None:
    """Every file that the Dockerfile copies is in the tree and passes .dockerignore."""
    text = (ROOT / "Dockerfile").read_text()
    named = {name for line in re.findall(r"(?m)^COPY (?!--)(.+) \S+$", text) for name in line.split()}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert named == allowed
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_image_is_locked_and_unprivileged() -> None:
    """Hashes for everything installed, a user that is not root, a volume, a health check, every address."""
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in text and "--only-binary :all:" in text
    assert "\nUSER encke\n" in text and "\nVOLUME /data\n" in text
    assert "ENCKE_LISTEN=0.0.0.0:8080" in text and "ENCKE_DATA=/data" in text and "/healthz" in text


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on this machine")
    unit = tmp_path / "encke.service"
    # The program of the unit is installed by whoever uses it; here another one stands in its place.
    unit.write_text((ROOT / "deploy/encke.service").read_text().replace("/opt/encke/bin/encke", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "encke" in line]
    assert done.returncode == 0 and said == []
