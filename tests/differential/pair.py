"""One worker application behind two servers on one event loop: the gateway's own, and uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import uvicorn

from encke.catalogue.prices import PriceBook
from encke.compose import Place, Trust, compose, price_file
from encke.core.paths import DataPaths
from encke.http.known import KnownHeads
from encke.http.server import ServerConnection
from encke.ledger.journal import Journal, make_segment, make_slots
from encke.runtime import Workshop
from encke.telemetry.access import AccessLog
from encke.telemetry.tally import Tally
from encke.worker.app import WorkerApp
from tests.differential.asgi import AsgiApp
from tests.http.support import LoopThread
from tests.support.admit import admitting
from tests.support.gateway import KEY, to_toml

PEPPER = b"p" * 32


class Pair:
    """Both servers; `ours` and `theirs` are their ports. `settings` as for a gateway."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._thread = LoopThread()
        self._members: set[ServerConnection] = set()
        file = folder / "encke.toml"
        file.write_text(to_toml(settings), "utf-8")
        composition = compose(str(file), {"ENCKE_DATA": str(folder)})
        config, loop = composition.config, self._thread.loop
        self._journal = Journal(make_slots(folder, 1))
        self._journal.add_segment(make_segment(folder, 1, 1, 8 << 20))

        admission = admitting(PEPPER, {"0123456789AB": KEY})
        place = Place(DataPaths(config.data_dir), loop, self._thread.sweeper, Trust(), PriceBook(price_file))
        workshop = Workshop(place, self._journal, AccessLog(None), Tally(), None)
        self._runtime = runtime = self._thread.call(lambda: workshop.make(config, {}, 1))
        app = WorkerApp(runtime.desk, admission, runtime.discovery, config.server.cors_origins)
        app.journal_ready = True
        limits, heads = runtime.limits, KnownHeads()
        serve: Callable[[], Any] = lambda: ServerConnection(  # noqa: E731
            app, self._thread.sweeper, limits, self._members, heads
        )

        async def listen() -> asyncio.AbstractServer:
            return await loop.create_server(serve, "127.0.0.1", 0)

        self._own = self._thread.await_(listen())
        self.ours: int = self._own.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self._server = uvicorn.Server(_uvicorn(AsgiApp(app, limits.max_body)))
        self._running = asyncio.run_coroutine_threadsafe(self._server._serve(), loop)
        self.theirs = self._port_of_uvicorn()

    def _port_of_uvicorn(self) -> int:
        async def started() -> int:
            while not self._server.started:
                await asyncio.sleep(0.01)
            return int(self._server.servers[0].sockets[0].getsockname()[1])

        return self._thread.await_(started())

    def _leave(self) -> None:
        self._own.close()
        for connection in list(self._members):
            connection.close_if_idle()
        for upstream in self._runtime.upstreams.values():
            upstream.pool.close()

    @property
    def open(self) -> int:
        """Attempts that have no entry yet."""
        return self._thread.call(lambda: self._journal.open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._running.result(20)
        self._thread.call(self._leave)
        self._thread.stop()
        self._journal.close()


def _uvicorn(app: AsgiApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        port=0,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        timeout_keep_alive=60,
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
    )
