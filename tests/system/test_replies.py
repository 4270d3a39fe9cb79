"""Idempotency-Keys against real processes: one call to the provider, one charge, and the answer as often as wanted.

Every call comes over a connection of its own, so it may reach any of the workers. What the provider was asked is read
from the fake upstream's own statement.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count as counting
from pathlib import Path
from typing import Any

import pytest

from encke.testing.process import UpstreamProcess
from tests.support.client import Client, Response, chat
from tests.support.evidence import EVIDENCE
from tests.support.gateway import Gateway, lab
from tests.support.operate import encke

NAMES = (f"name-{number}" for number in counting())
SLOW = 'behave: {"name": "polite", "chunks": 12, "interval": 0.05}'


@dataclass
class Site:
    """A gateway and the provider behind it."""

    gateway: Gateway
    upstream: UpstreamProcess
    patience_ends: float = field(default_factory=lambda: time.monotonic() + 60)

    def ask(self, body: Any, name: str | None, path: str = "/v1/chat/completions", **more: Any) -> Response:
        """One call over a connection of its own; once more where the keeper was slow, on a machine that is busy."""
        headers = {**({"idempotency-key": name} if name is not None else {}), **more.pop("headers", {})}
        key, patient = more.pop("key", self.gateway.key), more.pop("patient", True)
        while True:
            with Client(self.gateway.port, timeout=60) as client:
                answer = client.call("POST", path, body, headers=headers, key=key)
            if not patient or answer.status != 503 or time.monotonic() > self.patience_ends:
                return answer
            time.sleep(0.1)

    def asked(self, nonce: str) -> int:
        """How often the provider was asked with this nonce."""
        return sum(call.nonce == nonce for call in self.upstream.statement.calls())

    def entries(self, nonce: str, least: int = 0) -> list[tuple[Any, ...]]:
        """What the ledger has under the nonce as `x-request-id`: call, attempt, status, input, output; once there are
        so many."""
        query = "SELECT call, attempt, status, input, output FROM entries WHERE client_request_id = ? AND attempt"
        deadline = time.monotonic() + 10
        while True:
            db = sqlite3.connect(f"file:{self.gateway.data / 'encke.db'}?mode=ro", uri=True)
            rows = db.execute(query, (nonce,)).fetchall()
            db.close()
            if len(rows) >= least:
                return sorted(rows)
            assert time.monotonic() < deadline, rows
            time.sleep(0.05)

    @property
    def files(self) -> list[Path]:
        """The answers that are kept."""
        return sorted((self.gateway.data / "replies").iterdir())

    def wait(self, condition: Callable[[], object], problem: str, seconds: float = 15) -> None:
        """Until it holds."""
        self.gateway.wait_for(condition, seconds, problem)


def settings(upstream: UpstreamProcess, workers: int = 3, **idempotency: int) -> dict[str, Any]:
    """Several workers, no embedded model."""
    return {
        **lab(upstream.url), "local": {"enabled": False}, "server": {"workers": workers, "grace": 5},
        "idempotency": idempotency, "routing": {"retries": 0, "breaker": "off"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three workers, for what breaks nothing."""
    folder = tmp_path_factory.mktemp("replies")
    with UpstreamProcess(folder / "upstream") as upstream, Gateway(folder / "gateway", settings(upstream)) as gateway:
        yield Site(gateway, upstream)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """A gateway of one's own: `make(workers, env={}, keep=2)`."""
    with UpstreamProcess(tmp_path / "upstream") as upstream:
        made: list[Gateway] = []

        def start(workers: int = 2, env: dict[str, str] | None = None, **idempotency: int) -> Site:
            made.append(Gateway(tmp_path / "gateway", settings(upstream, workers, **idempotency), env=env))
            return Site(made[-1], upstream)

        yield start
        for gateway in made:
            gateway.stop()


