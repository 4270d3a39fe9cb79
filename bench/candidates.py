"""What can stand between the load and the mock upstream: nothing, nginx, Encke. Other gateways are in peers.py.

A candidate says where it listens, which key and model its callers use, and which processes it consists of. To compare
with another gateway, add a class (a start command, a readiness path, a model id) and a line in `peers.PEERS`."""

from __future__ import annotations

import http.client
import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import procs

HERE = Path(__file__).resolve().parent
MODEL = "gpt-bench"


class StartError(Exception):
    """A candidate did not come up; the text holds the end of its log."""


class Candidate:
    """A gateway in front of the upstream. Subclasses give a name, a command, and what differs.

    `patience` is how many seconds it may take to start. `worker_word` marks, in a command line, the processes that
    answer callers; without one all do. What cannot keep pace says so: `lighter` has other options of the load for a
    case, `cannot` the cases that it cannot run at all, `most_idle` how many idle streams it is given at most."""

    name = ""
    ready_path = "/v1/models"
    model = MODEL
    patience = 60.0
    worker_word = ""
    lighter: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    cannot: ClassVar[frozenset[str]] = frozenset()
    most_idle = 1_000_000

    def __init__(self, folder: Path, upstream_port: int, upstream_key: str, core: int) -> None:
        self.folder = folder
        self.upstream_port = upstream_port
        self.upstream_key = upstream_key
        self.core = core
        self.port = procs.free_port()
        self.caller_key = f"sk-bench-{secrets.token_hex(24)}"
        self.log = folder / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Writes what the gateway needs into `folder` and returns the command that starts it."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The whole environment: nothing of the caller's gets in, so that no real provider key does."""
        return {"PATH": os.defpath, "HOME": str(self.folder), "LANG": "C.UTF-8"}

    @classmethod
    def version(cls) -> str:
        """What exactly is measured; empty if there is nothing to say."""
        return ""

    def start(self) -> float:
        """Starts it, waits until it is ready, pins it; returns the seconds from start to ready. Raises StartError."""
        self.folder.mkdir(parents=True)
        command = self.command()
        began = time.perf_counter()
        try:
            self.process = procs.start(command, self.core, self.log, self.environment())
        except OSError as e:
            raise StartError(f"{self.name} cannot be started: {e}") from e
        while not answers(self.port, self.ready_path):
            if self.process.poll() is not None or time.perf_counter() - began > self.patience:
                self.stop()
                raise StartError(f"{self.name} did not get ready: {' '.join(command)}\n{self.last_words()}")
            time.sleep(0.002)
        took = time.perf_counter() - began
        procs.pin(self.pids(), self.core)
        return took

    def stop(self) -> None:
        """Ends it and everything it started."""
        if self.process:
            procs.stop(self.process)
            self.process = None

    def pids(self) -> list[int]:
        """All its processes; none if there is no gateway."""
        return procs.tree(self.process.pid) if self.process else []

    def workers(self) -> list[int]:
        """The processes that answer callers."""
        return [pid for pid in self.pids() if self.worker_word in procs.command_line(pid)]

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


