"""What can stand between the load and the mock upstream. One class per candidate; `CANDIDATES` is the list.

A candidate says where it listens, which key and model its callers use, and which processes it consists of. To compare
with another gateway, add a class (a start command, a readiness path, a model id) and a line in `CANDIDATES`."""

from __future__ import annotations

import http.client
import os
import resource
import secrets
import subprocess
import sys
import time
from pathlib import Path

import procs

HERE = Path(__file__).resolve().parent
MODEL = "gpt-bench"


class StartError(Exception):
    """A candidate did not come up; the text holds the end of its log."""


class Candidate:
    """A gateway in front of the upstream. Subclasses give a name, a command, and what differs."""

    name = ""
    ready_path = "/v1/models"
    model = MODEL

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

    def start(self, patience: float = 60.0) -> float:
        """Starts it, waits until it is ready, pins it; returns the seconds from start to ready. Raises StartError."""
        self.folder.mkdir(parents=True)
        command = self.command()
        began = time.perf_counter()
        try:
            self.process = procs.start(command, self.core, self.log, self.environment())
        except OSError as e:
            raise StartError(f"{self.name} cannot be started: {e}") from e
        while not answers(self.port, self.ready_path):
            if self.process.poll() is not None or time.perf_counter() - began > patience:
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

    def start(self, patience: float = 60.0) -> float:
        """Nothing to start."""
        self.port, self.caller_key = self.upstream_port, self.upstream_key
        return 0.0


class Nginx(Candidate):
    """A plain keep-alive reverse proxy that replaces Authorization and does nothing else: the measure."""

    name = "nginx"

    def command(self) -> list[str]:
        """Fills in the template next to this file."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        filled = {
            "FILES": files,
            "CONNECTIONS": min(files, 20000),
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

    def command(self) -> list[str]:
        """Writes the configuration file."""
        config = self.folder / "encke.toml"
        config.write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\nworkers = 1\n\n'
            "[local]\nenabled = false\n\n"
            f'[log]\naccess = "{self.folder / "access.log"}"\n\n'
            '[providers.mock]\ndialect = "openai_chat"\nallow_private = true\n'
            "max_connections = 20000\n"  # the idle streams are more than the default lets through to one provider
            f'base_url = "http://127.0.0.1:{self.upstream_port}/v1"\napi_key = "{self.upstream_key}"\n'
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


def nginx_path() -> str | None:
    """Where nginx is; sbin is not on every user's PATH."""
    places = [*os.get_exec_path(), "/usr/sbin", "/sbin", "/usr/local/sbin"]
    return next((f"{place}/nginx" for place in places if os.access(f"{place}/nginx", os.X_OK)), None)


CANDIDATES: dict[str, type[Candidate]] = {c.name: c for c in (Direct, Nginx, Encke)}
