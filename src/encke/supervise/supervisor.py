"""The supervisor's loop."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from encke import __version__
from encke.admin.frames import Frame
from encke.children import KeeperBoot, WorkerBoot, child_environ, log, use_log
from encke.compose import Composition, Recomposition
from encke.config.changes import flatten, shown
from encke.core.addresses import is_loopback
from encke.core.paths import DataPaths
from encke.supervise.board import COMPILED, Board
from encke.supervise.control import Answer, Control
from encke.supervise.doom import Doom
from encke.supervise.engine import Engine, EngineCare, Say
from encke.supervise.fleet import Fleet
from encke.supervise.nursery import Nursery, Place, Process
from encke.supervise.reload import Reload
from encke.supervise.rolling import Rolling
from encke.telemetry.metrics import Values, labels

KILL_AFTER = 8.0  # beyond the time of grace
KEEPER_SECONDS = 5.0  # for the keeper to settle what was under way when all had to end at once
MEASURE_SECONDS = 5.0
MOST_DESCRIPTORS = 1 << 20
PATIENCE_SECONDS = 3.0  # after which a person wants to know what is being waited for
STOPPING = "the gateway is stopping"


def tell(event: str, fields: Mapping[str, object]) -> None:
    """A line of the process log."""
    log(event, fields, "supervisor")


def _nobody(answer: Mapping[str, Any]) -> None:
    """A signal's answer: the log has it."""


