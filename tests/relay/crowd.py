"""Many open streams at once, held by one thread: clients that read slowly, or wait for more."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterable
from typing import Self

from tests.support.client import build, chat
from tests.support.gateway import Gateway

CHAT = "/v1/chat/completions"


class Crowd:
    """`count` streams of one model. `bodies` makes each request's last user message."""

    def __init__(self, gateway: Gateway, model: str, count: int, text: Callable[[int], str], buffer: int = 0) -> None:
        self._gateway = gateway
        self._sockets: list[socket.socket] = []
        self.got = [bytearray() for _ in range(count)]
        for number in range(count):
            one = socket.socket()
            if buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            one.settimeout(30)
            one.connect(("127.0.0.1", gateway.port))
            one.sendall(build("POST", CHAT, chat(text(number), model, stream=True), key=gateway.key))
            self._sockets.append(one)

    def read_until(self, mark: bytes, seconds: float = 30.0) -> None:
        """Read what comes until every stream has had `mark`. Raises AssertionError when one does not get it."""
        waiting = set(range(len(self._sockets)))
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for number in waiting:
                selector.register(self._sockets[number], selectors.EVENT_READ, number)
            while waiting:
                assert time.monotonic() < deadline, f"{len(waiting)} streams had no {mark!r} within {seconds} s"
                for key, _ in selector.select(1.0):
                    number = key.data
                    data = self._sockets[number].recv(65536)
                    self.got[number] += data
                    if mark in self.got[number] or not data:
                        waiting.discard(number)
                        selector.unregister(self._sockets[number])

    def read_slowly(self, rate: int, seconds: float) -> int:
        """Every client takes `rate` bytes a second; how many came in all."""
        total, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            begun = time.monotonic()
            for one in self._sockets:
                one.setblocking(False)
                try:
                    total += len(one.recv(max(rate // 4, 1)))
                except BlockingIOError:
                    pass
            time.sleep(max(0.25 - (time.monotonic() - begun), 0))
        return total

    def leave(self, which: Iterable[int] | None = None) -> None:
        """Close them, or some."""
        for number in range(len(self._sockets)) if which is None else which:
            self._sockets[number].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
