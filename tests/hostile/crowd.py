"""Legitimate callers, and how long their calls take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.client import Client, build

Send = Callable[[Client], int]


@dataclass
class Times:
    """Seconds that calls took, in order of size once `sorted`; what went wrong."""

    taken: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The time that this share of the calls did not exceed."""
        ordered = sorted(self.taken)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def __str__(self) -> str:
        p50, p99, most = (1000 * self.at(share) for share in (0.5, 0.99, 1.0))
        return f"{len(self.taken)} calls, p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms"


def caller(method: str, path: str, body: object, key: str | None) -> Send:
    """A call over a kept connection; its status."""
    raw = build(method, path, body, key=key)

    def call(client: Client) -> int:
        client.send(raw)
        return client.read(method).status

    return call


def run(port: int, call: Send, seconds: float, *, threads: int = 1, rate: float = 50.0) -> Times:
    """Call from so many threads, each `rate` times a second, for so long; a failure is an answer that is not 200."""
    times, lock = Times(), threading.Lock()

    def one(number: int) -> None:
        begun = time.monotonic() + number / (rate * threads)
        with Client(port, timeout=60) as client:
            for turn in range(int(seconds * rate)):
                time.sleep(max(0.0, begun + turn / rate - time.monotonic()))
                start = time.perf_counter()
                try:
                    status: object = call(client)
                except (ConnectionError, TimeoutError) as error:
                    status = repr(error)
                with lock:
                    times.taken.append(time.perf_counter() - start)
                    if status != 200:
                        times.failures.append(str(status))
                if not isinstance(status, int):
                    return

    workers = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return times
