"""Commands for a running gateway, and what its processes hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from encke.admin.steer import steer
from encke.core.paths import DataPaths
from encke.testing.process import UpstreamProcess
from tests.support.gateway import Gateway, lab


def encke(gateway: Gateway, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command of the program, as an operator types it beside the gateway."""
    own = {"PATH": os.environ["PATH"], "ENCKE_DATA": str(gateway.data), **env}
    if "PYTHONPATH" in os.environ:
        own["PYTHONPATH"] = os.environ["PYTHONPATH"]
    command = [sys.executable, "-m", "encke", *args]
    return subprocess.run(
        command, env=own, cwd=gateway.data.parent, text=True, capture_output=True, timeout=90, check=False
    )


def order(gateway: Gateway, name: str) -> Any:
    """The same without a process for it: what the gateway answers. Raises AdminError when it says no."""
    return steer(DataPaths(gateway.data), name)


def settings(upstream: UpstreamProcess, **server: Any) -> dict[str, Any]:
    """Two workers, no embedded model."""
    return {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 2, **server}}


def events(gateway: Gateway, name: str) -> list[dict[str, Any]]:
    """The lines of the process log that tell this event."""
    lines = [line for line in gateway.log.splitlines() if line.startswith('{"') and f'"event":"{name}"' in line]
    return [json.loads(line) for line in lines]


def descriptors(pid: int) -> int:
    """How many a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident(pid: int) -> int:
    """Bytes of memory a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
