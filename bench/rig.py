"""The two C programs of the bench: built when the source is newer, started, asked, believed only if they agree."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import IO, Any

import procs
from candidates import Candidate, answers

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"


class BenchError(Exception):
    """The run is worth nothing: a wrong or missing answer, or counts that do not agree."""


class MissingTool(Exception):
    """A program that the machine lacks; the text names the Debian package."""


def build() -> None:
    """Compiles upstream.c and load.c into build/ (not committed). Raises MissingTool, BenchError."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise MissingTool("a C compiler (cc) is needed; on Debian: apt install gcc libc6-dev")
    BUILD.mkdir(exist_ok=True)
    newest = max(path.stat().st_mtime for path in (*HERE.glob("*.c"), *HERE.glob("*.h")))
    for name in ("upstream", "load"):
        binary = BUILD / name
        if binary.exists() and binary.stat().st_mtime > newest:
            continue
        command = [compiler, "-O2", "-Wall", "-o", str(binary), str(HERE / f"{name}.c")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"{' '.join(command)} failed:\n{done.stderr}")


class Upstream:
    """The mock upstream, running on the core of the load."""

    def __init__(self, folder: Path, core: int) -> None:
        self.port = procs.free_port()
        self.key = f"upstream-{secrets.token_hex(16)}"
        self.log = folder / "upstream.txt"
        self.process = procs.start([str(BUILD / "upstream"), str(self.port), self.key], core, self.log)
        until = time.monotonic() + 5
        while not answers(self.port, "/v1/models"):
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise BenchError(f"the mock upstream did not start: {self.log.read_text(errors='replace')}")
            time.sleep(0.01)

    def counters(self) -> dict[str, int]:
        """What it has served so far: connections, requests, streams, chunks, refused, aborted."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=5) as answer:
            counted: dict[str, int] = json.load(answer)
        return counted

    def stop(self) -> None:
        """Ends it."""
        procs.stop(self.process)


def _load(candidate: Candidate, body: bytes, core: int, options: dict[str, Any]) -> subprocess.Popen[bytes]:
    path = candidate.folder.parent / f"{candidate.name}.body"
    path.write_bytes(body)
    words = {"port": candidate.port, "key": candidate.caller_key, "body": path, **options}
    return subprocess.Popen(
        [str(BUILD / "load"), *(f"{name}={value}" for name, value in words.items())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, procs.affinity(core)),
    )


def _checked(candidate: Candidate, line: bytes, returncode: int | None) -> dict[str, Any]:
    if not line.strip():
        raise BenchError(f"{candidate.name}: the load generator ended with {returncode} and said nothing")
    told: dict[str, Any] = json.loads(line)
    if told.get("errors") or returncode:
        raise BenchError(
            f"{candidate.name}: {told.get('errors')} wrong or missing answers; the first: {told.get('error')}"
        )
    return told


def load(candidate: Candidate, body: bytes, core: int, **options: Any) -> dict[str, Any]:
    """Runs the load generator to its end; returns what it printed. Raises BenchError if any answer was wrong."""
    process = _load(candidate, body, core, options)
    line, _ = process.communicate(timeout=300)
    told = _checked(candidate, line, process.returncode)
    if not told["done"]:
        raise BenchError(f"{candidate.name}: not one request was answered")
    return told


class Held:
    """Idle streams that stay open until `close`."""

    def __init__(self, candidate: Candidate, body: bytes, core: int, streams: int) -> None:
        self.candidate = candidate
        options = {"mode": "idle", "stream": 1, "chunks": 1, "connections": streams}
        self.process = _load(candidate, body, core, options)
        self.opened = _checked(candidate, self._out().readline(), None)

    def _out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def close(self) -> None:
        """Lets them go. Raises BenchError if any of them was closed by the gateway before."""
        line, _ = self.process.communicate(timeout=60)
        _checked(self.candidate, line, self.process.returncode)
