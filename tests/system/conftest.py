"""`encke serve` in a terminal, on a data folder of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.support.terminal import Terminal

ENCKE = str(Path(sys.executable).with_name("encke"))
READY = r"^Encke is ready\.[\s\S]*Ctrl-C stops everything"

Start = Callable[..., Terminal]


def environment(data: Path, **more: str) -> dict[str, str]:
    """A person's environment, without anybody's ENCKE_ variables and providers' keys."""
    names = [name for name in os.environ if not name.startswith("ENCKE_") and "_API_KEY" not in name]
    own = {"ENCKE_DATA": str(data), "ENCKE_LISTEN": "127.0.0.1:0", "TERM": "dumb"}
    return {**{name: os.environ[name] for name in names}, **own, **more}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder, not made yet; its name wants quoting in a shell."""
    return tmp_path / "my data"


@pytest.fixture
def start(tmp_path: Path, data: Path) -> Iterator[Start]:
    """`start("--config", …, NAME=value)` runs `encke serve` with the variables; it ends with the test at the latest."""
    with ExitStack() as running:

        def run(*args: str, **more: str) -> Terminal:
            command = [ENCKE, "serve", *args]
            return running.enter_context(Terminal(command, tmp_path, environment(data, **more)))

        yield run


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[UpstreamProcess]:
    """A fake upstream with an interpreter of its own, which outlives the gateway."""
    with UpstreamProcess(tmp_path / "upstream") as running:
        yield running
