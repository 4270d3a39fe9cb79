"""The data folder: whose it is, on what disk, and what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from encke.config.settings import Config
from encke.core.paths import DataPaths
from encke.doctor.finding import Finding
from encke.keeper.keeper import FIRST_SEGMENTS
from encke.local.recipe import QWEN, WeightsError
from encke.local.weights import check_user_model
from encke.store.opening import check_sqlite, open_reader, quick_check
from encke.store.port import StoreError
from encke.store.trouble import plainly

MiB = 1 << 20
LITTLE_FREE = 1024 * MiB
CHECK_SECONDS = 60.0
# File systems of other machines: their locks and their memory maps cannot be relied on.
NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "fuse.sshfs",
    "fuse.s3fs",
)


def data_folder(config: Config, running: bool) -> Iterator[Finding]:
    """Owner, mode, space, file system."""
    root = config.data_dir
    if not root.exists():
        yield Finding("data", "note", f"{root} is not there yet; the first start makes it")
    elif not os.access(root, os.W_OK | os.X_OK):
        todo = "run as its owner, change the owner, or name another with ENCKE_DATA"
        yield Finding("data", "error", f"{root} cannot be written by this user", todo)
    else:
        found = root.stat()
        open_to = stat.S_IMODE(found.st_mode) & 0o077
        if open_to:
            todo = f"chmod 700 {root}"
            yield Finding("data", "warning", f"{root} is open to other users (mode {found.st_mode & 0o777:o})", todo)
        else:
            yield Finding("data", "ok", f"{root}, mode {found.st_mode & 0o777:o}")
    yield from _answers(DataPaths(root).replies)
    yield from _space(config, root, running)
    kind = file_system(root)
    if kind in NETWORK:
        todo = "put the data folder on a local disk: the database and the journals need one"
        yield Finding("disk", "warning", f"{root} is on a network file system ({kind})", todo)


def _answers(folder: Path) -> Iterator[Finding]:
    """Answers that are kept for Idempotency-Keys: the only words of anybody that lie on the disk."""
    try:
        with os.scandir(folder) as found:
            sizes = [entry.stat().st_size for entry in found]
    except OSError:
        return
    if sizes:
        text = f"{len(sizes)} answers are kept for Idempotency-Keys, {sum(sizes) / MiB:.1f} MiB, in {folder}"
        yield Finding("replies", "note", text, "idempotency.keep says for how long, 0 for not at all")


def _space(config: Config, root: Path, running: bool) -> Iterator[Finding]:
    place = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    need = 8 * MiB + (0 if running else config.server.workers * FIRST_SEGMENTS * config.store.journal_segment)
    if free < need:
        todo = "make room, or lower store.journal_segment or server.workers"
        yield Finding("disk", "error", f"{free // MiB} MiB are free, {need // MiB} MiB are needed", todo)
    elif free < need + LITTLE_FREE:
        yield Finding("disk", "warning", f"only {free // MiB} MiB are free", "make room before the database needs it")
    else:
        yield Finding("disk", "ok", f"{free // MiB} MiB are free ({file_system(root) or 'file system not known'})")


def file_system(path: Path) -> str:
    """The kind of file system a path is on, or will be; empty if nobody says."""
    wanted = str(path.resolve())
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            point = before.split()[4].encode().decode("unicode_escape")
            inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, kind = point, after.split()[0]
    return kind


def database(config: Config) -> Iterator[Finding]:
    """SQLite's version, and the whole file read once, read-only."""
    try:
        check_sqlite()
    except StoreError as error:
        yield Finding("database", "error", str(error), "pip install --upgrade apsw")
        return
    path = config.store_path
    if not path.exists():
        yield Finding("database", "note", f"SQLite {apsw.sqlite_lib_version()}; {path} is not there yet")
        return
    began = time.monotonic()
    try:
        with plainly(path):
            whole = _read_whole(path)
    except StoreError as error:
        yield Finding("database", "error", str(error), "stop the gateway and put the data folder back from a backup")
        return
    if whole:
        size, took = path.stat().st_size // MiB, time.monotonic() - began
        text = f"SQLite {apsw.sqlite_lib_version()}; {path} is whole ({size} MiB, {took:.1f} s)"
        yield Finding("database", "ok", text)
    else:
        yield Finding("database", "note", f"{path} was not read to its end within {CHECK_SECONDS:g} s; no fault so far")


def _read_whole(path: Path) -> bool:
    """Whether there was time to. Raises apsw.Error, StoreError."""
    db = open_reader(path)
    stop = threading.Timer(CHECK_SECONDS, db.interrupt)
    stop.start()
    try:
        quick_check(db, path)
    except apsw.InterruptError:
        return False
    finally:
        stop.cancel()
        stop.join()
        db.close()
    return True


def weights(config: Config) -> Iterator[Finding]:
    """The embedded model's file, read whole."""
    local = config.local
    if not local.enabled:
        yield Finding("model", "note", "the embedded model is switched off (local.enabled = false)")
        return
    if importlib.util.find_spec("xllamacpp") is None:
        todo = "pip install 'encke[local]', or set local.enabled = false"
        yield Finding("model", "warning", "the engine of the embedded model is not installed", todo)
    if local.model:
        try:
            check_user_model(Path(local.model))
        except WeightsError as error:
            yield Finding("model", "error", str(error))
        else:
            yield Finding("model", "ok", f"{local.model} is a GGUF file")
        return
    path = DataPaths(config.data_dir).models / QWEN.name
    if not path.exists():
        yield Finding("model", "note", f"the weights are not there yet; the next start fetches {QWEN.size // MiB} MiB")
    elif path.stat().st_size != QWEN.size or _sha256(path) != QWEN.sha256:
        yield Finding("model", "error", f"{path} is damaged", "delete it; the next start fetches it again")
    else:
        yield Finding("model", "ok", f"{path.name} is complete and verified")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