class Supervisor:
    """Runs a gateway until it is told to stop. `on_ready` is called when everything is ready, and before that once if
    calls are answered and only the embedded model is still to come. `recompose` reads the settings again. `operators`
    is the socket of their own address, None if it is off or they share that of everybody.
    """

    def __init__(
        self,
        made: Composition,
        environ: Mapping[str, str],
        listeners: list[socket.socket],
        operators: socket.socket | None,
        say: Say,
        on_ready: Callable[[Engine], None],
        recompose: Callable[[Composition], Recomposition],
    ) -> None:
        self._listeners = listeners
        self._listen = _address(listeners[0])
        self._operators = operators
        self._shared = is_loopback(self._listen)
        self._board = Board(4 * len(listeners) + 4)
        self._restarts: Counter[str] = Counter(worker=0, keeper=0, engine=0)
        self._say = say
        self._on_ready = on_ready
        self._paths = DataPaths(made.config.data_dir)
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        children = child_environ(environ)
        self._nursery = Nursery(self._selector, children, self._replied)
        self._engine = EngineCare(
            made.config.local, self._paths, children, self._nursery.alive_read, say, self._wake_up
        )
        self._doom = Doom(made.environment.crash_points)
        self._keeper = Place("keeper", self._start_keeper)
        self._fleet = Fleet([Place("worker", self._start_worker, listener) for listener in listeners])
        self._reload = Reload(made, self._fleet, recompose, tell, self._settings_changed)
        use_log(made.config)
        self._rolling = Rolling(self._fleet, self._start_worker, tell, self._write_run_json)
        self._control: Control | None = None
        self._epoch = time.time_ns() // 1_000_000 << 12
        self._signals: deque[int] = deque()
        self._terminal = False
        self._stopping = 0
        self._stop_at = 0.0
        self._began = time.monotonic()
        self._told = self._told_early = self._told_waiting = False

    # The life of the process.

    def run(self, starting: str) -> int:
        """Until SIGINT or SIGTERM; the exit status. `starting` is said once a signal would be heeded."""
        # A core would hold keys and prompts; children inherit it. (Debuggers and profilers still work: whoever is this
        # user can read the keys where they lie anyway.)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Every connection is a descriptor: all that may be had, for the children too.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MOST_DESCRIPTORS)), hard))
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        # Who is told to heed no hang-up (nohup) does not end with its terminal.
        self._terminal = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and has_terminal()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, lambda number, frame: self._signals.append(number))
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._say(starting)
        try:
            self._control = Control(self._paths.supervisor_sock, self._selector, self._obey)
        except OSError as error:
            tell("control_not_made", {"reason": str(error.strerror or error)})
        try:
            self._engine.prepare()
            for place in (self._keeper, *self._fleet.places):
                self._spawn(place)
                self._doom.here(f"supervisor.{place.role}_started")
            self._write_run_json()
            while not self._stopping:
                self._wait(self._next_timer())
                self._heed_signals()
                self._reap()
                self._restart()
                now = time.monotonic()
                self._reload.tick(now)
                self._rolling.tick(now)
                if self._engine.look():
                    self._write_run_json()
                self._tell_when_ready()
                self._measure()
            self._shut_down()
        finally:
            self._clean_up()
        return 0

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number in (signal.SIGINT, signal.SIGTERM):
                self._stopping += 1
            elif number == signal.SIGHUP and self._terminal and not has_terminal():
                self._terminal = False
                self._stopping += 1  # not a wish: the terminal has been closed
            elif number == signal.SIGHUP:
                self._obey("config.reload", {}, _nobody)
            else:
                self._obey("workers.restart", {}, _nobody)

    def _wake_up(self) -> None:
        os.write(self._wake_write, b"w")

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
        due = [place.again_at - now for place in self._places if place.process is None and place.again_at]
        due += [at - now for at in (self._reload.deadline, self._rolling.deadline) if at is not None]
        if not self._told or self._engine.loading:
            due.append(0.1)
        return min(due, default=MEASURE_SECONDS)

    @property
    def _places(self) -> list[Place]:
        return [self._keeper, *self._fleet.places, self._engine.place]

    def _settings_changed(self) -> None:
        use_log(self._reload.now.made.config)
        self._write_run_json()

    # What it is asked for.

    def _obey(self, name: str, args: Mapping[str, Any], answer: Answer) -> None:
        if self._stopping:
            answer({"error": STOPPING})
        elif name == "config.reload":
            self._reload.ask(answer)
        elif name == "config.plan":
            answer(self._reload.plan())
        elif name == "config.show":
            answer({"result": self._show()})
        elif name == "workers.restart":
            self._rolling.ask(answer)
        elif name == "status":
            answer({"result": self._state()})
        else:
            answer({"error": f"there is no command {name}; is the gateway of the same version as this program?"})

    def _replied(self, process: Process, frame: Frame) -> None:
        self._reload.replied(process, frame.id, frame.payload)

    def _show(self) -> dict[str, Any]:
        config = self._reload.now.made.config
        return {
            "path": str(config.path) if config.path is not None else None,
            "data": str(config.data_dir),
            "generation": self._reload.now.generation,
            "settings": {name: shown(value) for name, value in flatten(config).items()},
        }

    # Children.

    def _spawn(self, place: Place) -> None:
        place.again_at = 0.0
        try:
            place.process = place.start(place)
        except OSError as error:  # no more processes, or no more descriptors: it may be otherwise in a moment
            tell("child_not_started", {"child": place.role, "reason": str(error.strerror or error)})
            place.again_at = time.monotonic() + place.delay

    def _start_keeper(self, place: Place) -> Process:
        config, alive, pages = self._reload.now.config, self._nursery.alive_read, self._board.fd
        page, crash = self._board.take(), self._doom.next("keeper")
        return self._paged(
            page,
            lambda: self._nursery.start(
                "keeper",
                "encke.run_keeper",
                lambda ready, _: KeeperBoot(config, alive, ready, pages, page, crash),
                pages,
            ),
        )

    def _start_worker(self, place: Place) -> Process:
        assert place.listener is not None
        self._epoch += 1
        now, engine, page = self._reload.now, self._engine.engine.address, self._board.take()
        fd, pages, alive = place.listener.fileno(), self._board.fd, self._nursery.alive_read
        crash = self._doom.next("worker")
        admin = self._operators.fileno() if self._operators is not None else -1

        def boot(ready: int, control: int) -> WorkerBoot:
            return WorkerBoot(
                config=now.config,
                provider_keys=now.provider_keys,
                epoch=self._epoch,
                listen_fd=fd,
                alive_fd=alive,
                ready_fd=ready,
                control_fd=control,
                engine=engine,
                generation=now.generation,
                admin_fd=admin,
                metrics=self._shared,
                pages_fd=pages,
                page=page,
                crash=crash,
            )

        fds = [one for one in (fd, pages, admin) if one >= 0]
        return self._paged(page, lambda: self._nursery.start("worker", "encke.run_worker", boot, *fds, orders=True))

    def _paged(self, page: int, start: Callable[[], Process]) -> Process:
        """Start a process that has a page. Raises OSError."""
        try:
            process = start()
        except OSError:
            self._board.give_back(page)
            raise
        process.page = page
        return process

    def _reap(self) -> None:
        for process in self._processes():
            if process.popen.poll() is None:
                continue
            retired = process in self._fleet.retired
            self._nursery.forget(process)
            self._rolling.gone(process)
            self._fleet.gone(process)
            self._reload.gone(process)
            for place in (self._keeper, self._engine.place):
                if place.process is process:
                    place.ended(process)
            if process.role == "engine":
                self._engine.ended(process)
            self._board.give_back(process.page)
            self._restarts[process.role] += not retired and not self._stopping
            if not self._stopping:
                event = "worker_retired" if retired else "child_ended"
                tell(event, {"child": process.role, "pid_ended": process.pid, "status": process.popen.returncode})
            self._write_run_json()

    def _processes(self) -> list[Process]:
        others = [place.process for place in (self._keeper, self._engine.place) if place.process is not None]
        return [*others, *self._fleet.processes()]

    def _restart(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.process is None and place.again_at and place.again_at <= now:
                self._doom.here("supervisor.restarting")
                self._spawn(place)
                self._write_run_json()

    # Telling.

    def _tell_when_ready(self) -> None:
        if self._told:
            return
        waited = time.monotonic() - self._began
        if self._keeper.process is None or not self._keeper.process.ready:
            if waited > PATIENCE_SECONDS and not self._told_waiting:
                self._told_waiting = True
                self._say("Waiting for an earlier gateway on this data folder to finish its calls.")
            return
        if not self._fleet.all_ready:
            return
        engine = self._engine.engine
        if engine.ready or engine.problem is not None:
            self._told = True
            self._on_ready(engine)
        elif waited > PATIENCE_SECONDS and not self._told_early:
            # The weights may take minutes; the gateway does not wait for them.
            self._told_early = True
            self._on_ready(engine)

    def _measure(self) -> None:
        """What the supervisor has to tell Prometheus."""
        reload, engine = self._reload, self._engine
        workers = Counter("ready" if process.ready else "starting" for process in self._fleet.processes())
        retiring = sum(process.ready for process in self._fleet.retired)
        workers["ready"] -= retiring
        states = {("worker", "retiring"): retiring, **{("worker", state): count for state, count in workers.items()}}
        states["keeper", "ready"] = int(self._keeper.process is not None and self._keeper.process.ready)
        states["engine", "ready"] = int(engine.engine.ready)
        counters: dict[str, Values] = {
            "encke_config_reloads_total": {labels(result=name): count for name, count in reload.counts.items()},
            "encke_process_restarts_total": {labels(role=role): count for role, count in self._restarts.items()},
        }
        gauges: dict[str, Values] = {
            "encke_config_generation": {"": reload.now.generation},
            "encke_config_loaded_time_seconds": {"": round(reload.last_at, 3)},
            "encke_stopping": {"": int(self._stopping > 0)},
            "encke_processes": {labels(role=role, state=state): n for (role, state), n in states.items()},
        }
        self._board.write(counters, gauges, _pid(engine.place))

    def _state(self) -> dict[str, Any]:
        engine = self._engine
        return {
            "version": __version__,
            "compiled": COMPILED == "yes",
            "supervisor": os.getpid(),
            "keeper": _pid(self._keeper),
            "workers": [_pid(place) for place in self._fleet.places],
            "retiring": [process.pid for process in self._fleet.retired],
            "engine": _pid(engine.place) if engine.engine.ready else None,
            "listen": self._listen,
            "operators": _address(self._operators) if self._operators is not None else None,
            "generation": self._reload.now.generation,
            "stopping": bool(self._stopping),
        }

    def _write_run_json(self) -> None:
        """Who runs, for commands and tests; written aside and renamed, so that nobody reads half of it."""
        part = self._paths.run_json.with_suffix(".new")
        try:
            part.write_bytes(msgspec.json.encode(self._state()))
            os.rename(part, self._paths.run_json)
        except OSError as error:
            tell("run_json_not_written", {"reason": str(error.strerror)})

    # The end.

    def _shut_down(self) -> None:
        """Workers finish their calls, the keeper ships what they wrote, then all is over."""
        grace = self._reload.now.made.config.server.grace
        self._say(f"Stopping; open calls have up to {grace:g} s to finish (once more to stop at once).")
        tell("stopping", {"grace": grace})
        self._reload.refuse_all(STOPPING)
        self._rolling.refuse_all(STOPPING)
        self._stop_at = time.monotonic() + grace + KILL_AFTER
        self._write_run_json()
        for listener in self._listeners:
            listener.close()
        if self._operators is not None:
            self._operators.close()
        self._measure()
        self._end(lambda: list(self._fleet.processes()))
        # Told to end at once, the keeper still settles what the workers had under way: that takes no time.
        self._stop_at = time.monotonic() + (KEEPER_SECONDS if self._stopping > 1 else KILL_AFTER)
        self._end(self._processes, at_once=self._stopping + 1 if self._stopping > 1 else 2)
        tell("stopped", {})

    def _end(self, left: Callable[[], list[Process]], at_once: int = 2) -> None:
        """End processes: in order, or, told `at_once` times or when it is late, by force."""
        for process in left():
            process.popen.terminate()
        while left():
            if self._stopping >= at_once or time.monotonic() > self._stop_at:
                for process in left():
                    process.popen.kill()
            self._wait(0.05)
            self._heed_signals()
            self._reap()

    def _clean_up(self) -> None:
        for process in self._processes():
            process.popen.kill()
            process.popen.wait()
        if self._control is not None:
            self._control.close()
        signal.set_wakeup_fd(-1)
        self._paths.run_json.unlink(missing_ok=True)
        self._engine.clean_up()


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _pid(place: Place) -> int | None:
    return place.process.pid if place.process is not None else None


def has_terminal() -> bool:
    """Whether this process has a terminal that would take it along when it is closed."""
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
