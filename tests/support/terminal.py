"""A program as a person runs it: in a terminal of its own, with Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from pathlib import Path
from typing import Self

from tests.support.evidence import EVIDENCE
from tests.support.gateway import session_processes

_END_SECONDS = 60


class Terminal:
    """Runs `command` in a new terminal (and so in a session of its own). `output` is what it has shown so far.

    `environ` is the whole environment. Leaving the context kills what is left of the session.
    """

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str]) -> None:
        self.output = ""
        self.status: int | None = None
        # Both ends are closed where the program begins: before that nobody would hear what is pressed.
        begun, child = os.pipe()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(folder)
                os.execvpe(command[0], command, environ)
            finally:
                os._exit(127)
        os.close(child)
        os.read(begun, 1)
        os.close(begun)

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first match of `pattern` in the output; AssertionError with the output when it does not come."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.output, re.MULTILINE)):
            left = end - time.monotonic()
            assert left > 0 and self._read(left), f"{pattern!r} did not come within {seconds} s:\n{self.output}"
        return found

    def press_ctrl_c(self) -> None:
        """As the terminal does it: SIGINT to the whole foreground group."""
        os.write(self._fd, b"\x03")

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        os.close(self._fd)
        self._fd = -1

    def wait(self, seconds: float = _END_SECONDS) -> int:
        """What `os.waitpid` says once the program has ended and the terminal is closed by all."""
        end = time.monotonic() + seconds
        while self._read(max(end - time.monotonic(), 0)):
            pass
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            assert time.monotonic() < end, f"it did not end within {seconds} s:\n{self.output}"
            time.sleep(0.02)
        return self.status

    def processes(self) -> dict[int, str]:
        """What still lives of it."""
        return session_processes(self.pid)

    def _read(self, seconds: float) -> bool:
        """Read some output; false at the end of the terminal or of the time."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        self.output += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        EVIDENCE.terminal(self.output.encode())
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.status is None:
            os.waitpid(self.pid, 0)
        if self._fd >= 0:
            os.close(self._fd)
