"""What `make clients` has installed, and the gateways in front of which it is put."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import home, many
from tests.support.node import install_packages

__all__ = ["home", "many"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only where they were asked for: they need gigabytes from registries."""
    asked = config.getoption("--programs")
    return None if asked or collection_path.suffix != ".py" else True


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the locked packages for Node.js."""
    return install_packages(HERE / "node")


def environment(name: str) -> Path:
    """The environment with what tests/programs/`name`.lock locks."""
    found = ROOT / ".venv/clients" / name
    assert (found / "encke.lock").exists(), f"{name} is not installed: run tools/clients"
    return found
