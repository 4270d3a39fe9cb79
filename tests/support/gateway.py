"""The real gateway, started as users start it, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.accountant import conserved
from tests.support.canaries import canary
from tests.support.client import Client
from tests.support.evidence import EVIDENCE

KEY = f"sk-test-{canary('bootstrap_key')}"
ROLES = ("supervisor", "keeper", "worker", "engine")
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")


class Gateway:
    """`encke serve` on a free loopback port, ready when the constructor returns.

    `settings` is the configuration as nested dicts; `server.listen` is set unless given. `env` is added to a small
    environment. `folder` keeps configuration, log and data, so a second Gateway on the same folder is a restart.
    Raises AssertionError with the log when the gateway does not come up or leaves processes behind, or, stopped in
    order, a ledger that does not add up.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any] | None = None,
        *,
        env: dict[str, str] | None = None,
        key: str = KEY,
        ready_within: float = 60.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.key = key
        self.data = folder / "data"
        self.config = folder / "encke.toml"
        self._log = folder / "gateway.log"
        given = settings or {}
        self.store = self.data / str(given.get("store", {}).get("url", "sqlite:encke.db")).partition(":")[2]
        self.write_config({**given, "server": {"listen": "127.0.0.1:0", **given.get("server", {})}})
        (self.data / "run.json").unlink(missing_ok=True)
        self.process = self._start(env or {})
        try:
            self.wait_for(self._ready, ready_within, "GET /readyz did not answer 200")
            EVIDENCE.processes(self.processes(), self.process.pid)
        except BaseException:
            self._end_all()
            raise

    def _start(self, env: dict[str, str]) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own = {"ENCKE_DATA": str(self.data), "ENCKE_BOOTSTRAP_KEY": self.key, "PYTHONUNBUFFERED": "1"}
        own["SOME_SECRET"] = canary("environment")
        command = [sys.executable, "-m", "encke", "serve", "--config", str(self.config)]
        # A session of its own marks every process of this gateway, whoever their parent comes to be.
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                env={**kept, **own, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    # what it is

    @property
    def run(self) -> dict[str, Any]:
        """What the supervisor wrote about itself; empty while there is nothing."""
        try:
            found: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found

    @property
    def port(self) -> int:
        return int(self.run["listen"].rpartition(":")[2])

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given as its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def log(self) -> str:
        """Standard output and error so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def pids(self, role: str) -> list[int]:
        """The process ids of a role (`ROLES`); empty if there is none."""
        found = self.run.get("workers" if role == "worker" else role)
        return [found] if isinstance(found, int) else list(found or [])

    def client(self, **more: Any) -> Client:
        """A new raw connection to it."""
        return Client(self.port, **more)

    def chat(self, body: dict[str, Any], **more: Any) -> Any:
        """One chat completion over a connection of its own; the Response."""
        with self.client(**more) as client:
            return client.call("POST", "/v1/chat/completions", body, key=self.key)

    # what is done to it

    def write_config(self, settings: dict[str, Any]) -> None:
        """Replace the configuration file, at one stroke (a running gateway has to be told to reload it)."""
        new = self.config.with_suffix(".new")
        new.write_text(to_toml(settings), "utf-8")
        new.replace(self.config)

    def kill(self, role: str, index: int = 0, number: int = signal.SIGKILL) -> int:
        """Send a signal to the process of a role; returns its id."""
        pid = self.pids(role)[index]
        os.kill(pid, number)
        return pid

    def replace(self, role: str, index: int = 0) -> None:
        """SIGKILL to the process of a role, and return when another is in its place."""
        killed = self.kill(role, index)
        self.wait_for(lambda: {killed, None}.isdisjoint(self.pids(role)) and self.run, 60, f"no new {role}")

    def kill_all(self) -> None:
        """SIGKILL to every process at once, as when the machine is switched off; only the disk is left."""
        self._end_all()

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM, then the exit status once every process of the gateway is gone. Stopping twice does nothing."""
        if self.process.poll() is None:
            EVIDENCE.processes(self.processes(), self.process.pid)
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
            self.wait_for(lambda: not self.processes(), 30, "processes were left behind")
        except (subprocess.TimeoutExpired, AssertionError) as error:
            left = self.processes()
            self._end_all()
            problem = f"the gateway did not stop in order: {error}; left: {left}"
            raise AssertionError(f"{problem}\n{self.log[-4000:]}") from None
        problems = conserved(self.store, rest=True) if self.store.exists() else []
        assert not problems, f"the ledger does not add up: {problems[:5]}\n{self.log[-2000:]}"
        return status

    def wait_for(self, condition: Callable[[], object], seconds: float, problem: str) -> None:
        """Return once `condition()` is true; else AssertionError with `problem` and the log's end."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{problem} within {seconds} s; the log ends:\n{self.log[-4000:]}"
            time.sleep(0.02)

    def processes(self) -> dict[int, str]:
        """Every living process of this gateway, by id, with its command line."""
        return session_processes(self.process.pid)

    def _ready(self) -> bool:
        assert self.process.poll() is None, f"encke serve ended with {self.process.returncode}:\n{self.log[-4000:]}"
        if "listen" not in self.run:
            return False
        try:
            with self.client(timeout=2) as client:
                return client.call("GET", "/readyz").status == 200
        except (ConnectionError, TimeoutError):
            return False

    def _end_all(self) -> None:
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.poll()
            time.sleep(0.01)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # A failed test shall be reported as itself, not as what it did to the gateway.
        if kind is not None or self.process.returncode is not None:
            self._end_all()
        else:
            self.stop()


def session_processes(session: int) -> dict[int, str]:
    """Every living process of a session, by id, with its command line."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _parent, _group, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def lab(url: str, **more: Any) -> dict[str, Any]:
    """Settings with one provider, `lab`, at a fake upstream: models are `lab/anything`."""
    key = f"sk-upstream-{canary('provider_key')}"
    provider = {"dialect": "openai_chat", "base_url": f"{url}/v1", "api_key": key, "allow_private": True}
    return {"providers": {"lab": {**provider, **more}}}


def to_toml(settings: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """Nested dicts as TOML; lists may hold dicts (written inline)."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    lines = [f"[{'.'.join(json.dumps(part) for part in path)}]"] if path else []
    lines += [f"{json.dumps(name)} = {_value(value)}" for name, value in plain.items()]
    tables = [to_toml(value, (*path, name)) for name, value in settings.items() if isinstance(value, dict)]
    return "\n".join([*lines, *tables, ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