def answers(port: int, path: str) -> bool:
    """True if a GET of the path is answered with 200 now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Direct(Candidate):
    """No gateway: the load speaks to the upstream. It shows what is left when nothing is in between."""

    name = "direct"

    def start(self) -> float:
        """Nothing to start."""
        self.port, self.caller_key = self.upstream_port, self.upstream_key
        return 0.0


class Nginx(Candidate):
    """A plain keep-alive reverse proxy that replaces Authorization and does nothing else: the measure."""

    name = "nginx"
    worker_word = "worker process"

    @classmethod
    def version(cls) -> str:
        """As it says itself, on standard error."""
        return said([nginx_path() or "nginx", "-v"]).rpartition(" ")[2].replace("/", " ")

    def command(self) -> list[str]:
        """Fills in the template next to this file."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        filled = {
            "FILES": files,
            "CONNECTIONS": min(files, 20000) * 6 // 5,  # it closes waiting ones when the last sixteenth is used
            "FOLDER": self.folder,
            "USER": "user root;" if os.geteuid() == 0 else "",
            "PORT": self.port,
            "UPSTREAM": self.upstream_port,
            "KEY": self.upstream_key,
        }
        text = (HERE / "nginx.conf").read_text()
        for name, value in filled.items():
            text = text.replace(f"@{name}@", str(value))
        (self.folder / "nginx.conf").write_text(text)
        return [nginx_path() or "nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]


class Encke(Candidate):
    """The gateway as it is by default: keys, limits, ledger, access log all on; one worker, no embedded model."""

    name = "encke"
    ready_path = "/readyz"
    model = f"mock/{MODEL}"
    worker_word = "encke.run_worker"
    worker_count = 1
    dialect = "openai_chat"
    price = ""  # a line of the provider's table

    @classmethod
    def version(cls) -> str:
        """Encke's and the interpreter's, and whether the compiled data plane is used."""
        word = "import encke, encke.http.server as s, platform as p; print(encke.__version__, p.python_version(), "
        word += "'plain' if s.__file__.endswith('.py') else 'compiled')"
        version, python, kind = said([sys.executable, "-c", word]).split()
        return f"encke {version} ({kind}, CPython {python}, {cls.worker_count} worker{'s' * (cls.worker_count > 1)})"

    def command(self) -> list[str]:
        """Writes the configuration file."""
        config = self.folder / "encke.toml"
        config.write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\nworkers = {self.worker_count}\n\n'
            "[local]\nenabled = false\n\n"
            f'[log]\naccess = "{self.folder / "access.log"}"\n\n'
            f'[providers.mock]\ndialect = "{self.dialect}"\nallow_private = true\n'
            "max_connections = 20000\n"  # the idle streams are more than the default lets through to one provider
            f'base_url = "http://127.0.0.1:{self.upstream_port}/v1"\napi_key = "{self.upstream_key}"\n'
            f"{self.price}"
        )
        return [str(Path(sys.executable).parent / "encke"), "serve", "--config", str(config)]

    def environment(self) -> dict[str, str]:
        """A data folder of its own and a first key that we know."""
        return super().environment() | {
            "ENCKE_DATA": str(self.folder / "data"),
            "ENCKE_BOOTSTRAP_KEY": self.caller_key,
            # As `make serve` starts it: with the compiled data plane first, where there is one.
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }


class Translated(Encke):
    """The same where caller and provider speak different dialects, so that all is read into the hub and written anew:
    Mistral's wire is near enough to OpenAI's that the same mock upstream and the same load will do."""

    name = "encke-translated"
    dialect = "mistral_chat"


class TwoWorkers(Encke):
    """Encke with two workers, on the same core as the others: what sharing the calls costs."""

    name = "encke-2w"
    worker_count = 2


class Limited(Encke):
    """Encke with a price for the model, and a budget, requests and tokens per minute and concurrent calls for the key,
    its project and its organisation: what all that costs beside a key without any."""

    name = "encke-limited"
    price = 'price = { input = "1.25", output = "10" }\n'
    limits = ("--budget", "1000000/month", "--rpm", "100000000", "--tpm", "100000000000", "--concurrency", "10000")

    def start(self) -> float:
        """Makes them once it is there, and calls with that key."""
        took = super().start()
        self._command("orgs", "create", "acme", *self.limits)
        self._command("projects", "create", "web", "--org", "acme", *self.limits)
        self.caller_key = self._command("keys", "create", "--name", "app", "--project", "web", *self.limits)
        time.sleep(1)  # until every worker knows the key
        return took

    def _command(self, *words: str) -> str:
        command = [str(Path(sys.executable).parent / "encke"), *words]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(f"encke {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()


def nginx_path() -> str | None:
    """Where nginx is; sbin is not on every user's PATH."""
    places = [*os.get_exec_path(), "/usr/sbin", "/sbin", "/usr/local/sbin"]
    return next((f"{place}/nginx" for place in places if os.access(f"{place}/nginx", os.X_OK)), None)


def said(command: list[str]) -> str:
    """What a short command prints, on either output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=True)
    return done.stdout.strip()


CANDIDATES: dict[str, type[Candidate]] = {c.name: c for c in (Direct, Nginx, Encke, Translated)}
