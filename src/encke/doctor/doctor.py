"""All checks, in the order in which one would look."""

from __future__ import annotations

from collections.abc import Mapping

from encke.admin.context import AdminError
from encke.compose import Composition, compose
from encke.config.load import read_environment
from encke.config.problems import ConfigError
from encke.config.settings import Config
from encke.core.paths import DataPaths
from encke.doctor import folder, machine
from encke.doctor.finding import Finding, guarded
from encke.doctor.gateway import State, gateway, port, running
from encke.doctor.upstreams import upstreams
from encke.providers.describe import describe
from encke.providers.heads import list_requests


def examine(config_path: str | None, environ: Mapping[str, str], *, network: bool = True) -> list[Finding]:
    """Everything that was found. Raises ConfigError when not even the variables can be read."""
    paths = DataPaths(read_environment(environ).data_dir)
    found, made = _settings(config_path, environ)
    config = made.config if made is not None else Config(data_dir=paths.root)
    providers = made.providers if made is not None else {}
    state, trouble = _state(paths)
    found += trouble
    found += guarded("python", machine.programs)
    found += guarded("compiled", lambda: machine.compiled(None if state is None else bool(state.get("compiled"))))
    found += guarded("gateway", lambda: gateway(paths, state))
    if made is not None:
        found += guarded("port", lambda: port(config, state))
    found += guarded("limits", lambda: machine.limits(config))
    found += guarded("data", lambda: folder.data_folder(config, state is not None))
    found += guarded("database", lambda: folder.database(config))
    found += guarded("model", lambda: folder.weights(config))
    found += guarded("certificates", lambda: machine.certificates(providers))
    if made is not None and network:
        found += upstreams([(provider, list_requests(provider)) for provider in providers.values()])
    return found


def _settings(config_path: str | None, environ: Mapping[str, str]) -> tuple[list[Finding], Composition | None]:
    try:
        made = compose(config_path, environ)
    except ConfigError as error:
        return [Finding("settings", "error", line, "mend it") for line in error.lines()], None
    first = describe(made.config, made.providers)[0].removeprefix("settings: ")
    return [Finding("settings", "ok", first)], made


def _state(paths: DataPaths) -> tuple[State | None, list[Finding]]:
    try:
        return running(paths), []
    except AdminError as error:
        return None, [Finding("gateway", "error", str(error), "is it stuck? look at its log")]
