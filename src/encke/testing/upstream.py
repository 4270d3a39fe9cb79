"""FakeUpstream: an HTTP/1.1 server that does exactly what a script says, right or wrong, and keeps an account of it.

In a test:

    with FakeUpstream() as upstream:            # answers chat completions politely
        upstream.queue(Script([Rst()]))         # except for the next request
        ...
        upstream.statement.wait_for(lambda s: len(s.outcomes()) == 1)

As a process of its own, so that it outlives whoever calls it (see `process.py`):

    python -m encke.testing.upstream --port 0 --log calls.jsonl [--script rules.json] [--unix PATH] [--cert P --key P]

which prints `listening PORT` and serves until SIGTERM, SIGINT or the end of its standard input (with `--watch-stdin`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop

from encke.testing.behaviours import by_request, early_by_request
from encke.testing.connection import Connection
from encke.testing.host import Stoppable
from encke.testing.request import Request
from encke.testing.rules import Rules
from encke.testing.script import Script
from encke.testing.statement import Statement

Behave = Callable[[Request], Script]
T = TypeVar("T")


class Server:
    """The listening side; every method is called in its event loop."""

    def __init__(self, statement: Statement, behave: Behave, keep_body: int) -> None:
        self.statement = statement
        self.behave = behave
        self.keep_body = keep_body
        self.scripts: deque[Script] = deque()
        self.connections: set[Stoppable] = set()
        self.port = 0
        self._numbers = {"connection": 0, "call": 0}
        self._listeners: list[asyncio.AbstractServer] = []

    def choose(self, request: Request) -> Script:
        return self.scripts.popleft() if self.scripts else self.behave(request)

    def choose_early(self, request: Request) -> Script | None:
        return None if self.scripts else early_by_request(request)

    def next_connection(self) -> int:
        return self._next("connection")

    def next_call(self) -> int:
        return self._next("call")

    def _next(self, name: str) -> int:
        self._numbers[name] += 1
        return self._numbers[name]

    async def listen(self, port: int, unix: Path | None, tls: ssl.SSLContext | None) -> None:
        """Accept on 127.0.0.1:`port` (0: any free one) and, if given, on a Unix socket. Raises OSError."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), "127.0.0.1", port, ssl=tls, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._listeners.append(server)
        if unix is not None:
            self._listeners.append(await loop.create_unix_server(lambda: Connection(self), str(unix), ssl=tls))

    async def refuse(self) -> None:
        """Stop accepting; what is connected stays."""
        for server in self._listeners:
            server.close()
        self._listeners.clear()

    async def drop(self) -> None:
        """Abort every connection."""
        for connection in list(self.connections):
            connection.stop()

    async def stop(self) -> None:
        """Stop accepting and abort every connection; returns when they are gone."""
        await self.refuse()
        await self.drop()
        await asyncio.gather(*(connection.gone.wait() for connection in list(self.connections)))


class FakeUpstream:
    """A Server in a thread of its own, with its own event loop.

    `behave` chooses a script per request (default: `behaviours.by_request`, that is polite unless the request names a
    behaviour); it may be replaced at any time. `tls` is (certificate file, key file). With `log` the statement is a
    file, else it is in memory.
    """

    def __init__(
        self,
        behave: Behave = by_request,
        *,
        port: int = 0,
        unix: Path | None = None,
        tls: tuple[Path, Path] | None = None,
        log: Path | None = None,
        keep_body: int = 1 << 20,
    ) -> None:
        self.statement = Statement(log)
        self._server = Server(self.statement, behave, keep_body)
        self._unix, self._tls = unix, _context(*tls) if tls else None
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-upstream", daemon=True)
        self._thread.start()
        try:
            self._run(self._server.listen(port, unix, self._tls))
        except BaseException:
            self.stop()
            raise

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def behave(self) -> Behave:
        return self._server.behave

    @behave.setter
    def behave(self, behave: Behave) -> None:
        self._server.behave = behave

    def queue(self, *scripts: Script) -> None:
        """Play these for the next requests, one each, before `behave` is asked again."""
        self._server.scripts.extend(scripts)

    def refuse(self) -> None:
        """Connections are refused from now on; open ones stay."""
        self._run(self._server.refuse())

    def accept(self) -> None:
        """Accept again after `refuse`, at the same port."""
        self._run(self._server.listen(self.port, self._unix, self._tls))

    def drop(self) -> None:
        """Abort every open connection, idle ones too."""
        self._run(self._server.drop())

    def stop(self) -> None:
        """Abort everything and end the thread. Calling it twice does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.statement.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def _serve(options: argparse.Namespace) -> None:
    statement = Statement(options.log)
    server = Server(statement, Rules(options.script).behave if options.script else by_request, options.keep_body)
    await server.listen(options.port, options.unix, _context(options.cert, options.key) if options.cert else None)
    print(f"listening {server.port}", flush=True)
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if options.watch_stdin:
        loop.add_reader(0, lambda: None if os.read(0, 1) else over.set())
    await over.wait()
    await server.stop()
    statement.close()


def main(arguments: list[str] | None = None) -> None:
    """The process. Exits with a message when an argument is wrong or the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m encke.testing.upstream", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--unix", type=Path, help="listen on this Unix socket too")
    parser.add_argument("--log", type=Path, help="append the statement to this file")
    parser.add_argument("--script", type=Path, help="JSON file of rules, read again when it changes (see rules.py)")
    parser.add_argument("--cert", type=Path, help="certificate (PEM): serve TLS")
    parser.add_argument("--key", type=Path, help="its private key (PEM)")
    parser.add_argument("--keep-body", type=int, default=0, help="bytes of each request body to keep in the log")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input ends")
    uvloop.run(_serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
