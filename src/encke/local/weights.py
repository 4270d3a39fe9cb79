"""Find the weights of the embedded model, verified: the user's file, ours, or ours fetched now."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from encke.local.fetch import Download, disk_full, fetch, is_disk_full
from encke.local.recipe import QWEN, Recipe, Say, WeightsError

_CHUNK = 1 << 20
_LOCK_POLL_SECONDS = 0.2
_SAY_BYTES = 200 << 20  # a slow disk reads this in a second or two


class _Stamp(msgspec.Struct, frozen=True):
    """Kept beside a verified file: while it matches, the file need not be read again."""

    size: int
    mtime_ns: int
    sha256: str


def find_weights(
    data_dir: Path, user_model: Path | None, say: Say, recipe: Recipe = QWEN, download: Download | None = None
) -> Path:
    """The path of a GGUF file that can be loaded.

    `user_model` (the setting local.model) is only checked, never fetched. Otherwise the file is
    `<data_dir>/models/<recipe.name>`, fetched if it is missing or damaged. May take minutes, and waits while
    another process fetches. Raises WeightsError.
    """
    if user_model is not None:
        return check_user_model(user_model)
    models = data_dir / "models"
    target = models / recipe.name
    try:
        if _stamped(target, recipe):
            return target
        models.mkdir(parents=True, exist_ok=True)
        with _alone(models / ".lock", say):
            if not (_stamped(target, recipe) or _verified(target, recipe, say)):
                fetch(recipe, models / ".parts", target, say, download)
                _stamp(target, recipe)
                say("The weights of the embedded model are complete and verified.")
    except OSError as error:
        raise WeightsError(_disk_trouble(models, error)) from error
    return target


def check_user_model(path: Path) -> Path:
    """The same path if it is a readable GGUF file. Raises WeightsError."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise WeightsError(
            f"local.model is {str(path)!r}, which cannot be read: {error.strerror}. Give the path of a GGUF file."
        ) from error
    if magic != b"GGUF":
        raise WeightsError(f"local.model is {str(path)!r}, not a GGUF file: it starts with {magic!r}, not b'GGUF'.")
    return path


def _stamp_path(target: Path) -> Path:
    return target.with_name(target.name + ".verified")


def _stamp(target: Path, recipe: Recipe) -> None:
    stat = target.stat()
    stamp = _Stamp(stat.st_size, stat.st_mtime_ns, recipe.sha256)
    _stamp_path(target).write_bytes(msgspec.json.encode(stamp))


def _stamped(target: Path, recipe: Recipe) -> bool:
    try:
        stamp = msgspec.json.decode(_stamp_path(target).read_bytes(), type=_Stamp)
        stat = target.stat()
    except (FileNotFoundError, msgspec.MsgspecError):
        return False
    return stamp == _Stamp(stat.st_size, stat.st_mtime_ns, recipe.sha256) and stat.st_size == recipe.size


def _verified(target: Path, recipe: Recipe, say: Say) -> bool:
    """Read the whole file if there is one: stamp it if it is right, delete it if it is not."""
    if not target.exists():
        return False
    found = _sha256(target, say) if target.stat().st_size == recipe.size else None
    if found == recipe.sha256:
        _stamp(target, recipe)
        return True
    what = f"its SHA-256 is {found}" if found else f"it has {target.stat().st_size} bytes instead of {recipe.size}"
    say(f"The weights in {target} are damaged ({what}); fetching them again.")
    target.unlink()
    return False


def _sha256(path: Path, say: Say) -> str:
    digest = hashlib.sha256()
    total = path.stat().st_size
    say(f"Checking the weights in {path}.")
    done = said = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if done - said >= _SAY_BYTES:
                said = done
                say(f"Checking the weights: {done * 100 // total} %.")
    return digest.hexdigest()


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[None]:
    """Hold the folder's lock; it vanishes with a killed process."""
    with path.open("w") as file:
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                say("Another process is fetching the weights of the embedded model; waiting for it.")
                told = True
            time.sleep(_LOCK_POLL_SECONDS)
        yield


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _disk_trouble(folder: Path, error: OSError) -> str:
    if is_disk_full(error):
        return disk_full(folder, "the disk became full")
    return (
        f"The weights of the embedded model cannot be kept in {folder}: {error.strerror or error}. "
        "Give this user write access to the data folder, or set local.model to the path of a GGUF file."
    )
