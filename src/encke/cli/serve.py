"""`encke serve`: check everything that can be checked, then start."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Mapping

import click
import msgspec

from encke.admin import keys
from encke.admin.context import AdminError, Context
from encke.admin.link import owned
from encke.cli.options import config_option
from encke.compose import Composition, Recomposition, check_access_log, compose, recompose
from encke.config.load import main_environ
from encke.core.addresses import is_loopback
from encke.core.crash import Crash, crash_at
from encke.core.paths import DataPaths
from encke.http.listen import ListenError, listen, listen_for_operators
from encke.keeper.keeper import FIRST_SEGMENTS
from encke.keys.pepper import load_pepper
from encke.store.sqlite import SqliteStore
from encke.supervise.engine import Engine
from encke.supervise.supervisor import Supervisor

MiB = 1 << 20
LOCK_PATIENCE = 5.0
DOCS = "docs/quickstart.md"


@click.command()
@config_option
def serve(config_path: str | None) -> None:
    """Start the gateway. Ctrl-C ends it and everything it started."""
    environ = main_environ()
    made = compose(config_path, environ)
    paths = DataPaths(made.config.data_dir)
    crash = crash_at(next((p for p in made.environment.crash_points if p.place.startswith("serve.")), None))
    with contextlib.ExitStack() as held:
        _take(paths, held)
        crash("serve.locked")
        _check_disk(made, paths)
        check_access_log(made.config)
        # Before the first key is made: a start that fails must not make one that nobody sees.
        listeners = _listen(made, held)
        crash("serve.listening")
        operators = _listen_for_operators(made, listeners[0], held)
        first = _first_key(made, paths, crash)
        crash("serve.key_made")
        host, port = listeners[0].getsockname()[:2]
        banner = Banner(made, environ, f"{_url(host, port)}/v1", first)

        def again(old: Composition) -> Recomposition:
            return recompose(old, config_path, environ)

        starting = f"Encke is starting on {_url(host, port)} with its data in {paths.root}"
        try:
            status = Supervisor(made, environ, listeners, operators, _say, banner.show, again).run(starting)
        finally:
            banner.show_key_at_the_end()
    sys.exit(status)


_NOTES = {
    "revoked": "has been revoked; it stays so.",
    "rotated": "has been given another secret; that one stays.",
}


def _say(line: str) -> None:
    print(line, flush=True)


def _url(host: str, port: int) -> str:
    # What listens on every address is reached from here by the loopback one.
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def _take(paths: DataPaths, held: contextlib.ExitStack) -> None:
    """Own the data folder until the end. A gateway that is just ending gets a moment."""
    end = time.monotonic() + LOCK_PATIENCE
    while True:
        attempt = contextlib.ExitStack()
        if attempt.enter_context(owned(paths, keeper=False)):
            held.push(attempt)
            return
        attempt.close()
        running = _running(paths)
        if running or time.monotonic() > end:
            who = f" (process {running[0]}, on {running[1]})" if running else ""
            raise AdminError(
                f"another gateway{who} already uses the data folder {paths.root}; stop it, or give this one a folder "
                "of its own with ENCKE_DATA"
            )
        time.sleep(0.1)


def _running(paths: DataPaths) -> tuple[int, str] | None:
    try:
        run = msgspec.json.decode(paths.run_json.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError):
        return None
    pid, address = run.get("supervisor"), run.get("listen")
    return (pid, address) if isinstance(pid, int) and isinstance(address, str) else None


def _check_disk(made: Composition, paths: DataPaths) -> None:
    config = made.config
    need = (config.server.workers * FIRST_SEGMENTS * config.store.journal_segment) + 8 * MiB
    free = shutil.disk_usage(paths.root).free
    if free < need:
        raise AdminError(
            f"the disk of {paths.root} is full: {free // MiB} MiB are free and the journals of {config.server.workers} "
            f"workers need {need // MiB} MiB; make room, or lower store.journal_segment or server.workers"
        )


def _first_key(made: Composition, paths: DataPaths, crash: Crash) -> str | None:
    """See to it that there is a key: the operator's own, or a new one, which is returned to be shown once.

    Opens the store as the keeper will, so that whatever is wrong with it is told here.
    """
    with contextlib.closing(_open_store(made, crash)) as store:
        pepper = load_pepper(paths.pepper, keys_exist=bool(store.list_keys()))
        context = Context(store, pepper)
        bootstrap = made.environment.bootstrap_key
        if bootstrap is not None:
            note = _NOTES.get(keys.bootstrap(context, bootstrap.reveal()))
            if note is not None:
                _say(f"Note: the key in ENCKE_BOOTSTRAP_KEY {note}")
            return None
        created = keys.first(context)
    return created.key if created is not None else None


def _open_store(made: Composition, crash: Crash) -> SqliteStore:
    return SqliteStore.open(made.config.store_path, before_commit=lambda: crash("serve.committing"))


def _listen(made: Composition, held: contextlib.ExitStack) -> list[socket.socket]:
    host, port = made.config.server.address
    try:
        listeners = listen(host, port, made.config.server.workers)
    except ListenError as error:
        raise AdminError(str(error)) from None
    for listener in listeners:
        held.enter_context(listener)
    return listeners


def _listen_for_operators(
    made: Composition, everybody: socket.socket, held: contextlib.ExitStack
) -> socket.socket | None:
    """The socket of `/metrics`, where that is not for everybody who reaches the API."""
    address = made.config.server.admin_address
    if address is None or is_loopback(everybody.getsockname()[0]):
        return None
    try:
        return held.enter_context(listen_for_operators(address, everybody))
    except ListenError as error:
        raise AdminError(str(error)) from None


class Banner:
    """What a person sees when the gateway answers calls: the address, a key, a line to paste."""

    def __init__(self, made: Composition, environ: Mapping[str, str], base_url: str, first_key: str | None) -> None:
        self._made = made
        self._environ = environ
        self._base_url = base_url
        self._first_key = first_key
        self._shown = False

    def show_key_at_the_end(self) -> None:
        """A start that was interrupted, while the weights were coming perhaps, still tells the key it made."""
        if self._first_key is not None and not self._shown:
            _say("\n".join(self._key_lines()))

    def show(self, engine: Engine) -> None:
        """Print it; in short if the embedded model is still to come."""
        self._shown = True
        if not engine.ready and engine.problem is None:
            lines = ["", "Calls are answered already; the model `local` follows.", "", f"  Base URL  {self._base_url}"]
            _say("\n".join([*lines, *self._key_lines(), ""]))
            return
        lines = [
            "",
            "Encke is ready.",
            "",
            f"  Base URL  {self._base_url}",
            *self._key_lines(),
            *self._model_lines(engine),
            "",
        ]
        lines += ["Try it:", "", self._curl(engine.ready), "", f"What next: {DOCS}. Ctrl-C stops everything.", ""]
        _say("\n".join(lines))

    def _key_lines(self) -> list[str]:
        if self._first_key is not None:
            return [f"  Key       {self._first_key}   (shown this once; only its digest is kept)"]
        if self._made.environment.bootstrap_key is not None:
            return ["  Key       the one in ENCKE_BOOTSTRAP_KEY"]
        return [f"  Key       one you have, or a new one: export ENCKE_API_KEY=$({self._keys_create()})"]

    def _model_lines(self, engine: Engine) -> list[str]:
        lines = []
        if engine.ready:
            lines.append("  Model     local")
        elif engine.problem is not None:
            lines.append(f"  Model     no local one: {engine.problem}")
        names = ", ".join(f"{name}/…" for name in sorted(self._made.providers))
        if names:
            lines.append(f"  Models    {names}")
        aliases = ", ".join(sorted(self._made.config.models))
        if aliases:
            lines.append(f"  Aliases   {aliases}")
        return lines

    def _curl(self, has_local: bool) -> str:
        key = self._first_key
        if key is None:
            key = "$ENCKE_BOOTSTRAP_KEY" if self._made.environment.bootstrap_key is not None else "$ENCKE_API_KEY"
        model = "local" if has_local else next(iter(sorted(self._made.config.models)), None)
        authorization = f'-H "Authorization: Bearer {key}"'
        if model is None:
            return f"curl {self._base_url}/models {authorization}"
        body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
        return (
            f"curl {self._base_url}/chat/completions {authorization} -H \"Content-Type: application/json\" -d '{body}'"
        )

    def _keys_create(self) -> str:
        """The command as it can be pasted into another terminal in this folder."""
        data, config = self._environ.get("ENCKE_DATA"), self._made.config.path
        program = sys.argv[0] if not sys.argv[0].endswith(".py") else "encke"
        setting = f"ENCKE_DATA={shlex.quote(data)} " if data else ""
        option = f" --config {shlex.quote(str(config))}" if config else ""
        return f"{setting}{shlex.quote(program)} keys create{option}"
