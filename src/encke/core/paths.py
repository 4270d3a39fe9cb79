"""Names in the data folder. Nobody else spells them."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

# A Unix socket's path must fit `sun_path`: 108 bytes on Linux, 104 on macOS and the BSDs, the closing NUL counted.
SOCKET_PATH_MAX = 103


class DataPaths:
    """Where things are in one data folder (default `./encke-data`).

    `lock` is held (flock, exclusive) by whoever owns the folder: the supervisor, or a command while no gateway runs.
    `keeper_lock` is held by the process that writes the store. `run_json` tells where the running gateway listens.
    """

    __slots__ = ("root",)

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    @property
    def lock(self) -> Path:
        """Locked by the owner of the folder."""
        return self.root / "lock"

    @property
    def keeper_lock(self) -> Path:
        """Locked by the writer of the store."""
        return self.root / "keeper.lock"

    @property
    def keeper_sock(self) -> Path:
        """The keeper's Unix socket, 0600."""
        return self._socket("keeper.sock")

    @property
    def supervisor_sock(self) -> Path:
        """The supervisor's Unix socket, 0600: where `encke config reload` goes."""
        return self._socket("super.sock")

    def _socket(self, name: str) -> Path:
        """A folder whose path is too long for a socket has them in a private folder below the system's temporary one,
        named by a hash of the resolved path."""
        plain = self.root / name
        if len(os.fsencode(plain)) <= SOCKET_PATH_MAX:
            return plain
        digest = hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"encke-{os.getuid()}-{digest}" / name

    @property
    def pepper(self) -> Path:
        """32 random bytes, 0600: the key of the keys' digests, kept apart from the database."""
        return self.root / "pepper"

    @property
    def run_json(self) -> Path:
        """Written by the supervisor: `{"pid": …, "listen": "127.0.0.1:8080", …}`."""
        return self.root / "run.json"

    @property
    def journal(self) -> Path:
        """The workers' journal segments."""
        return self.root / "journal"

    @property
    def replies(self) -> Path:
        """Answers that are given again under an Idempotency-Key, a file each."""
        return self.root / "replies"

    @property
    def models(self) -> Path:
        """Weights of the embedded model."""
        return self.root / "models"

    @property
    def logs(self) -> Path:
        """Output of child processes."""
        return self.root / "logs"

    @property
    def db(self) -> Path:
        """The store, unless `store.url` names another file."""
        return self.root / "encke.db"

    def prepare(self) -> None:
        """Make the data folder (0700) and the socket's folder. Raises OSError; PermissionError if another user owns
        the socket's folder or may write to it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check_socket_folder(create=True)

    def check_socket_folder(self, *, create: bool = False) -> None:
        """Refuse a socket folder outside the data folder that is not ours alone: `/tmp` is open to everybody, and
        whoever makes the folder first could answer in the keeper's place."""
        folder = self.keeper_sock.parent
        if folder == self.root:
            return
        if create:
            folder.mkdir(mode=0o700, exist_ok=True)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(
                f"{folder} is not a folder of this user alone; remove it, or use a data folder with a shorter path"
            )


def flush(path: Path) -> None:
    """What stands in a file, or the names in a folder, to the disk: after a power cut a new file is of no use if its
    name is not there. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
