"""Callers who repeat every call under its name until it is answered, while workers and keeper are killed.

Whatever dies, each name comes to one complete call and one charge, and to the same bytes whenever it is asked for.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from itertools import count as counting
from pathlib import Path

from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.client import Client, Response, chat
from tests.support.gateway import Gateway, lab

CALLERS = 16


class Caller(threading.Thread):
    """Makes one call after the other, each until it is answered whole. `answers` are by nonce."""

    def __init__(self, gateway: Gateway, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._gateway, self._number, self._stopping = gateway, number, stop
        self._rng = random.Random(number)
        self.answers: dict[str, bytes] = {}
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        """Until told to stop, and the last is answered."""
        made = 0
        while not self._stopping.is_set():
            made += 1
            nonce = f"r{self._number}x{made}"
            deadline = time.monotonic() + 60
            while nonce not in self.answers and time.monotonic() < deadline:
                if not self.ask(nonce):
                    time.sleep(0.1)

    def ask(self, nonce: str) -> bool:
        """One try; whether it was answered whole."""
        try:
            with Client(self._gateway.port, timeout=60) as client:
                headers = {"idempotency-key": nonce, "x-request-id": nonce}
                body = question(nonce)
                answer = client.call("POST", "/v1/chat/completions", body, headers=headers, key=self._gateway.key)
        except (OSError, ValueError):
            self.seen["broken"] += 1
            return False
        whole = answer.status == 200 and answer.complete and (not body["stream"] or b"[DONE]" in answer.body)
        if not whole:
            self.seen[self._problem(answer)] += 1
            return False
        self.seen["replayed" if answer.header("x-encke-replayed") else "whole"] += 1
        assert self.answers.setdefault(nonce, answer.body) == answer.body
        return True

    @staticmethod
    def _problem(answer: Response) -> str:
        if answer.status == 200:
            return "broken"
        return str(answer.status) if answer.status != 409 else str(answer.json()["error"]["code"])


def question(nonce: str) -> dict[str, object]:
    """The body that belongs to a nonce."""
    stream = int(nonce.rpartition("x")[2]) % 2 == 0
    slow = 'behave: {"name": "polite", "chunks": 6, "interval": 0.02}' if stream else ""
    return chat(f"token:{nonce} {slow}", "lab/m", stream=stream)


def test_each_name_is_charged_once(tmp_path: Path, size: Size, count: Count) -> None:
    """Killed at random, a worker or the keeper or both; then every name is asked for once more."""
    rng = random.Random(7)
    settings = {"local": {"enabled": False}, "log": {"access": "off"}, "server": {"workers": 3}}
    with (
        UpstreamProcess(tmp_path / "upstream") as upstream,
        Gateway(
            tmp_path / "gateway", {**lab(upstream.url), **settings, "routing": {"retries": 0, "breaker": "off"}}
        ) as gateway,
    ):
        stop = threading.Event()
        callers = [Caller(gateway, number, stop) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        kills = size(12, soak=500)
        for number in counting():
            # Often enough, and until somebody was in the middle of a call.
            if number >= kills and any(caller.seen["broken"] for caller in callers):
                break
            assert number < 10 * kills, "nobody notices"
            time.sleep(0.5)
            for role in rng.choice((("worker",), ("worker",), ("keeper",), ("worker", "keeper"))):
                pids = [at for at, pid in enumerate(gateway.pids(role)) if pid]
                if pids:
                    try:
                        gateway.kill(role, rng.choice(pids))
                    except ProcessLookupError:
                        pass
        stop.set()
        for caller in callers:
            caller.join(90)
            assert not caller.is_alive()
        answers = {nonce: body for caller in callers for nonce, body in caller.answers.items()}
        gateway.wait_for(lambda: callers[0].ask("r0x1"), 30, "nothing is answered any more")
        asked = Counter(call.nonce for call in upstream.statement.calls())
        for caller in callers:
            for nonce in caller.answers:
                gateway.wait_for(lambda c=caller, n=nonce: c.ask(n), 30, "a name is not answered any more")  # type: ignore[misc]
        assert Counter(call.nonce for call in upstream.statement.calls()) == asked
        gateway.stop()
        db = sqlite3.connect(f"file:{gateway.data / 'encke.db'}?mode=ro", uri=True)
        rows = db.execute("SELECT client_request_id, status FROM entries WHERE attempt").fetchall()
        db.close()
    seen: Counter[str] = sum((caller.seen for caller in callers), Counter())
    complete = Counter(nonce for nonce, status in rows if status == "complete")
    count(f"repeats: {number} kills, {len(answers)} names, {sum(asked.values())} asked of upstream, seen {dict(seen)}")
    assert len(answers) > CALLERS and seen["broken"] and seen["replayed"] >= len(answers)
    assert set(answers) <= set(complete) and set(complete.values()) == {1}
    assert Counter(nonce for nonce, _ in rows) == asked
    assert seen["idempotency_conflict"] == 0
