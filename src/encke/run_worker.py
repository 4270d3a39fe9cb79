"""A worker process: `python -m encke.run_worker FD`, started by the supervisor."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from encke.calls.desk import Drained
from encke.calls.hold import Purse
from encke.catalogue.prices import PriceBook
from encke.children import WorkerBoot, log, read_boot, say_ready, use_log
from encke.compose import Place, Trust, price_file
from encke.config.wire import decode_config
from encke.core.clock import now_ms
from encke.core.crash import crash_at
from encke.core.paths import DataPaths
from encke.http.known import KnownHeads
from encke.http.server import ServerConnection
from encke.http.sweep import Sweeper
from encke.keys.snapshot import Part, Received
from encke.ledger.crashing import CrashingJournal
from encke.ledger.journal import Journal
from encke.limits.book import Book
from encke.runtime import Workshop
from encke.service import Service
from encke.telemetry.access import AccessLog
from encke.telemetry.crash import report
from encke.telemetry.pages import Pages
from encke.telemetry.reporter import Reporter
from encke.telemetry.tally import Tally
from encke.worker.admission import Admission
from encke.worker.app import WorkerApp
from encke.worker.link import KeeperLink
from encke.worker.operator import OperatorApp, metrics_text
from encke.worker.orders import Orders
from encke.worker.own_key import OwnKey
from encke.worker.replies import ReplyShelf
from encke.worker.syncing import GroupSync

BACKLOG = 4096
ORPHAN_GRACE = 3.0  # seconds for open calls when the supervisor was killed
LOOK_SECONDS = 0.5
GIVE_BACK_SECONDS = 0.5
QUIET_SECONDS = 3.0  # after which an idle connection of a worker that retires is closed
FOREVER = float("inf")


class Worker:
    """The process's parts, and its end."""

    def __init__(self, boot: WorkerBoot) -> None:
        self._boot = boot
        self._config = decode_config(boot.config)
        use_log(self._config)
        self._stop = asyncio.Event()
        self._connections: set[ServerConnection] = set()
        self._received = Received()
        self._admission = Admission(self._received)
        self._book = Book()
        self._slots_fd = -1
        self._leave = asyncio.Event()  # accept no more: to stop, or to retire
        self._longest = FOREVER  # that calls may take at the end, whatever the settings say
        self._grace = self._config.server.grace
        self._service: Service | None = None
        self._fenced = False
        self._journal: Journal | None = None
        self._sync: GroupSync | None = None
        self._crash = crash_at(boot.crash)
        self._replies: ReplyShelf | None = None

    async def run(self) -> int:
        """Serve until told to stop; the exit status."""
        self._crash("worker.starting")
        boot, config = self._boot, self._config
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_tell_crash)
        loop.add_signal_handler(signal.SIGTERM, self._stop_now)
        loop.add_reader(boot.alive_fd, self._supervisor_gone)
        paths = DataPaths(config.data_dir)
        sweeper = Sweeper(loop)
        sweeper.start()
        journal_made: asyncio.Future[Journal] = loop.create_future()
        link = KeeperLink(
            paths.keeper_sock,
            boot.epoch,
            self._take_snapshot,
            lambda path: self._take_slots(path, journal_made),
            self._fence,
            self._book.leases,
            self._book.recalled,
            names=self._names,
        )
        linking = asyncio.create_task(link.run())
        journal = await self._unless_stopped(journal_made)
        if journal is not None:
            if config.idempotency.keep:
                self._replies = ReplyShelf(link, paths.replies, config.idempotency.max_answer, self._crash)
            await self._serve(journal, paths, loop, sweeper, link)
        link.close()
        linking.cancel()
        sweeper.stop()
        return 1 if self._fenced else 0

    async def _serve(
        self, journal: Journal, paths: DataPaths, loop: asyncio.AbstractEventLoop, sweeper: Sweeper, link: KeeperLink
    ) -> None:
        boot = self._boot
        access = AccessLog(None)
        sync = self._sync.wait if self._sync is not None else None
        place = Place(paths, loop, sweeper, Trust(), PriceBook(price_file))
        purse = Purse(self._book, link)
        workshop = Workshop(place, journal, access, Tally(), boot.engine, sync, purse, self._replies)
        runtime = workshop.make(self._config, boot.provider_keys, boot.generation)
        access.redirect(runtime.access_fd)
        if runtime.access_problem:
            log("access_log_unavailable", {"reason": runtime.access_problem}, "worker")
        pages = Pages(boot.pages_fd)
        metrics = (lambda: metrics_text(pages)) if boot.metrics else None
        origins, proxies = self._config.server.cors_origins, self._config.server.trusted_proxies
        own_key = OwnKey(self._received, link.request)
        app = WorkerApp(runtime.desk, self._admission, runtime.discovery, origins, metrics, own_key, proxies)
        app.journal_ready = True
        sweeper.add(access)
        self._service = service = Service(app, workshop, runtime, access, self._connections)
        members, heads = self._connections, KnownHeads()
        make: Callable[[], Any] = lambda: ServerConnection(app, sweeper, service.limits, members, heads)  # noqa: E731
        server = await loop.create_server(make, sock=socket.socket(fileno=boot.listen_fd), backlog=BACKLOG)
        operators = await self._serve_operators(OperatorApp(app, pages), service, sweeper)
        reporter = Reporter(pages, boot.page, "worker", service.sheet)
        reporter.start()
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it again
        say_ready(boot.ready_fd)
        self._crash("worker.serving")
        control = socket.socket(fileno=boot.control_fd)
        _, orders = await loop.create_unix_connection(lambda: Orders(self._obey), sock=control)
        giving = asyncio.create_task(self._give_back(link))
        await self._leave.wait()
        server.close()
        if operators is not None:
            operators.close()
        await self._drain(app, sweeper)
        giving.cancel()
        reporter.stop()
        orders.close()
        access.flush()
        service.close()
        if self._sync is not None:
            self._sync.close()
        if self._replies is not None:
            self._replies.close()
        journal.close()

    async def _serve_operators(
        self, app: OperatorApp, service: Service, sweeper: Sweeper
    ) -> asyncio.AbstractServer | None:
        """On an address of their own, whose socket all workers share."""
        if self._boot.admin_fd < 0:
            return None
        members, heads = self._connections, KnownHeads()
        make: Callable[[], Any] = lambda: ServerConnection(app, sweeper, service.limits, members, heads)  # noqa: E731
        sock = socket.socket(fileno=self._boot.admin_fd)
        return await asyncio.get_running_loop().create_server(make, sock=sock, backlog=BACKLOG)

    def _obey(self, order: str, payload: Any) -> str | None:
        assert self._service is not None
        if order == "retire":
            self._service.app.retiring = True
            self._leave.set()
            return None
        problem = self._service.obey(order, payload)
        use_log(self._service.runtime.config)
        self._grace = min(self._service.runtime.config.server.grace, self._longest)
        return problem

    async def _drain(self, app: WorkerApp, sweeper: Sweeper) -> None:
        """Finish what is under way, within the time of grace; then tell the rest that it is over.

        A worker that retires, while others go on, leaves idle connections to their clients for a moment longer: their
        next call is answered, and ends the connection in order.
        """
        app.draining = True
        loop = asyncio.get_running_loop()
        began = looked = loop.time()
        self._end_idle(app, sweeper)
        while self._connections and loop.time() < began + self._grace:
            await asyncio.sleep(0.05)
            stopped = app.retiring and self._stop.is_set()
            if stopped or loop.time() - looked > LOOK_SECONDS:
                looked = loop.time()
                app.retiring = app.retiring and not stopped
                self._end_idle(app, sweeper)
        for connection in list(self._connections):
            connection.close_if_idle()
            connection.cancel_call(Drained())
        end = loop.time() + 3.0
        while self._connections and loop.time() < end:
            await asyncio.sleep(0.05)

    def _end_idle(self, app: WorkerApp, sweeper: Sweeper) -> None:
        for connection in list(self._connections):
            if not app.retiring or connection.idle_since() < sweeper.now - QUIET_SECONDS:
                connection.close_if_idle()

    async def _give_back(self, link: KeeperLink) -> None:
        """What has not been used for a while may be somebody else's."""
        while True:
            await asyncio.sleep(GIVE_BACK_SECONDS)
            items = self._book.idle(now_ms())
            if items:
                link.give(items)

    async def _unless_stopped(self, made: asyncio.Future[Journal]) -> Journal | None:
        stopped: asyncio.Future[object] = asyncio.ensure_future(self._stop.wait())
        waiting: set[asyncio.Future[Any]] = {made, stopped}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return made.result() if made.done() else None

    def _take_snapshot(self, part: Part | None) -> None:
        if part is None:
            self._received.lost()
        elif self._received.take(part):
            self._book.forget_limits()
            self._admission.renew()

    def _take_slots(self, path: Path, made: asyncio.Future[Journal]) -> Journal:
        # Held as long as this process lives: the keeper takes a journal whose slots are not locked for a dead worker's.
        self._slots_fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._slots_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._crash("worker.linked")
        loop = asyncio.get_running_loop()
        journal = self._journal = (
            Journal(path) if self._boot.crash is None else CrashingJournal(path, self._crash, loop.call_soon)
        )
        if self._config.store.durability == "strict":
            self._sync = GroupSync(journal, lambda event, fields: log(event, fields, "worker"), self._crash)
        # The segments are told next, in the same read or a later one.
        asyncio.get_running_loop().create_task(_when_it_has_segments(journal, made))
        return journal

    def _names(self) -> list[str]:
        return self._replies.calls() if self._replies is not None else []

    def _fence(self) -> None:
        """Nobody reads this process's journal any more: nothing may be sent, nor anybody be told of a whole answer."""
        log("fenced", {"epoch": self._boot.epoch}, "worker")
        self._fenced = True
        self._longest = self._grace = 0.0
        if self._journal is not None:
            self._journal.hold(True)
        self._stop_now()

    def _stop_now(self) -> None:
        self._stop.set()
        self._leave.set()

    def _supervisor_gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._boot.alive_fd)
        # Nobody told us to stop in order: whoever starts the gateway again waits for our last entries.
        self._longest = ORPHAN_GRACE
        self._grace = min(self._grace, ORPHAN_GRACE)
        self._stop_now()


def _tell_crash(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody caught: asyncio's own words would quote it, and a caller with it."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        report(error)
    else:
        log("loop", {"level": "error", "what": str(context.get("message", ""))[:200]}, "worker")


async def _when_it_has_segments(journal: Journal, made: asyncio.Future[Journal]) -> None:
    while not journal.spares:
        await asyncio.sleep(0.005)
    if not made.done():
        made.set_result(journal)


def main() -> None:
    """Run a worker."""
    boot = read_boot(WorkerBoot)

    async def work() -> int:
        return await Worker(boot).run()

    sys.exit(uvloop.run(work()))


if __name__ == "__main__":
    main()
