"""A call that fails by a fault of ours: the log, the ledger, the access log and the client all learn it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from encke.calls.call import Call
from encke.calls.desk import MAX_REMEMBERED, MOST_REFUSALS, Desk, Drained, Refusals
from encke.calls.telling import note_refusal
from encke.catalogue.catalogue import Catalogue
from encke.http.drive import Signal
from encke.http.incoming import ServerLimits
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.keys.grant import Grant
from encke.keys.snapshot import Part
from encke.ledger.entry import Entry
from encke.ledger.journal import Journal, SegmentReader, make_segment, make_slots, segment_path
from encke.telemetry.access import AccessLog
from encke.worker.admission import Admission
from encke.worker.app import WorkerApp
from encke.worker.models import Discovery
from tests.http.support import LoopThread
from tests.support.admit import known
from tests.support.client import Client, chat

KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"


class Waiting(Discovery):
    """One whose providers never answer."""

    async def discover(self) -> None:
        """Wait."""
        await Signal[None]()


class Site:
    """A worker's application whose discovery fails by a fault of ours, on a loopback port."""

    def __init__(self, folder: Path, thread: LoopThread) -> None:
        self.journal = Journal(make_slots(folder, 1))
        self.journal.add_segment(make_segment(folder, 1, 1, 1 << 16))
        self.folder = folder
        self.access = folder / "access.log"
        self._fd = os.open(self.access, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        catalogue = Catalogue(frozenset({"lab"}), {})
        self._log = AccessLog(self._fd)
        self.desk = desk = Desk(catalogue, {}, self.journal, self._log, _fail)
        self.known = known(b"pepper", {"pub": KEY})
        self.admission = Admission(self.known)
        self.admission.renew()
        app = WorkerApp(desk, self.admission, Waiting(catalogue, {}, {}), ())
        members: set[ServerConnection] = set()

        def cancel() -> None:
            for one in list(members):
                one.cancel_call(Drained())

        self._cancel = cancel
        self._thread = thread

        def connection() -> asyncio.Protocol:
            return cast(asyncio.Protocol, ServerConnection(app, thread.sweeper, ServerLimits(), members))

        async def start() -> Any:
            return await thread.loop.create_server(connection, "127.0.0.1", 0)

        self.server = thread.await_(start())
        self.port: int = self.server.sockets[0].getsockname()[1]

    def revoke(self) -> None:
        """No key is good any more."""
        self.known.take(Part(2, None, b"pepper"))
        self._thread.call(self.admission.renew)

    def drain(self) -> None:
        """The time of grace is over."""
        self._thread.call(self._cancel)

    def entries(self) -> list[Entry]:
        """What stands in the journal."""
        reader = SegmentReader(segment_path(self.folder, 1, 1))
        try:
            return [record.value for record in reader.records() if isinstance(record.value, Entry)]
        finally:
            reader.close()

    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        self._log.flush()
        return [json.loads(line) for line in self.access.read_text().splitlines()]


async def _fail() -> None:
    raise ZeroDivisionError("a caller's words")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The site."""
    with LoopThread() as thread:
        running = Site(tmp_path, thread)
        yield running
        thread.call(running.server.close)


@pytest.mark.parametrize("stream", [False, True])
def test_a_crash_in_a_call_leaves_nothing_untold(site: Site, stream: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """One 500 with the call's own id, one entry, one access line of the same id, one event in the log, and the end."""
    with Client(site.port) as client:
        answer = client.call("POST", "/v1/chat/completions", chat(model="unknown", stream=stream), key=KEY)
        assert (answer.status, answer.header("connection")) == (500, "close")
        assert client.wait_ended() and client.buffer == b""
    assert answer.json()["error"]["code"] == "internal_error"
    call = answer.header("x-request-id")
    assert answer.json()["request_id"] == call
    assert [(one.call, one.status, one.reason, one.final) for one in site.entries()] == [
        (call, "rejected", "internal_error", True)
    ]
    assert [(one["request_id"], one["status"], one["code"], one["outcome"]) for one in site.lines()] == [
        (call, 500, "internal_error", "failed")
    ]
    said = capfd.readouterr().err
    assert said.count('"event":"crash"') == 1 and "ZeroDivisionError" in said and "caller's words" not in said


def test_a_key_that_is_revoked_while_the_body_comes(site: Site) -> None:
    """The head was let in; the call is not: who sends a body slowly, or a call ahead of time, keeps no key alive."""
    body = json.dumps(chat(model="unknown")).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}"
    )
    with Client(site.port) as client:
        client.send(head.encode() + b"\r\n\r\n" + body[:10])
        time.sleep(0.1)
        site.revoke()
        client.send(body[10:])
        answer = client.read()
    assert (answer.status, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert [(one["status"], one["code"], one["outcome"]) for one in site.lines()] == [
        (401, "invalid_api_key", "rejected")
    ]


def test_a_list_that_is_waited_for_when_all_is_over(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """Who asks what models there are while the gateway stops is told so; that is no fault of ours."""
    with Client(site.port) as client:
        client.request("GET", "/v1/models", key=KEY)
        time.sleep(0.1)
        site.drain()
        answer = client.read("GET")
    assert (answer.status, answer.json()["error"]["code"]) == (503, "draining")
    assert "crash" not in capfd.readouterr().err


def test_refusals_without_end_are_not_all_recorded(site: Site) -> None:
    """Of a key and an error so many a minute have an entry; the caller and the access log notice nothing of it."""
    minute = time.monotonic() // 60
    for _ in range(MOST_REFUSALS - 1):
        site.desk.refusals.takes("pub", "invalid_json", time.monotonic())
    with Client(site.port) as client:
        answers = [client.call("POST", "/v1/chat/completions", b"{", key=KEY) for _ in range(5)]
    assert {answer.status for answer in answers} == {400}
    # If a minute ended just then, it begins to count anew.
    assert len(site.entries()) == 1 or time.monotonic() // 60 != minute
    assert len(site.lines()) == 5


def test_callers_who_leave_without_end_are_not_all_recorded(site: Site) -> None:
    """Before any attempt, as often as they like: so many a minute of a key have an entry, as refusals have."""
    grant = Grant("pub", "app", 0)
    minute = time.monotonic() // 60
    for _ in range(MOST_REFUSALS - 1):
        site.desk.refusals.takes("pub", "client_closed", time.monotonic())
    for number in range(5):
        note_refusal(site.desk, Call(f"c{number}", Request(), cast(ServerConnection, None), "chat", grant), None)
    # If a minute ended just then, it begins to count anew.
    assert len(site.entries()) == 1 or time.monotonic() // 60 != minute
    assert {one.status for one in site.entries()} == {"client_closed"}


def test_how_many_refusals_are_recorded() -> None:
    """By key and by error, anew each minute; and no more of them are remembered than a bound."""
    refusals = Refusals()
    assert [refusals.takes("a", "x", 1.0) for _ in range(MOST_REFUSALS + 3)] == [True] * MOST_REFUSALS + [False] * 3
    assert refusals.takes("a", "y", 59.0) and refusals.takes("b", "x", 59.0) and not refusals.takes("a", "x", 59.9)
    assert refusals.takes("a", "x", 60.0)
    taken = [refusals.takes(f"k{number}", "x", 61.0) for number in range(2 * MAX_REMEMBERED)]
    assert taken.count(True) == MAX_REMEMBERED - 1
