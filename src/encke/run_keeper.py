"""The keeper process: `python -m encke.run_keeper FD`, started by the supervisor."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Mapping

import uvloop

from encke.children import KeeperBoot, log, read_boot, say_ready, use_log
from encke.config.checks import retention_days
from encke.config.settings import Config
from encke.config.wire import decode_config
from encke.core.crash import crash_at
from encke.core.paths import DataPaths
from encke.keeper.gauge import JournalCap
from encke.keeper.keeper import Keeper, KeeperConnection
from encke.keeper.replies import ReplyRules
from encke.keys.pepper import PepperError, load_pepper
from encke.store.port import StoreError
from encke.store.sqlite import SqliteStore
from encke.telemetry.pages import Pages
from encke.telemetry.reporter import Reporter

LOCK_SECONDS = 60.0
LAST_WORKERS_SECONDS = 3.0
FEWEST_SEGMENTS = 4  # whatever the limit, or nothing could ever be admitted


def tell(event: str, fields: Mapping[str, object]) -> None:
    """A line of the process log."""
    log(event, fields, "keeper")


def take_lock(paths: DataPaths) -> int:
    """Be the only writer. A keeper of a gateway that is just ending may hold the lock for a moment yet."""
    fd = os.open(paths.keeper_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > end:
                tell("locked_out", {"path": str(paths.keeper_lock)})
                sys.exit(1)
            time.sleep(0.05)


async def work(boot: KeeperBoot, config: Config, paths: DataPaths) -> None:
    """Keep until told to stop."""
    crash = crash_at(boot.crash)
    crash("keeper.starting")
    size = config.store.journal_segment
    cap = JournalCap(max(config.store.journal_limit, FEWEST_SEGMENTS * size), config.store.journal_age)
    rules = ReplyRules(config.idempotency.keep * 1000, config.idempotency.max_total)
    retention = retention_days(config.store.retention)
    try:
        before_commit = (lambda: crash("keeper.committing")) if boot.crash is not None else None
        store = SqliteStore.open(config.store_path, check=False, before_commit=before_commit)
        pepper = load_pepper(paths.pepper, keys_exist=bool(store.list_keys()))
        keeper = Keeper(store, pepper, paths, size, tell, cap, crash, retention, rules)
    except (StoreError, PepperError) as error:
        tell("store_not_opened", {"reason": str(error)})
        sys.exit(1)
    keeper.recover()
    keeper.tick(asyncio.get_running_loop().time())
    loop = asyncio.get_running_loop()
    path = paths.keeper_sock
    path.unlink(missing_ok=True)
    old = os.umask(0o177)
    try:
        server = await loop.create_unix_server(lambda: KeeperConnection(keeper), str(path))
    finally:
        os.umask(old)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def supervisor_gone() -> None:
        loop.remove_reader(boot.alive_fd)
        stop.set()

    loop.add_reader(boot.alive_fd, supervisor_gone)
    running = asyncio.create_task(keeper.run())
    reporter = Reporter(Pages(boot.pages_fd), boot.page, "keeper", lambda: keeper.sheet(loop.time()))
    reporter.start()
    say_ready(boot.ready_fd)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()  # a fault of ours: end with its traceback, be started again
    # Workers may still be finishing their calls; what they write is shipped to the end.
    end = loop.time() + config.server.grace + LAST_WORKERS_SECONDS
    while keeper.has_workers and loop.time() < end:
        await asyncio.sleep(0.05)
    server.close()
    keeper.close()
    await running
    reporter.stop()
    store.checkpoint_idle()
    store.close()
    path.unlink(missing_ok=True)


def main() -> None:
    """Run the keeper."""
    boot = read_boot(KeeperBoot)
    config = decode_config(boot.config)
    use_log(config)
    paths = DataPaths(config.data_dir)
    take_lock(paths)
    uvloop.run(work(boot, config, paths))


if __name__ == "__main__":
    main()
