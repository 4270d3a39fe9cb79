"""A worker, or a gateway, that is not alone any more: nothing is recorded twice, nothing goes out unrecorded."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from encke.testing.process import UpstreamProcess
from tests.support.client import chat
from tests.support.gateway import KEY, Gateway, lab

LONG = 'behave: {"name": "slow_chunks", "chunks": 2000, "interval": 0.05}'


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[UpstreamProcess]:
    """A fake upstream that outlives everything."""
    with UpstreamProcess(tmp_path / "upstream") as running:
        yield running


def settings(upstream: UpstreamProcess, **more: Any) -> dict[str, Any]:
    """One worker, no embedded model."""
    return {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 1, "grace": 5}, **more}


def rows(gateway: Gateway, call: str | None) -> list[tuple[Any, ...]]:
    """The entries of a call: status, bytes received, tokens."""
    db = apsw.Connection(str(gateway.data / "encke.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(db.execute("SELECT status, received, output FROM entries WHERE call = ?", (call,)))
    finally:
        db.close()


def test_a_worker_whose_journal_was_taken_over(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """It stood still while somebody took its journal for a dead one's: when it wakes up it is fenced, its caller is
    not told that the answer is whole, another worker serves, and the call is in the ledger once."""
    with Gateway(tmp_path, settings(upstream)) as gateway, gateway.client() as client:
        client.request("POST", "/v1/chat/completions", chat(LONG, "lab/m", stream=True), key=KEY)
        head = client.read_head()
        events = client.events(head)
        for _ in range(5):
            next(events)
        call = head.header("x-request-id")
        worker, keeper = gateway.pids("worker")[0], gateway.pids("keeper")[0]
        os.kill(worker, signal.SIGSTOP)
        supervisor = gateway.pids("supervisor")[0]
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        # The same journal without the lock that a living worker holds on it: copies.
        journal = gateway.data / "journal"
        shutil.copytree(journal, tmp_path / "copy")
        shutil.rmtree(journal)
        shutil.move(tmp_path / "copy", journal)
        os.kill(supervisor, signal.SIGCONT)
        gateway.wait_for(lambda: rows(gateway, call), 30, "the journal was not taken over")
        os.kill(worker, signal.SIGCONT)
        rest: list[str] = []
        with pytest.raises(ConnectionError):
            rest.extend(events)
        assert "[DONE]" not in rest
        gateway.wait_for(lambda: gateway.pids("worker") not in ([], [worker], [None]), 30, "no other worker")
        gateway.wait_for(lambda: gateway._ready(), 30, "it does not serve")
        assert '"event":"fenced"' in gateway.log
        assert gateway.chat(chat("hello", "lab/m")).status == 200
        gateway.stop()
        ((status, received, output),) = rows(gateway, call)
        assert status == "orphan" and received > 0 and output > 0


def test_two_gateways_on_one_folder(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """The second waits for the first one's last writer, however its supervisor died, and settles nothing that still
    runs; a third is refused while the second runs."""
    first = Gateway(tmp_path, settings(upstream))
    with first.client() as client:
        client.request("POST", "/v1/chat/completions", chat(LONG, "lab/m", stream=True), key=KEY)
        head = client.read_head()
        events = client.events(head)
        next(events)
        call = head.header("x-request-id")
        keeper = first.pids("keeper")[0]
        first.kill("supervisor")
        first.process.wait()
        with Gateway(tmp_path, settings(upstream)) as second:
            assert second.pids("keeper") != [keeper]
            with pytest.raises(AssertionError, match="already uses the data folder"):
                Gateway(tmp_path / "third", {}, env={"ENCKE_DATA": str(second.data)}, ready_within=60)
            with pytest.raises(ConnectionError):
                list(events)
            second.wait_for(lambda: rows(second, call), 30, "no entry")
            assert second.chat(chat("hello", "lab/m")).status == 200
            assert len(rows(second, call)) == 1
            deadline = time.monotonic() + 60
            while first.processes():
                assert time.monotonic() < deadline, first.processes()
                time.sleep(0.1)
