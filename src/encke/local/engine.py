"""The engine's process: `python -m encke.local.engine --config-fd N --alive-fd M`, started by the supervisor.

It reads EngineSettings as JSON from descriptor N, serves the OpenAI dialect on a Unix socket (`GET /health` answers 200
when it is ready), and ends when descriptor M, a pipe's read end, reaches end of file: no orphan outlives a killed
supervisor. SIGTERM ends it at once, SIGINT is ignored (a Ctrl-C is the supervisor's to handle). Exit status: 0 the
supervisor left, 2 bad arguments, 3 the model could not be loaded (the log says why).
"""

from __future__ import annotations

import argparse
import fcntl
import os
import select
import signal
import sys
import threading

import msgspec

from encke.local import xllama
from encke.local.settings import EngineSettings

_LOG_LIMIT = 1 << 20  # bytes; a longer log starts anew
_LOG_CHECK_SECONDS = 60.0
_NICE = 5  # a model that computes on all cores must not delay the gateway itself
LOAD_FAILED = 3


def main() -> int:
    """Run until the supervisor ends; the process's exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow_supervisor(arguments.alive_fd)
    with open(arguments.config_fd, "rb") as file:
        settings = msgspec.json.decode(file.read(), type=EngineSettings)
    _prepare(settings)
    print(f"engine {os.getpid()}: loading {settings.model}", flush=True)
    try:
        _server = xllama.serve(settings)  # kept until the end of the process
    except Exception as error:
        print(f"engine {os.getpid()}: the model was not loaded: {error!r}", flush=True)
        return LOAD_FAILED
    print(f"engine {os.getpid()}: ready", flush=True)
    _wait_for_end_of(arguments.alive_fd)
    os._exit(0)  # at once, without the library's clean-up


def _prepare(settings: EngineSettings) -> None:
    _log_to(settings.log)
    os.nice(_NICE)
    os.umask(0o077)  # the socket is born reachable by this user only
    try:
        os.unlink(settings.socket)  # left by a predecessor
    except FileNotFoundError:
        pass


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="encke.local.engine")
    parser.add_argument("--config-fd", type=int, required=True)
    parser.add_argument("--alive-fd", type=int, required=True)
    return parser.parse_args()


def follow_supervisor(fd: int) -> None:
    """Let the kernel end this process (by SIGIO's default action) when the last writer of the pipe `fd` is gone.

    A thread would not do while the model loads: the library keeps Python's lock for all that time.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([fd], [], [], 0)[0]:  # it was gone before we asked
        os._exit(0)


def _wait_for_end_of(fd: int) -> None:
    """Until then, keep the log short. (Where a pipe gives SIGIO, the end comes before we see it.)"""
    ended = threading.Event()

    def read() -> None:
        while os.read(fd, 64):
            pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    while not ended.wait(_LOG_CHECK_SECONDS):
        _shorten_log(sys.stdout.fileno())


def _log_to(path: str) -> None:
    """Send all output, the library's included, to the log."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _shorten_log(fd)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def _shorten_log(fd: int) -> None:
    if os.fstat(fd).st_size > _LOG_LIMIT:
        os.ftruncate(fd, 0)


if __name__ == "__main__":
    sys.exit(main())
