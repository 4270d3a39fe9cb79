"""The embedded model's engine, as the supervisor sees it: its weights, its process, whether it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from encke.children import unheard
from encke.compose import EngineAddress
from encke.config.settings import Local
from encke.core.paths import DataPaths
from encke.local.cpu import probe_cpu
from encke.local.recipe import WeightsError
from encke.local.settings import EngineError, EngineSettings, socket_path
from encke.local.spawn import new_api_key, probe, spawn
from encke.local.weights import find_weights
from encke.supervise.nursery import STEADY_SECONDS, Place, Process

ENGINE_SECONDS = 180.0
MOST_FAILURES = 3

Say = Callable[[str], None]


@dataclass(slots=True)
class Engine:
    """The embedded model's state: `settings` once there are weights, `problem` when it cannot run."""

    address: EngineAddress | None = None
    settings: EngineSettings | None = None
    problem: str | None = None
    ready: bool = False
    failures: int = 0
    fetching: threading.Thread | None = None
    since: float = field(default_factory=time.monotonic)


class EngineCare:
    """Prepares the engine in a thread and looks after it. `wake` is called from that thread when it is done."""

    def __init__(
        self,
        local: Local,
        paths: DataPaths,
        environ: Mapping[str, str],
        alive_fd: int,
        say: Say,
        wake: Callable[[], None],
    ) -> None:
        self.engine = Engine()
        self.place = Place("engine", self._start)
        self._local = local
        self._paths = paths
        self._environ = environ
        self._alive_fd = alive_fd
        self._say = say
        self._wake = wake

    def prepare(self) -> None:
        """Settle on an address, and go for the weights."""
        engine = self.engine
        if not self._local.enabled:
            engine.problem = "it is switched off (local.enabled = false)"
            return
        try:
            path = socket_path(self._paths.root)
        except EngineError as error:
            engine.problem = str(error)
            return
        engine.address = EngineAddress(str(path), new_api_key())
        engine.fetching = threading.Thread(target=self._fetch_weights, daemon=True)
        engine.fetching.start()

    def _fetch_weights(self) -> None:
        """In a thread, since it may take minutes: the gateway serves meanwhile."""
        engine, local = self.engine, self._local
        problem = probe_cpu()
        if problem is None:
            try:
                self._paths.logs.mkdir(mode=0o700, exist_ok=True)
                model = find_weights(self._paths.root, Path(local.model) if local.model else None, self._say)
                assert engine.address is not None
                engine.settings = EngineSettings(
                    model=str(model),
                    socket=engine.address.socket,
                    api_key=engine.address.api_key,
                    log=str(self._paths.logs / "engine.log"),
                    context=local.context,
                    slots=local.slots,
                    threads=local.threads,
                )
            except (WeightsError, OSError) as error:
                problem = str(error)
            except Exception as error:  # the gateway runs without its model, whatever happened to that
                problem = f"its weights could not be prepared: {type(error).__name__}: {error}"
        engine.problem = problem
        if engine.settings is not None:
            self._say("Loading the embedded model.")
            self.place.again_at = time.monotonic()
        self._wake()

    def _start(self, place: Place) -> Process:
        settings = self.engine.settings
        assert settings is not None
        self.engine.ready = False
        self.engine.since = time.monotonic()
        with unheard():
            return Process("engine", spawn(settings, self._alive_fd, self._environ))

    def ended(self, process: Process) -> None:
        """Its process is gone; after a few in a row it stays so."""
        engine = self.engine
        engine.ready = False
        engine.failures = 0 if process.lived > STEADY_SECONDS else engine.failures + 1
        if engine.failures >= MOST_FAILURES:
            engine.problem = (
                f"its engine ended {engine.failures} times (status {process.popen.returncode}); see "
                f"{self._paths.logs}/engine.log"
            )
            self.place.again_at = 0.0

    @property
    def loading(self) -> bool:
        """Whether its process runs and does not answer yet."""
        return not self.engine.ready and self.place.process is not None

    def look(self) -> bool:
        """Whether it has become ready just now."""
        engine = self.engine
        if engine.settings is None or not self.loading:
            return False
        if probe(engine.settings):
            engine.ready = True
            return True
        if engine.problem is None and time.monotonic() - engine.since > ENGINE_SECONDS:
            engine.problem = f"its engine is not ready after {ENGINE_SECONDS:g} s; see {self._paths.logs}/engine.log"
        return False

    def clean_up(self) -> None:
        """Nothing of it stays but its log."""
        if self.engine.address is not None:
            Path(self.engine.address.socket).unlink(missing_ok=True)
