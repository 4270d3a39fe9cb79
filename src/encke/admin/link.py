"""How a command reaches the store: through the running keeper, or, when no gateway runs, directly.

Reports are read beside the writer, from the file itself, so that a heavy one never keeps the keeper from its work.
Whatever writes goes to whoever owns the data folder: its lock tells whether that is a gateway.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from encke.admin.commands import COMMANDS, run
from encke.admin.context import AdminError, Context
from encke.admin.frames import FrameDecoder, FrameError, encode
from encke.core.paths import DataPaths
from encke.keys.pepper import load_pepper
from encke.store.port import Store

# How long a gateway may leave its socket unanswered (the keeper restarts), and how long a command may take.
PATIENCE_S = 5.0
REPLY_S = 30.0
_RETRY_S = 0.05


class Link:
    """Runs commands on one data folder.

    `open_store(read_only)` opens the store in `store_path`.
    """

    def __init__(self, paths: DataPaths, store_path: Path, open_store: Callable[[bool], Store]) -> None:
        self._paths = paths
        self._store_path = store_path
        self._open = open_store

    def call(self, name: str, args: Mapping[str, object]) -> Any:
        """Run a command; its result in JSON types. Raises AdminError, StoreError, PepperError."""
        if not COMMANDS[name].writes:
            return self._read(name, args)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with owned(self._paths) as ours:
                if ours:
                    return self._write(name, args)
            if (keeper := self._connect()) is not None:
                with contextlib.closing(keeper):
                    return _ask(keeper, name, args)
            if time.monotonic() > deadline:
                raise AdminError(
                    f"a gateway or another command holds {self._paths.root}, but its keeper does not answer at "
                    f"{self._paths.keeper_sock}; try again, or look at the gateway's log"
                )
            time.sleep(_RETRY_S)

    @property
    def running(self) -> bool:
        """Whether a gateway runs on this data folder."""
        if (keeper := self._connect()) is None:
            return False
        keeper.close()
        return True

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """The store, beside whoever writes it. Raises AdminError, StoreError."""
        if not self._store_path.exists():
            raise AdminError(
                f"there is no store at {self._store_path} yet; check ENCKE_DATA, or make one with: encke keys create"
            )
        with contextlib.closing(self._open(True)) as store:
            yield store

    def _read(self, name: str, args: Mapping[str, object]) -> Any:
        with self.reading() as store:
            return run(Context(store), name, args)

    def _write(self, name: str, args: Mapping[str, object]) -> Any:
        with contextlib.closing(self._open(False)) as store:
            pepper = load_pepper(self._paths.pepper, keys_exist=bool(store.list_keys()))
            return run(Context(store, pepper), name, args)

    def _connect(self) -> socket.socket | None:
        """A connection to the keeper, or null if nobody answers just now."""
        keeper = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._paths.check_socket_folder()
            keeper.settimeout(REPLY_S)
            keeper.connect(str(self._paths.keeper_sock))
        except (FileNotFoundError, ConnectionError, BlockingIOError):
            keeper.close()
            return None
        except OSError as error:
            keeper.close()
            raise AdminError(
                f"cannot reach the gateway at {self._paths.keeper_sock}: {error.strerror or error}"
            ) from None
        return keeper


def _ask(keeper: socket.socket, name: str, args: Mapping[str, object]) -> Any:
    """Send one command and wait for its reply. Never sent twice: a second `keys.create` would make a second key."""
    decoder = FrameDecoder()
    try:
        keeper.sendall(encode("command", 1, {"name": name, "args": dict(args)}))
        while data := keeper.recv(65536):
            for frame in decoder.feed(data):
                if frame.kind == "reply" and frame.id == 1:
                    return _result(frame.payload)
    except (OSError, FrameError) as error:
        raise AdminError(
            f"the gateway did not answer the command properly ({error}); whether it was done: look with encke keys list"
        ) from None
    raise AdminError(
        "the gateway broke off before it answered; whether the command was done: look with encke keys list"
    )


def _result(payload: Any) -> Any:
    if isinstance(payload, dict) and isinstance(payload.get("error"), str):
        raise AdminError(payload["error"])
    if not isinstance(payload, dict) or "result" not in payload:
        raise FrameError("a reply has neither result nor error")
    return payload["result"]


@contextlib.contextmanager
def owned(paths: DataPaths, *, keeper: bool = True) -> Iterator[bool]:
    """Own the data folder for a while, if no gateway and no other command does: whether it worked. Makes the folder.

    The keeper's lock is taken too: a keeper whose supervisor was killed may still be writing its last entries. Without
    `keeper` it is not, for a supervisor, whose own keeper waits for that. Raises AdminError.
    """
    with contextlib.ExitStack() as held:
        try:
            paths.prepare()
            yielded = all(
                held.enter_context(_flock(path))
                for path in ((paths.lock, paths.keeper_lock) if keeper else (paths.lock,))
            )
        except OSError as error:
            raise AdminError(
                f"cannot use the data folder {paths.root}: {error.strerror or error}; check its owner and mode, "
                "or name another with ENCKE_DATA"
            ) from None
        yield yielded


@contextlib.contextmanager
def _flock(path: Path) -> Iterator[bool]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)