def code(answer: Response) -> str:
    """The error's code."""
    found: str = answer.json()["error"]["code"]
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_again_is_the_same_answer(site: Site, stream: bool) -> None:
    """Byte for byte, from whichever worker, with the first call's id told and one's own beside it: asked once, charged
    once, one entry."""
    name, nonce = next(NAMES), f"again{stream}"
    body = chat(f"token:{nonce}", "lab/m", stream=stream)
    first = site.ask(body, name, headers={"x-request-id": nonce})
    assert first.status == 200 and first.header("x-encke-replayed") is None
    ids = {first.header("x-request-id")}
    for _ in range(12):
        again = site.ask(body, name, headers={"x-request-id": nonce})
        assert (again.status, again.body, again.complete) == (200, first.body, True)
        assert again.header("content-type") == first.header("content-type")
        assert again.header("transfer-encoding") == first.header("transfer-encoding")
        assert again.header("x-encke-replayed") == first.header("x-request-id")
        assert again.header("x-encke-attempts") == "0"
        ids.add(again.header("x-request-id"))
    assert len(ids) == 13 and site.asked(nonce) == 1
    assert [row[:3] for row in site.entries(nonce, 1)] == [(first.header("x-request-id"), 1, "complete")]
    if stream:
        assert first.events()[-1] == "[DONE]"
    told = f'"replayed":"{first.header("x-request-id")}"'
    site.wait(lambda: site.gateway.log.count(told) == 12, "the access log has not all of them")
    lines = [json.loads(line) for line in site.gateway.log.splitlines() if told in line]
    assert {line["outcome"] for line in lines} == {"replayed"} and "provider" not in lines[0]


def test_other_words_under_the_same_name(site: Site) -> None:
    """409, whoever answers, and the first answer stays to be had; also where only the header that adds the cost is
    another."""
    name = next(NAMES)
    body = chat("token:words", "lab/m")
    first = site.ask(body, name)
    for other in (
        chat("token:other", "lab/m"),
        chat("token:words", "lab/m", stream=True),
        chat("token:words ", "lab/m"),
    ):
        refused = site.ask(other, name)
        assert (refused.status, code(refused)) == (409, "idempotency_conflict")
        assert (
            refused.header("x-should-retry") == "false"
            and str(first.header("x-request-id")) in refused.json()["error"]["message"]
        )
    assert site.ask(body, name).body == first.body
    assert site.asked("words") == 1 and site.asked("other") == 0


@pytest.mark.parametrize("stream", [False, True])
def test_fifty_at_once(site: Site, stream: bool) -> None:
    """The provider is asked once; the others are told that it runs, or get its answer when it is there."""
    name, nonce = next(NAMES), f"fifty{stream}"
    # Long enough for all to have come while it runs, on a machine that is busy.
    slow = 'behave: {"name": "polite", "chunks": 12, "interval": 0.25}'
    body = chat(f"token:{nonce} {slow}", "lab/m", stream=stream)
    answers: list[Response] = []
    ready = threading.Barrier(50)

    def one() -> None:
        ready.wait()
        answers.append(site.ask(body, name))

    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [answer for answer in answers if answer.status == 200]
    told = [answer for answer in answers if answer.status == 409]
    assert len(good) + len(told) == 50, [(one.status, one.body) for one in answers if one not in good + told]
    assert site.asked(nonce) == 1 and len({answer.body for answer in good}) == 1
    assert len([one for one in good if not one.header("x-encke-replayed")]) == 1
    for answer in told:
        assert code(answer) == "idempotency_in_progress"
        assert (answer.header("retry-after"), answer.header("x-should-retry")) == ("1", "true")
    assert told
    assert site.ask(body, name).body == good[0].body


@pytest.mark.parametrize("model", ["lab/fault-400", "lab/fault-500", "lab/fault-reset-mid-stream", "lab/no-such"])
def test_a_failed_call_frees_its_name(site: Site, model: str) -> None:
    """A refusal, a failure, a stream that breaks off: the next try is a call of its own, at once."""
    name, nonce = next(NAMES), f"failed{model.rpartition('-')[2]}"
    if model == "lab/no-such":
        model = "nothing"
    body = chat(f"token:{nonce}", model, stream="stream" in model)
    tries = [site.ask(body, name) for _ in range(5)]
    assert {one.header("x-encke-replayed") for one in tries} == {None}
    assert {one.status for one in tries} == {
        200 if "stream" in model else 404 if model == "nothing" else tries[0].status
    }
    assert len({one.header("x-request-id") for one in tries}) == 5
    assert site.asked(nonce) == (0 if model == "nothing" else 5)
    good = site.ask(chat(f"token:{nonce}", "lab/m"), name)
    assert good.status == 200


