"""How a command reaches the store."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from encke.admin import link as link_module
from encke.admin.commands import run
from encke.admin.context import AdminError, Context
from encke.admin.frames import FrameDecoder, encode
from encke.admin.link import Link, owned
from encke.core.paths import DataPaths
from encke.keys.pepper import PepperError
from encke.store.port import Store
from encke.store.sqlite import SqliteStore
from tests.support.unprivileged import folder_of_nobody, unprivileged


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataPaths:
    """A data folder that does not exist yet, and little patience."""
    monkeypatch.setattr(link_module, "PATIENCE_S", 0.3)
    monkeypatch.setattr(link_module, "REPLY_S", 5.0)
    return DataPaths(tmp_path / "data")


def link_to(paths: DataPaths) -> Link:
    """A link that opens SQLite."""

    def open_store(read_only: bool) -> Store:
        return SqliteStore.open_read_only(paths.db) if read_only else SqliteStore.open(paths.db)

    return Link(paths, paths.db, open_store)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """The lock, held by somebody else."""
    path.parent.mkdir(exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


class Keeper:
    """Answers one connection on the keeper's socket; `answer` makes the bytes from a command."""

    def __init__(self, paths: DataPaths, answer: Callable[[Any], bytes]) -> None:
        self.commands: list[Any] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(paths.keeper_sock))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        decoder = FrameDecoder()
        with peer:
            while data := peer.recv(65536):
                for frame in decoder.feed(data):
                    assert frame.kind == "command"
                    self.commands.append(frame.payload)
                    peer.sendall(self._answer(frame))
                    return

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(5)
        self._listener.close()


def test_without_a_gateway(paths: DataPaths) -> None:
    """With no gateway the command works on the store itself, makes what is missing, and lets go of the folder."""
    made = link_to(paths).call("keys.create", {"name": "app"})
    assert [key["id"] for key in link_to(paths).call("keys.list", {})] == [made["id"]]
    with owned(paths) as ours:
        assert ours


def test_through_the_keeper(paths: DataPaths) -> None:
    """While a gateway owns the folder the command goes to its keeper, and the reply comes back."""
    with held(paths.lock):
        store = SqliteStore.open(paths.db)
        ctx = Context(store, bytes(32))

        def answer(frame: Any) -> bytes:
            return encode("reply", frame.id, {"result": run(ctx, frame.payload["name"], frame.payload["args"])})

        with Keeper(paths, answer) as keeper:
            made = link_to(paths).call("keys.create", {"name": "app"})
        assert keeper.commands == [{"name": "keys.create", "args": {"name": "app"}}]
        assert [key.public_id for key in store.list_keys()] == [made["id"]]
        assert not paths.pepper.exists()
        store.close()


def test_reports_need_nobody(paths: DataPaths) -> None:
    """A command that only reads works beside a gateway whose keeper does not answer."""
    link = link_to(paths)
    link.call("keys.create", {"name": "app"})
    with held(paths.lock), held(paths.keeper_lock):
        assert [key["name"] for key in link.call("keys.list", {})] == ["app"]
        assert link.call("usage", {})["total"]["calls"] == 0


def test_keeper_says_no(paths: DataPaths) -> None:
    """An error of the keeper is the command's error, in its words; a stray frame before it is skipped."""

    def answer(frame: Any) -> bytes:
        return encode("hello", 0, None) + encode("reply", frame.id, {"error": 'the name "app" is taken'})

    with (
        held(paths.lock),
        Keeper(paths, answer),
        pytest.raises(AdminError, match=r'^the name "app" is taken$'),
    ):
        link_to(paths).call("keys.create", {"name": "app"})


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "broke off before it answered"),
        (b"\xff\xff\xff\xff", "did not answer the command properly"),
        (encode("reply", 1, {"odd": 1}), "did not answer the command properly"),
        (encode("reply", 1, None), "did not answer the command properly"),
    ],
)
def test_keeper_breaks(paths: DataPaths, reply: bytes, message: str) -> None:
    """A reply that is missing or makes no sense is told, with how to find out; the command is not sent again."""
    with held(paths.lock), Keeper(paths, lambda frame: reply) as keeper:
        with pytest.raises(AdminError, match=f"{message}.*encke keys list"):
            link_to(paths).call("keys.create", {})
        assert len(keeper.commands) == 1


def test_keeper_that_stays_away(paths: DataPaths) -> None:
    """If nobody answers in time the error names the folder and the socket; a stale socket counts as nobody."""
    message = f"holds {paths.root}, but its keeper does not answer at {paths.keeper_sock}"
    with held(paths.lock):
        with pytest.raises(AdminError, match=message):
            link_to(paths).call("keys.create", {})
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(paths.keeper_sock))
        stale.close()
        with pytest.raises(AdminError, match="does not answer"):
            link_to(paths).call("keys.create", {})


def test_keeper_that_comes_back(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that is restarting is waited for."""
    monkeypatch.setattr(link_module, "PATIENCE_S", 5.0)
    keepers: list[Keeper] = []

    def come_back() -> None:
        time.sleep(0.2)
        keepers.append(Keeper(paths, lambda frame: encode("reply", frame.id, {"result": "done"})))

    with held(paths.lock):
        thread = threading.Thread(target=come_back)
        thread.start()
        assert link_to(paths).call("keys.create", {}) == "done"
        thread.join()
        keepers[0].__exit__()


@pytest.mark.parametrize("lock", ["lock", "keeper_lock"])
def test_another_command_is_waited_for(paths: DataPaths, lock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that another command, or a keeper that is just ending, lets go of in time is used then."""
    monkeypatch.setattr(link_module, "PATIENCE_S", 5.0)
    with contextlib.ExitStack() as stack:
        stack.enter_context(held(getattr(paths, lock)))
        timer = threading.Timer(0.2, stack.pop_all().close)
        timer.start()
        assert link_to(paths).call("keys.create", {"name": "app"})["name"] == "app"
        timer.join()


def test_no_store_yet(paths: DataPaths) -> None:
    """A report without a store says where it looked and makes nothing."""
    with pytest.raises(AdminError, match=f"there is no store at {paths.db} yet; check ENCKE_DATA"):
        link_to(paths).call("keys.list", {})
    assert not paths.root.exists()


def test_lost_pepper(paths: DataPaths) -> None:
    """With keys in the store a lost pepper stops the making of new ones, and is not replaced."""
    link = link_to(paths)
    link.call("keys.create", {})
    paths.pepper.unlink()
    with pytest.raises(PepperError, match="is missing, but the store holds keys"):
        link.call("keys.create", {})
    assert not paths.pepper.exists()
    assert len(link.call("keys.list", {})) == 1


def test_unusable_folder() -> None:
    """A data folder that cannot be made or written is told with its path and what to do."""
    with folder_of_nobody() as folder, unprivileged():
        folder.chmod(0o500)
        for root in (folder, folder / "data"):
            with pytest.raises(AdminError, match=f"cannot use the data folder {root}: Permission denied; check"):
                link_to(DataPaths(root)).call("keys.create", {})
