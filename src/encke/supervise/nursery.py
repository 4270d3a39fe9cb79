"""Child processes: started with what they need to know, watched until they are ready, reaped."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from encke.admin.frames import Frame
from encke.children import unheard, write_boot
from encke.core.crash import STATUS as CRASHED
from encke.supervise.channel import Channel

RESTART_FIRST = 0.05
RESTART_LAST = 2.0
STEADY_SECONDS = 10.0


@dataclass(slots=True, eq=False)
class Process:
    """One child process. `channel` is there for those that take orders, `ready_fd` until it has said that it works."""

    role: str
    popen: subprocess.Popen[bytes]
    ready_fd: int = -1
    ready: bool = False
    channel: Channel | None = None
    page: int = -1  # of what it has to tell
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    @property
    def lived(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started


@dataclass(slots=True, eq=False)
class Place:
    """A child's place. The process in it changes when it dies; the place, with its socket, stays.

    `successor` is the process that will take the place as soon as it is ready.
    """

    role: str
    start: Callable[[Place], Process]
    listener: socket.socket | None = None
    process: Process | None = None
    successor: Process | None = None
    again_at: float = 0.0
    delay: float = RESTART_FIRST

    def ended(self, process: Process) -> None:
        """The process in it is gone: another follows, the later the oftener that happens."""
        self.process = None
        on_purpose = process.popen.returncode == CRASHED  # in a test, where many are to follow
        steady = process.lived > STEADY_SECONDS or on_purpose
        self.delay = RESTART_FIRST if steady else min(self.delay * 2, RESTART_LAST)
        self.again_at = time.monotonic() + self.delay


class Nursery:
    """Starts children and listens to them. `on_reply` gets what those with a channel answer."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        environ: Mapping[str, str],
        on_reply: Callable[[Process, Frame], None],
    ) -> None:
        self.alive_read, self._alive_write = os.pipe2(os.O_CLOEXEC)
        self._selector = selector
        self._environ = environ
        self._on_reply = on_reply

    def start(
        self, role: str, module: str, make_boot: Callable[[int, int], object], *fds: int, orders: bool = False
    ) -> Process:
        """Start `python -m module` with what `make_boot(ready_fd, control_fd)` gives."""
        ready_read, ready_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        ours, theirs = socket.socketpair() if orders else (None, None)
        control_fd = theirs.fileno() if theirs is not None else -1
        boot_fd = write_boot(make_boot(ready_write, control_fd))
        passed = (boot_fd, self.alive_read, ready_write, *fds, *((control_fd,) if theirs is not None else ()))
        try:
            with unheard():
                popen = subprocess.Popen(
                    # -P: what lies in the current folder is not imported in place of what is installed.
                    [sys.executable, "-P", "-m", module, str(boot_fd)],
                    stdin=subprocess.DEVNULL,
                    env=self._environ,
                    pass_fds=passed,
                )
        except OSError:
            os.close(ready_read)
            if ours is not None:
                ours.close()
            raise
        finally:
            os.close(boot_fd)
            os.close(ready_write)
            if theirs is not None:
                theirs.close()
        process = Process(role, popen, ready_read)
        if ours is not None:
            process.channel = Channel(
                ours, self._selector, lambda _, frame: self._on_reply(process, frame), lambda _: None
            )
        self._selector.register(ready_read, selectors.EVENT_READ, lambda: self._said(process))
        return process

    def forget(self, process: Process) -> None:
        """It is gone: so is what led to it."""
        self._forget_ready(process)
        process.ready = False
        if process.channel is not None:
            process.channel.close()

    def _said(self, process: Process) -> None:
        if process.ready_fd < 0:
            return
        try:
            said = os.read(process.ready_fd, 16)
        except BlockingIOError:
            return
        self._forget_ready(process)
        process.ready = bool(said)

    def _forget_ready(self, process: Process) -> None:
        if process.ready_fd >= 0:
            self._selector.unregister(process.ready_fd)
            os.close(process.ready_fd)
            process.ready_fd = -1


def order(process: Process, kind: str, id: int, payload: Mapping[str, Any]) -> None:
    """Send an order to a process that takes them."""
    if process.channel is not None:
        process.channel.send(kind, id, payload)