def test_a_caller_who_leaves_midway(site: Site) -> None:
    """Its call is billed as received and its name is free: the retry runs anew, and is then what is replayed."""
    name, nonce = next(NAMES), "midway"
    body = chat(f"token:{nonce} {SLOW}", "lab/m", stream=True)
    with site.gateway.client() as client:
        headers = {"idempotency-key": name, "x-request-id": nonce}
        client.request("POST", "/v1/chat/completions", body, headers=headers, key=site.gateway.key)
        next(client.events(client.read_head()))
        client.reset()
    site.entries(nonce, 1)
    again = site.ask(body, name, headers={"x-request-id": nonce})
    assert again.status == 200 and again.header("x-encke-replayed") is None
    assert site.ask(body, name).body == again.body
    left, whole = site.entries(nonce, 2)
    assert (left[2], whole[2]) == ("client_closed", "complete") and 0 < left[4] < whole[4] and site.asked(nonce) == 2


def test_nobody_comes_to_anothers_answer(site: Site) -> None:
    """The same name of another key, or on another route, is another name; one that is revoked gets nothing."""
    name, body = next(NAMES), chat("token:tenants", "lab/m")
    made = encke(site.gateway, "keys", "create", "--name", "tenant", "--json")
    assert made.returncode == 0, made.stderr
    EVIDENCE.terminal(made.stdout.encode())
    other = json.loads(made.stdout)
    first = site.ask(body, name)
    theirs = site.ask(body, name, key=other["key"])
    assert theirs.status == 200 and theirs.header("x-encke-replayed") is None and site.asked("tenants") == 2
    assert site.ask(body, name, key=other["key"]).header("x-encke-replayed") == theirs.header("x-request-id")
    assert site.ask(body, name).header("x-encke-replayed") == first.header("x-request-id")
    elsewhere = site.ask(body, name, path="/v1/completions")
    # Looked at anew: it has no prompt.
    assert elsewhere.status == 400 and elsewhere.header("x-encke-replayed") is None
    assert encke(site.gateway, "keys", "revoke", "tenant", "--yes").returncode == 0
    assert site.ask(body, name, key=other["key"]).status == 401


def test_an_answer_once_more_counts_against_no_limit(site: Site) -> None:
    """Of two requests a minute the first is repeated ten times, and there is one left; a refusal frees its name."""
    made = encke(site.gateway, "keys", "create", "--name", "limited", "--rpm", "2", "--concurrency", "1", "--json")
    assert made.returncode == 0, made.stderr
    EVIDENCE.terminal(made.stdout.encode())
    key = json.loads(made.stdout)["key"]
    name, body = next(NAMES), chat("token:limits", "lab/m")
    first = site.ask(body, name, key=key)
    assert first.status == 200
    assert {site.ask(body, name, key=key).header("x-encke-replayed") for _ in range(10)} == {
        first.header("x-request-id")
    }
    assert site.ask(body, next(NAMES), key=key).status == 200
    refused = next(NAMES)
    assert {code(site.ask(body, refused, key=key)) for _ in range(2)} == {"rate_limit_exceeded"}
    assert site.ask(body, name, key=key).body == first.body and site.asked("limits") == 2


@pytest.mark.parametrize("name", ["", "x" * 256, "caf\u00e9", "a\tb"])
def test_names_that_are_none(site: Site, name: str) -> None:
    """400 with what a name is; nobody is asked."""
    refused = site.ask(chat("token:none", "lab/m"), name)
    assert (refused.status, code(refused), refused.json()["error"]["param"]) == (
        400,
        "invalid_value",
        "Idempotency-Key",
    )
    assert site.asked("none") == 0


def test_two_names_in_one_request(site: Site) -> None:
    """Refused: somebody in front may have read the other."""
    body = json.dumps(chat("token:two", "lab/m")).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {site.gateway.key}\r\n"
    head += f"idempotency-key: a\r\nidempotency-key: b\r\ncontent-length: {len(body)}\r\n\r\n"
    with site.gateway.client() as client:
        client.send(head.encode() + body)
        refused = client.read()
    assert (refused.status, code(refused)) == (400, "bad_request") and site.asked("two") == 0


def test_ids_of_callers_are_no_names(site: Site) -> None:
    """A hundred requests with one `x-request-id` and a hundred bodies are a hundred calls, each with its charge."""
    with site.gateway.client() as client:
        for number in range(100):
            body = chat(f"token:id{number}", "lab/m")
            headers = {"x-request-id": "always-the-same"}
            answer = client.call("POST", "/v1/chat/completions", body, headers=headers, key=site.gateway.key)
            assert answer.status == 200 and f"token:id{number}".encode() in answer.body
    rows = site.entries("always-the-same", 100)
    assert len(rows) == 100 and len({row[0] for row in rows}) == 100 and all(row[3] and row[4] for row in rows)
    assert (
        sum(call.nonce is not None and call.nonce.startswith("id") for call in site.upstream.statement.calls()) == 100
    )


