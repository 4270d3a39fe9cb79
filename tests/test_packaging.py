"""What is shipped: the lock files, the wheel, the version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tools.check_tree import HOSTS, problems

import encke
from tests.support.wheel import build_wheel

ROOT = Path(__file__).resolve().parents[1]
LOCKS = [
    *sorted(ROOT.glob("requirements*.lock")),
    *(ROOT / "tools").glob("*.lock"),
    ROOT / "src/encke/local/weights.lock",
]
MOST_DISTRIBUTIONS = 20

_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9a-z.]+)(?: ; [^\\]+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(lock: Path) -> dict[str, str]:
    """Name to version; fails on a line that is no pinned requirement with hashes."""
    text = re.sub(r"(?m)^\s*#.*\n", "", lock.read_text())
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        pin, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        match = _PIN.fullmatch(pin.strip())
        assert match, f"{lock.name}: {pin!r} is not pinned"
        assert hashes and all(_HASH.fullmatch(one) for one in hashes), f"{lock.name}: {pin!r} lacks hashes"
        found[match["name"]] = match["version"]
    return found


def project() -> dict[str, Any]:
    """The `project` table."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_everything_locked_has_a_version_and_hashes_and_no_address(lock: Path) -> None:
    """Each requirement is pinned and hashed, and no lock file says where packages come from."""
    assert requirements(lock)
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|@ ", lock.read_text())


def test_the_core_is_small() -> None:
    """The core install, transitive distributions and Encke itself counted, stays small."""
    assert 1 + len(requirements(ROOT / "requirements.lock")) <= MOST_DISTRIBUTIONS


def test_the_locks_agree() -> None:
    """What the gateway runs with is what was tested: the same versions in every lock."""
    dev = requirements(ROOT / "requirements-dev.lock")
    for name in ("requirements.lock", "requirements-local.lock", "requirements-build.lock"):
        assert requirements(ROOT / name).items() <= dev.items(), name


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """A dependency added to pyproject.toml without a new lock is noticed."""
    names = {re.split(r"[<>=\[ ]", line)[0].replace("_", "-") for line in project()["dependencies"]}
    assert names <= requirements(ROOT / "requirements.lock").keys()
    local = {re.split(r"[<>=\[ ]", line)[0] for line in project()["optional-dependencies"]["local"]}
    assert local <= requirements(ROOT / "requirements-local.lock").keys()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_what_runs(wheel: Path) -> None:
    """Every file of the package is in the wheel, data too, and nothing that changes other programs (`.pth`)."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = ROOT / "src"
    expected = {str(file.relative_to(source)) for file in (source / "encke").rglob("*") if file.is_file()}
    expected = {name for name in expected if "__pycache__" not in name}
    assert {name for name in names if not name.split("/")[0].endswith(".dist-info")} == expected
    for data in ("py.typed", "local/weights.lock", "providers/openai/provider.toml", "store/migrations/0001_first.sql"):
        assert f"encke/{data}" in names
    assert not [name for name in names if name.endswith((".pth", ".gguf", ".db"))]
    assert any(name.endswith("LICENSE") for name in names)


def test_one_version(wheel: Path) -> None:
    """The package, its metadata, the wheel's name and the changelog speak of the same version, or of none yet."""
    assert wheel.name == f"encke-{encke.__version__}-py3-none-any.whl"
    assert version("encke") == encke.__version__
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"encke-{encke.__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {encke.__version__}\n" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    headings = re.findall(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text())
    assert headings[0] == "Unreleased" or headings[0] == encke.__version__


def test_the_oldest_python_is_told_in_one_place() -> None:
    """pyproject.toml and tools/env ask for the same oldest Python, and this one is not older."""
    assert project()["requires-python"] == ">=3.11"
    assert "sys.version_info < (3, 11)" in (ROOT / "tools/env").read_text()
    assert sys.version_info >= (3, 11)


def test_a_registry_host_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the tree sees a host and passes over what merely resembles one."""
    monkeypatch.setattr("tools.check_tree.ROOT", tmp_path)
    bad, good = tmp_path / "bad.txt", tmp_path / "good.txt"
    bad.write_text("ok\nget it from py" + "pi.org/simple\n")
    good.write_text("a debian package, npm, api.openai.com\n")
    assert [line.split(":")[:2] for line in problems([bad, good])] == [["bad.txt", "2"]]
    assert not HOSTS.search("debian 12")


def test_time_zones_need_no_system_files() -> None:
    """Budgets' time zones are known on a machine without a zone database of its own, as small containers are."""
    code = "import zoneinfo; print(zoneinfo.TZPATH, zoneinfo.ZoneInfo('Europe/Berlin'), zoneinfo.ZoneInfo('UTC'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONTZPATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["()", "Europe/Berlin", "UTC"]
