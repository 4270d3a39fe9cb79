"""The store, or its disk, is not to be had for a while: calls go on while the journals have room, and are refused
before they are sent when they have none; nothing is lost, nobody gets 401, and it ends by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.conftest import Count
from tests.durability.siege import Siege
from tests.support.client import chat
from tests.support.gateway import KEY, Gateway, lab, to_toml

RECOVERS_WITHIN = 60.0  # 5 s are promised; a shared machine gets more
# Small segments and a low limit, so that a journal is full within seconds.
SMALL = {"journal_segment": 1 << 20, "journal_limit": 16 << 20}


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size; the test is left out where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mounted(folder: Path, how: str) -> None:
    """Mount it again, `ro` or `rw`; when the dead who had it open have let go of it, which may take a while."""
    ends = time.monotonic() + 60
    while (made := subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], capture_output=True)).returncode:
        assert time.monotonic() < ends, made.stderr.decode()
        time.sleep(0.05)


def shipped(siege: Siege) -> int:
    """Entries in the store; -1 where it cannot even be read just now."""
    try:
        db = apsw.Connection(str(siege.store), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error:
        return -1
    try:
        return int(db.execute("SELECT count(*) FROM entries").get)
    except apsw.Error:
        return -1
    finally:
        db.close()


def trouble(siege: Siege, begin: Callable[[], object], end: Callable[[], object]) -> str:
    """Load, trouble in the middle of it, load; what was found. Calls are answered before, meanwhile and after."""
    siege.wait_for_calls(30)
    before = siege.gateway.pids("worker")
    begin()
    siege.wait(lambda: '"store_unavailable"' in siege.gateway.log, 30, "the keeper has not noticed")
    stood = shipped(siege)
    siege.wait_for_calls(30)
    assert shipped(siege) == stood
    end()
    over = time.monotonic()
    siege.wait(lambda: shipped(siege) > max(stood, 0), RECOVERS_WITHIN, "the store is not used again")
    took = time.monotonic() - over
    siege.wait_for_calls(10)
    assert siege.gateway.pids("worker") == before, "somebody was started again"
    verdict = siege.finish()
    assert verdict.problems == []
    assert verdict.counts["seen error"] == 0
    return f"used again after {took:.1f} s: {verdict}"


def test_full(tmp_path: Path, count: Count) -> None:
    """The store's own disk is full, the journals' is not: calls are answered, and shipped when there is room."""
    with (
        small_disk(tmp_path / "small", "12m") as small,
        Siege(tmp_path, 30, 2, named=False, store={"url": f"sqlite:{small / 'encke.db'}"}) as siege,
    ):

        def fill() -> None:
            fd = os.open(small / "filler", os.O_WRONLY | os.O_CREAT)
            with pytest.raises(OSError):
                while True:
                    os.write(fd, b"x" * 4096)
            os.close(fd)

        count(f"store full: {trouble(siege, fill, (small / 'filler').unlink)}")


def test_read_only(tmp_path: Path, count: Count) -> None:
    """The store's file system has turned read-only, as one does that has met an error, and the keeper starts on it."""
    with (
        small_disk(tmp_path / "small", "64m") as small,
        Siege(tmp_path, 30, 2, named=False, store={"url": f"sqlite:{small / 'encke.db'}"}) as siege,
    ):

        def turn() -> None:
            # What is open for writing keeps a file system from being turned by hand.
            supervisor, keeper = siege.gateway.pids("supervisor")[0], siege.gateway.pids("keeper")[0]
            os.kill(supervisor, signal.SIGSTOP)
            os.kill(keeper, signal.SIGKILL)
            siege.wait(lambda: keeper not in siege.gateway.processes(), 30, "the keeper lives")
            mounted(small, "ro")
            os.kill(supervisor, signal.SIGCONT)

        found = trouble(siege, turn, lambda: mounted(small, "rw"))
        count(f"store read-only: {found}")