def test_files_are_their_owners(site: Site) -> None:
    """Whoever else is on the machine reads no answer."""
    site.ask(chat("token:files", "lab/m"), next(NAMES))
    folder = site.gateway.data / "replies"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and site.files
    assert {stat.S_IMODE(path.stat().st_mode) for path in site.files} == {0o600}


def test_a_large_answer(make: Callable[..., Site]) -> None:
    """One over `max_answer` is given once; the retry is told that it was completed, and is not charged."""
    site = make(max_answer=2048)
    big = 'behave: {"name": "polite", "chunks": 400}'
    for stream in (False, True):
        name, nonce = next(NAMES), f"large{stream}"
        body = chat(f"token:{nonce} {big}", "lab/m", stream=stream)
        first = site.ask(body, name)
        assert first.status == 200 and len(first.body) > 2048
        refused = site.ask(body, name)
        assert (refused.status, code(refused)) == (409, "idempotency_conflict")
        message = refused.json()["error"]["message"]
        assert "completed and charged" in message and str(first.header("x-request-id")) in message
        assert site.asked(nonce) == 1 and site.files == []


def test_room_is_made_and_answers_grow_old(make: Callable[..., Site]) -> None:
    """The oldest go when all together are too large, and all when their time is over: then the call is run anew."""
    site = make(keep=4, max_total=1 << 20)
    big = 'behave: {"name": "polite", "chunks": 3500}'
    bodies = [(next(NAMES), chat(f"token:room{number} {big}", "lab/m")) for number in range(40)]
    began = time.monotonic()
    for name, body in bodies[:30]:
        assert site.ask(body, name).status == 200
    assert sum(-(-path.stat().st_size // 4096) * 4096 for path in site.files) <= 1.1 * (1 << 20)
    name, body = bodies[0]
    if time.monotonic() - began < 3:
        refused = site.ask(body, name)
        assert (refused.status, code(refused)) == (409, "idempotency_conflict")
        assert "idempotency.max_total" in refused.json()["error"]["message"]
    site.wait(lambda: not site.files, "old answers were not removed")
    assert site.ask(body, name).status == 200 and site.asked("room0") == 2


def test_the_header_is_not_heeded_when_it_is_off(make: Callable[..., Site]) -> None:
    """`keep = 0`: every call is a call."""
    site = make(keep=0)
    name, body = next(NAMES), chat("token:off", "lab/m")
    assert [site.ask(body, name).status for _ in range(3)] == [200] * 3
    assert site.asked("off") == 3 and site.files == []


def test_a_keeper_that_is_away(make: Callable[..., Site]) -> None:
    """No name can be looked up: 503 within a moment for those who ask with one, never a second charge; the others do
    not notice. It comes back, and everything is as before."""
    site = make()
    name, body = next(NAMES), chat("token:away", "lab/m")
    first = site.ask(body, name)
    pid = site.gateway.kill("keeper", number=signal.SIGSTOP)
    try:
        for wanted in (name, next(NAMES)):
            began = time.monotonic()
            refused = site.ask(body, wanted, patient=False)
            assert (refused.status, code(refused), refused.header("retry-after")) == (503, "unavailable", "1")
            assert time.monotonic() - began < 5
        assert site.ask(body, None).status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    site.wait(lambda: site.ask(body, name).body == first.body, "the answer was not to be had again")
    site.gateway.kill("keeper")
    site.wait(lambda: site.ask(body, name).body == first.body, "the next keeper does not know it")
    assert site.asked("away") == 2


def test_the_keeper_dies_during_a_call(make: Callable[..., Site]) -> None:
    """The call goes on, is kept, and is known to the next keeper: nobody asks the provider again."""
    site = make()
    name, nonce = next(NAMES), "dying"
    body = chat(f"token:{nonce} {SLOW}", "lab/m", stream=True)
    with site.gateway.client() as client:
        client.request("POST", "/v1/chat/completions", body, headers={"idempotency-key": name}, key=site.gateway.key)
        head = client.read_head()
        site.gateway.kill("keeper")
        whole = b"".join(client.body(head))
    assert b"[DONE]" in whole
    seen: list[Response] = []

    def replayed() -> bool:
        seen.append(site.ask(body, name))
        return seen[-1].status == 200

    site.wait(replayed, "it was not replayed")
    assert seen[-1].body == whole and {one.status for one in seen} <= {200, 409, 503} and site.asked(nonce) == 1


@pytest.mark.parametrize(
    ("place", "again"),
    [
        ("worker.sent", 2),
        ("worker.progress:3", 2),
        ("worker.reply_kept", 2),
        ("worker.settled", 1),
        ("keeper.reply_begun", 1),
        ("keeper.reply_done", 1),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_whoever_dies(make: Callable[..., Site], place: str, again: int, stream: bool) -> None:
    """A call that was not settled is run again; one that was settled as complete is answered from what was kept,
    though nobody has seen its end; and the statement agrees with the ledger."""
    site = make(1, {"ENCKE_CRASHPOINT": place})
    name, nonce = next(NAMES), "doomed"
    slow = 'behave: {"name": "polite", "chunks": 6, "interval": 0.02}' if stream else ""
    body = chat(f"token:{nonce} {slow}", "lab/m", stream=stream)
    if place == "worker.progress:3" and not stream:
        pytest.skip("a whole answer comes in one piece")
    seen: list[Response] = []

    def answered() -> bool:
        try:
            seen.append(site.ask(body, name, headers={"x-request-id": nonce}))
        except (ConnectionError, TimeoutError):
            return False
        return seen[-1].status == 200 and seen[-1].complete

    site.wait(answered, "the call was never answered")
    assert f'"place":"{place.partition(":")[0]}"' in site.gateway.log
    # The keeper may be on its way back.
    site.wait(lambda: site.ask(body, name).body == seen[-1].body, "it is not answered again")
    assert {one.status for one in seen} <= {200, 409, 503} and site.asked(nonce) == again
    rows = site.entries(nonce, again)
    assert len(rows) == again and [row[2] for row in rows].count("complete") == 1
    if again == 1 and place.startswith("worker."):
        assert seen[-1].header("x-encke-replayed") == rows[0][0]


def test_everything_dies_and_starts_again(make: Callable[..., Site]) -> None:
    """What was answered is answered the same, what was running is free; nothing lies about that nobody knows."""
    site = make()
    done, body = next(NAMES), chat("token:done", "lab/m")
    first = site.ask(body, done)
    running, slow = next(NAMES), chat(f"token:running {SLOW}", "lab/m", stream=True)
    with site.gateway.client() as client:
        client.request("POST", "/v1/chat/completions", slow, headers={"idempotency-key": running}, key=site.gateway.key)
        client.read_head()
        site.gateway.kill_all()
    folder = site.gateway.data / "replies"
    for stray in ("019aa2b4-6c1e-7d3a-9f00-3c5d0c1e2f4a", "019aa2b4-6c1e-7d3a-9f00-3c5d0c1e2f4b.new"):
        (folder / stray).write_bytes(b"stray")
    site = make()
    assert [path.name for path in site.files] == [first.header("x-request-id")]
    assert site.ask(body, done).body == first.body and site.asked("done") == 1
    site.wait(lambda: site.ask(slow, running).status == 200, "the name was not freed")
    assert site.asked("running") == 2


def test_a_file_that_is_gone_or_damaged(make: Callable[..., Site]) -> None:
    """The retry is told, and nobody is charged again."""
    site = make()
    for damaged in (False, True):
        name, body = next(NAMES), chat("token:spoilt", "lab/m")
        asked = site.asked("spoilt")
        first = site.ask(body, name)
        path = site.gateway.data / "replies" / str(first.header("x-request-id"))
        if damaged:
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        else:
            path.unlink()
        refused = site.ask(body, name)
        assert (refused.status, code(refused)) == (409, "idempotency_conflict") and site.asked("spoilt") == asked + 1


def test_no_room_for_the_answer(make: Callable[..., Site]) -> None:
    """It cannot be written: the caller has it all the same, and a retry is told instead of being charged."""
    site = make()
    folder = site.gateway.data / "replies"
    folder.rmdir()
    folder.write_bytes(b"no folder")
    name, body = next(NAMES), chat("token:nowhere", "lab/m")
    assert site.ask(body, name).status == 200
    refused = site.ask(body, name)
    assert (refused.status, code(refused)) == (409, "idempotency_conflict") and site.asked("nowhere") == 1
    folder.unlink()
    folder.mkdir(mode=0o700)
