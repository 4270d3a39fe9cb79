"""The supervisor: takes the data folder, owns the listening sockets, starts the other processes and starts them again.

It does nothing else, so that it has nothing to die of. Children hold a pipe to it: when it is gone they end by
themselves.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from encke.children import KeeperBoot, WorkerBoot, child_environ, log, unheard, write_boot
from encke.compose import Composition, EngineAddress
from encke.config.wire import encode_config
from encke.core.paths import DataPaths
from encke.local.cpu import probe_cpu
from encke.local.recipe import WeightsError
from encke.local.settings import EngineError, EngineSettings, socket_path
from encke.local.spawn import new_api_key, probe, spawn
from encke.local.weights import find_weights

RESTART_FIRST = 0.05
RESTART_LAST = 2.0
STEADY_SECONDS = 10.0
KILL_AFTER = 8.0  # beyond the time of grace
ENGINE_SECONDS = 180.0
PATIENCE_SECONDS = 3.0  # after which a person wants to know what is being waited for

Say = Callable[[str], None]


@dataclass(slots=True)
class Child:
    """One child's place. The process in it changes when it dies; the place, with its socket, stays."""

    role: str
    start: Callable[[Child], subprocess.Popen[bytes]]
    listener: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    ready_fd: int = -1
    ready: bool = False
    started: float = 0.0
    again_at: float = 0.0
    delay: float = RESTART_FIRST


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


