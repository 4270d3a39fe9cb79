"""The gateway: does one run here, and is its port free or its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from encke import __version__
from encke.admin.context import AdminError
from encke.admin.steer import connect, steer
from encke.config.settings import Config
from encke.core.addresses import is_loopback
from encke.core.paths import DataPaths
from encke.doctor.finding import Finding
from encke.http.listen import ListenError, listen, listen_for_operators

State = Mapping[str, Any]


def running(paths: DataPaths) -> State | None:
    """What the running gateway says of itself; None if none runs. Raises AdminError."""
    probe = connect(paths)
    if probe is None:
        return None
    probe.close()
    state: State = steer(paths, "status", seconds=10.0)
    return state


def gateway(paths: DataPaths, state: State | None) -> Iterator[Finding]:
    """Its version, processes and settings."""
    if state is None:
        yield Finding("gateway", "note", "none runs on this data folder")
        return
    workers = [pid for pid in state["workers"] if pid is not None]
    text = f"version {state['version']}, process {state['supervisor']} on {state['listen']}, {len(workers)} workers"
    text += f", settings generation {state['generation']}"
    if state["retiring"]:
        text += f", {len(state['retiring'])} workers finish their last calls"
    if state["stopping"]:
        yield Finding("gateway", "warning", text + "; it is stopping")
    elif state["keeper"] is None or len(workers) < len(state["workers"]):
        yield Finding("gateway", "error", text + "; a process is missing", "look at its log for child_ended")
    else:
        yield Finding("gateway", "ok", text)
    if state["version"] != __version__:
        text = f"the gateway runs version {state['version']}, and {__version__} is installed"
        yield Finding("gateway", "warning", text, "restart it")
    yield from _plan(paths)


def _plan(paths: DataPaths) -> Iterator[Finding]:
    try:
        found = steer(paths, "config.plan", seconds=10.0)
    except AdminError as error:
        text = "a reload, or the next start, would fail: " + "; ".join(str(error).split("\n"))
        yield Finding("settings", "error", text, "mend the file; until then the gateway uses the old settings")
        return
    count = len(found["changes"])
    if count:
        todo = "encke config plan shows them, encke config reload takes them"
        yield Finding("settings", "note", f"{count} settings in the file are not in use yet", todo)


def port(config: Config, state: State | None) -> Iterator[Finding]:
    """Whether the address can be listened on, or is the running gateway's; or that a start here would take another."""
    host, number = config.server.address
    if state is not None:
        ours = str(state["listen"]).rpartition(":")[2]
        if number in (0, int(ours)):
            yield Finding("port", "ok", f"{state['listen']} is the running gateway's")
        else:
            text = f"the gateway listens on {state['listen']}, a start in this shell would on {config.server.listen}"
            yield Finding("port", "note", text, "if that is not meant: set ENCKE_LISTEN here as it was set there")
        return
    with contextlib.ExitStack() as held:
        try:
            everybody = held.enter_context(listen(host, number, 1)[0])
            admin = config.server.admin_address
            if admin is not None and not is_loopback(everybody.getsockname()[0]):
                held.enter_context(listen_for_operators(admin, everybody))
        except ListenError as error:
            yield Finding("port", "error", str(error))
            return
    yield Finding("port", "ok", f"{config.server.listen} is free")
