"""The wheel as a user has it: built from the tree, installed with pip into a clean environment, and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import encke
from encke.testing.upstream import FakeUpstream
from tests.support.client import Client
from tests.support.gateway import lab, to_toml
from tests.support.terminal import Terminal
from tests.support.wheel import ROOT, build_wheel
from tests.system.conftest import READY, environment

PIP = ("install", "--quiet", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a program prints; AssertionError with its words if it fails."""
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env = env if env is not None else plain
    done = subprocess.run([*command], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment with the locked core and the wheel, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("clean")
    wheel = build_wheel(folder)
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv/bin/python"
    run(python, "-m", "pip", *PIP, "--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements.lock")
    run(python, "-m", "pip", *PIP, "--no-deps", "--no-index", wheel)
    yield folder / "venv"


def test_nothing_is_missing(clean: Path, tmp_path: Path) -> None:
    """pip finds every dependency satisfied, the version is right, and the package is not the tree's."""
    run(clean / "bin/python", "-m", "pip", "check")
    assert encke.__version__ in run(clean / "bin/encke", "--version", cwd=tmp_path)
    where = run(clean / "bin/python", "-c", "import encke; print(encke.__file__)", cwd=tmp_path)
    assert where.startswith(str(clean))


def test_it_serves(clean: Path, tmp_path: Path) -> None:
    """`encke serve` from the wheel carries a call to a provider, and says why there is no `local`."""
    with FakeUpstream() as upstream:
        settings = tmp_path / "encke.toml"
        settings.write_text(to_toml(lab(upstream.url)))
        environ = environment(tmp_path / "data", PATH="/usr/bin:/bin")
        with Terminal([str(clean / "bin/encke"), "serve"], tmp_path, environ) as terminal:
            terminal.wait_for(READY, 60)
            terminal.wait_for(r"no local one: The library xllamacpp is not installed.*encke\[local\]", 1)
            port = int(terminal.wait_for(r"Base URL +http://127\.0\.0\.1:(\d+)/v1", 1)[1])
            key = terminal.wait_for(r"Key +(sk-enc-\S+)", 1)[1]
            body = {"model": "lab/fake", "messages": [{"role": "user", "content": "token:wheel"}]}
            with Client(port) as client:
                answer = client.call("POST", "/v1/chat/completions", body, key=key)
            assert answer.status == 200
            assert answer.json()["choices"][0]["message"]["content"].startswith("token:wheel")
            assert json.loads(run(clean / "bin/encke", "usage", "--json", cwd=tmp_path, env=environ))
            terminal.press_ctrl_c()
            assert os.waitstatus_to_exitcode(terminal.wait()) == 0
            assert terminal.processes() == {}