class Supervisor:
    """Runs a gateway until it is told to stop. `on_ready` is called when everything is ready, and before that once if
    calls are answered and only the embedded model is still to come.
    """

    def __init__(
        self,
        made: Composition,
        environ: Mapping[str, str],
        listeners: list[socket.socket],
        say: Say,
        on_ready: Callable[[Engine], None],
    ) -> None:
        self._made = made
        self._environ = child_environ(environ)
        self._listeners = listeners
        host, port = listeners[0].getsockname()[:2]
        self._listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._say = say
        self._on_ready = on_ready
        self._paths = DataPaths(made.config.data_dir)
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._alive_read, self._alive_write = os.pipe2(os.O_CLOEXEC)
        self._config = encode_config(made.config)
        self._epoch = time.time_ns() // 1_000_000 << 12
        self._stopping = 0
        self._stop_at = 0.0
        self._began = time.monotonic()
        self._told = self._told_early = self._told_waiting = False
        self._engine = Engine()
        self._engine_child = Child("engine", self._start_engine)
        self._keeper = Child("keeper", self._start_keeper)
        self._workers = [Child("worker", self._start_worker, listener) for listener in listeners]

    # The life of the process.

    def run(self) -> int:
        """Until SIGINT or SIGTERM; the exit status."""
        # A core would hold keys and prompts; children inherit it. (Debuggers and profilers still work: whoever is this
        # user can read the keys where they lie anyway.)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._told_to_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._prepare_engine()
        self._spawn(self._keeper)
        for worker in self._workers:
            self._spawn(worker)
        self._write_run_json()
        try:
            while not self._stopping:
                self._wait(self._next_timer())
                self._reap()
                self._restart()
                self._look_at_engine()
                self._tell_when_ready()
            self._shut_down()
        finally:
            self._clean_up()
        return 0

    def _told_to_stop(self, number: int, frame: object) -> None:
        self._stopping += 1

    def _woken(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass

    def _wait(self, seconds: float) -> None:
        for key, _ in self._selector.select(max(seconds, 0.0)):
            key.data()

    def _next_timer(self) -> float:
        now = time.monotonic()
        due = [child.again_at - now for child in self._children if child.process is None and child.again_at]
        if not self._told or (not self._engine.ready and self._engine_child.process is not None):
            due.append(0.1)
        return min(due, default=60.0)

    @property
    def _children(self) -> list[Child]:
        return [self._keeper, *self._workers, self._engine_child]

    # Children.

    def _spawn(self, child: Child) -> None:
        child.again_at = 0.0
        child.started = time.monotonic()
        child.ready = False
        with unheard():
            child.process = child.start(child)

    def _start_keeper(self, child: Child) -> subprocess.Popen[bytes]:
        return self._run(child, "encke.run_keeper", lambda ready: KeeperBoot(self._config, self._alive_read, ready))

    def _start_worker(self, child: Child) -> subprocess.Popen[bytes]:
        listener = child.listener
        assert listener is not None
        self._epoch += 1
        keys = {name: secret.reveal() for name, secret in self._made.environment.provider_keys.items()}
        return self._run(
            child,
            "encke.run_worker",
            lambda ready: WorkerBoot(
                self._config, keys, self._epoch, listener.fileno(), self._alive_read, ready, self._engine.address
            ),
            listener.fileno(),
        )

    def _run(self, child: Child, module: str, make_boot: Callable[[int], object], *fds: int) -> subprocess.Popen[bytes]:
        ready_read, ready_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        boot_fd = write_boot(make_boot(ready_write))
        try:
            process = subprocess.Popen(
                # -P: what lies in the current folder is not imported in place of what is installed.
                [sys.executable, "-P", "-m", module, str(boot_fd)],
                stdin=subprocess.DEVNULL,
                env=self._environ,
                pass_fds=(boot_fd, self._alive_read, ready_write, *fds),
            )
        finally:
            os.close(boot_fd)
            os.close(ready_write)
        self._forget_ready(child)
        child.ready_fd = ready_read
        self._selector.register(ready_read, selectors.EVENT_READ, lambda: self._child_ready(child))
        return process

    def _child_ready(self, child: Child) -> None:
        try:
            said = os.read(child.ready_fd, 16)
        except BlockingIOError:
            return
        self._forget_ready(child)
        child.ready = bool(said)

    def _forget_ready(self, child: Child) -> None:
        if child.ready_fd >= 0:
            self._selector.unregister(child.ready_fd)
            os.close(child.ready_fd)
            child.ready_fd = -1

    def _reap(self) -> None:
        for child in self._children:
            process = child.process
            if process is None or process.poll() is None:
                continue
            child.process = None
            child.ready = False
            lived = time.monotonic() - child.started
            child.delay = RESTART_FIRST if lived > STEADY_SECONDS else min(child.delay * 2, RESTART_LAST)
            child.again_at = time.monotonic() + child.delay
            if not self._stopping:
                log(
                    "child_ended",
                    {"child": child.role, "pid_ended": process.pid, "status": process.returncode},
                    "supervisor",
                )
            if child is self._engine_child:
                self._engine_ended(process.returncode, lived)
            self._write_run_json()

    def _restart(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None and child.again_at and child.again_at <= now:
                self._spawn(child)
                self._write_run_json()

    # The embedded model.

    def _prepare_engine(self) -> None:
        engine, local = self._engine, self._made.config.local
        if not local.enabled:
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
        engine, local = self._engine, self._made.config.local
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
            self._engine_child.again_at = time.monotonic()
        os.write(self._wake_write, b"w")

    def _start_engine(self, child: Child) -> subprocess.Popen[bytes]:
        settings = self._engine.settings
        assert settings is not None
        self._engine.ready = False
        self._engine.since = time.monotonic()
        return spawn(settings, self._alive_read, self._environ)

    def _engine_ended(self, status: int, lived: float) -> None:
        engine = self._engine
        engine.ready = False
        engine.failures = 0 if lived > STEADY_SECONDS else engine.failures + 1
        if engine.failures >= 3:
            engine.problem = (
                f"its engine ended {engine.failures} times (status {status}); see {self._paths.logs}/engine.log"
            )
            self._engine_child.again_at = 0.0

    def _look_at_engine(self) -> None:
        engine = self._engine
        if engine.ready or engine.settings is None or self._engine_child.process is None:
            return
        if probe(engine.settings):
            engine.ready = True
            self._write_run_json()
        elif engine.problem is None and time.monotonic() - engine.since > ENGINE_SECONDS:
            engine.problem = f"its engine is not ready after {ENGINE_SECONDS:g} s; see {self._paths.logs}/engine.log"

    # Telling.

    def _tell_when_ready(self) -> None:
        if self._told:
            return
        waited = time.monotonic() - self._began
        if not self._keeper.ready:
            if waited > PATIENCE_SECONDS and not self._told_waiting:
                self._told_waiting = True
                self._say("Waiting for an earlier gateway on this data folder to finish its calls.")
            return
        if not all(worker.ready for worker in self._workers):
            return
        if self._engine.ready or self._engine.problem is not None:
            self._told = True
            self._on_ready(self._engine)
        elif waited > PATIENCE_SECONDS and not self._told_early:
            # The weights may take minutes; the gateway does not wait for them.
            self._told_early = True
            self._on_ready(self._engine)

    def _write_run_json(self) -> None:
        """Who runs, for commands and tests; written aside and renamed, so that nobody reads half of it."""
        state = {
            "supervisor": os.getpid(),
            "keeper": self._pid(self._keeper),
            "workers": [self._pid(worker) for worker in self._workers],
            "engine": self._pid(self._engine_child) if self._engine.ready else None,
            "listen": self._listen,
        }
        part = self._paths.run_json.with_suffix(".new")
        try:
            part.write_bytes(msgspec.json.encode(state))
            os.rename(part, self._paths.run_json)
        except OSError as error:
            log("run_json_not_written", {"reason": str(error.strerror)}, "supervisor")

    @staticmethod
    def _pid(child: Child) -> int | None:
        return child.process.pid if child.process is not None else None

    # The end.

    def _shut_down(self) -> None:
        """Workers finish their calls, the keeper ships what they wrote, then all is over."""
        grace = self._made.config.server.grace
        self._say(f"Stopping; open calls have up to {grace:g} s to finish (once more to stop at once).")
        self._stop_at = time.monotonic() + grace + KILL_AFTER
        for listener in self._listeners:
            listener.close()
        self._end(self._workers)
        self._end([self._keeper, self._engine_child])

    def _end(self, children: list[Child]) -> None:
        for child in children:
            if child.process is not None:
                child.process.terminate()
        while any(child.process is not None for child in children):
            if self._stopping > 1 or time.monotonic() > self._stop_at:
                for child in children:
                    if child.process is not None:
                        child.process.kill()
            self._wait(0.05)
            self._reap()

    def _clean_up(self) -> None:
        for child in self._children:
            if child.process is not None:
                child.process.kill()
                child.process.wait()
        signal.set_wakeup_fd(-1)
        self._paths.run_json.unlink(missing_ok=True)
        if self._engine.address is not None:
            Path(self._engine.address.socket).unlink(missing_ok=True)