def test_slow(tmp_path: Path, count: Count) -> None:
    """The keeper stands still for seconds at a time, as on a disk that does not answer: callers notice nothing."""
    with Siege(tmp_path, 30, 2, named=False) as siege:
        siege.wait_for_calls(30)
        keeper = siege.gateway.pids("keeper")[0]
        for _ in range(3):
            os.kill(keeper, signal.SIGSTOP)
            siege.wait_for_calls(10)
            stood = shipped(siege)
            time.sleep(1.0)
            os.kill(keeper, signal.SIGCONT)
            siege.wait(lambda stood=stood: shipped(siege) > stood, RECOVERS_WITHIN, "nothing comes")  # type: ignore[misc]
        verdict = siege.finish()
        assert siege.gateway.log.count('"child_ended"') == 0
    count(f"store slow: {verdict}")
    assert verdict.problems == [] and verdict.counts["seen error"] + verdict.counts["seen broken"] == 0


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_locked(tmp_path: Path, count: Count) -> None:
    """Another program holds the store's lock; the keeper does all else, and a command is told who is at fault."""
    with Siege(tmp_path, 30, 2, named=False) as siege, contextlib.ExitStack() as held:
        holders: list[subprocess.Popen[str]] = []

        def hold() -> None:
            command = [sys.executable, "-c", HOLDER, str(siege.store)]
            holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            holders.append(held.enter_context(holder))
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"

        def let_go() -> None:
            env = {"PATH": os.environ["PATH"], "ENCKE_DATA": str(siege.gateway.data)}
            command = [sys.executable, "-m", "encke", "keys", "create", "--name", "other"]
            told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
            assert told.returncode != 0 and "locked by another process" in told.stderr
            holders[0].communicate()

        count(f"store locked: {trouble(siege, hold, let_go)}")


def test_the_cap(tmp_path: Path, count: Count) -> None:
    """The store is away for so long that the journals reach their limit: calls are refused with 503 before they are
    sent, those under way are recorded, and all goes on when the store is back."""
    with Siege(tmp_path, 60, 2, store={**SMALL, "journal_age": 5.0}) as siege:
        siege.wait_for_calls(30)
        db = apsw.Connection(str(siege.store))
        db.execute("BEGIN IMMEDIATE")
        siege.wait(lambda: '"journal_full"' in siege.gateway.log, 60, "no end of it")
        with siege.gateway.client() as client:
            siege.wait(lambda: refused(client) == (503, "unavailable"), 30, "it is not refused")
        db.execute("ROLLBACK")
        db.close()
        siege.wait(lambda: '"journal_free"' in siege.gateway.log, RECOVERS_WITHIN, "it is full for ever")
        siege.wait_for_calls(30)
        verdict = siege.finish()
    count(f"journal full: {verdict}")
    assert verdict.problems == [] and verdict.counts["seen error"] > 0


def refused(client: Any) -> tuple[int, str]:
    """Status and code of a call."""
    answer = client.call("POST", "/v1/chat/completions", chat("hello", "lab/m"), key=KEY)
    return answer.status, answer.json().get("error", {}).get("code", "")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """At the start: one sentence that names it, no traceback; nothing is left running."""
    with small_disk(tmp_path / "small", "200m") as small:
        settings = {**lab("http://127.0.0.1:9"), "local": {"enabled": False}}
        with Gateway(small, {**settings, "server": {"workers": 1}}) as gateway:
            gateway.stop()
        (tmp_path / "encke.toml").write_text(to_toml({**settings, "server": {"listen": "127.0.0.1:0"}}))
        mounted(small, "ro")
        env = {"PATH": os.environ["PATH"], "ENCKE_DATA": str(small / "data"), "ENCKE_BOOTSTRAP_KEY": KEY}
        command = [sys.executable, "-m", "encke", "serve", "--config", str(tmp_path / "encke.toml")]
        told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        mounted(small, "rw")
    assert told.returncode != 0 and "Traceback" not in told.stderr
    assert str(small) in told.stderr and "ead-only" in told.stderr
