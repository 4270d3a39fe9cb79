"""The ledger of a running gateway: checked, copied while calls are made, put back, and each call looked up."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

from encke.testing.process import UpstreamProcess
from tests.support.client import chat
from tests.support.gateway import Gateway
from tests.support.operate import encke, settings

PRICE = {"input": "1", "output": "10"}


def _entries(gateway: Gateway) -> int:
    """How many the ledger has."""
    return int(json.loads(encke(gateway, "ledger", "verify", "--json").stdout)["entries"])


def test_backup_under_load_and_restore(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """As the documentation has it: while calls with a budget are made, a copy is taken and the ledger verified; a new
    folder with copy and pepper is a gateway whose ledger adds up, whose keys work, and whose budgets go on from
    there."""
    configured = settings(upstream)
    configured["providers"]["lab"]["price"] = PRICE
    copy = tmp_path / "copy.db"
    over, served = threading.Event(), [0]
    with Gateway(tmp_path / "old", configured) as old:
        made = encke(old, "keys", "create", "--name", "app", "--budget", "100/month", "--budget", "50")
        secret = made.stdout.strip()
        assert secret.startswith("sk-"), made

        def call() -> None:
            with old.client() as client:
                while not over.is_set():
                    stream = served[0] % 2 == 0
                    answer = client.call("POST", "/v1/chat/completions", chat("Hi", "lab/m", stream=stream), key=secret)
                    served[0] += answer.status == 200

        thread = threading.Thread(target=call)
        thread.start()
        try:
            old.wait_for(lambda: served[0] > 20, 30, "no calls were served")
            old.wait_for(lambda: _entries(old) > 0, 30, "none is in the ledger")
            during = [encke(old, "ledger", "verify", "--json") for _ in range(2)]
            made = encke(old, "ledger", "backup", str(copy))
            assert made.returncode == 0, made
        finally:
            over.set()
            thread.join(30)
        for one in during:
            assert one.returncode == 0 and json.loads(one.stdout)["entries"] > 0, one
    checked = encke(old, "ledger", "verify", "--integrity")
    assert checked.returncode == 0 and "the ledger adds up" in checked.stdout, checked
    assert json.loads(encke(old, "ledger", "verify", "--json").stdout)["entries"] == served[0]

    verdict = json.loads(encke(old, "ledger", "verify", "--file", str(copy), "--json").stdout)
    assert verdict["ok"] and 0 < verdict["entries"] <= served[0]
    data = tmp_path / "new" / "data"
    data.mkdir(parents=True, mode=0o700)
    copy.rename(data / "encke.db")
    shutil.copy2(old.data / "pepper", data / "pepper")
    with Gateway(tmp_path / "new", configured) as new, new.client() as client:
        answer = client.call("POST", "/v1/chat/completions", chat("Hi", "lab/m"), key=secret)
        assert answer.status == 200
        call_id = answer.header("x-request-id") or ""
        new.wait_for(lambda: encke(new, "ledger", "show", call_id).returncode == 0, 30, "the call is not recorded")
        shown = json.loads(encke(new, "ledger", "show", call_id, "--json").stdout)
        assert [one["state"] for one in shown["attempts"]] == ["priced"] and len(shown["charged"]) == 2
        assert {one["cost"] for one in shown["charged"]} == {shown["attempts"][0]["cost"]}
    again = json.loads(encke(new, "ledger", "verify", "--json").stdout)
    assert again["ok"] and again["entries"] == verdict["entries"] + 1, again


def test_kills_leave_a_ledger_that_adds_up(tmp_path: Path, upstream: UpstreamProcess) -> None:
    """Everything is killed in the middle of streams: what is left adds up at once, and again when the next gateway has
    settled it."""
    configured = settings(upstream)
    configured["providers"]["lab"]["price"] = PRICE
    with Gateway(tmp_path / "g", configured) as gateway:
        secret = encke(gateway, "keys", "create", "--budget", "100").stdout.strip()
        clients = [gateway.client() for _ in range(6)]
        slow = 'behave: {"name": "slow_chunks", "chunks": 4000, "interval": 0.02}'
        for client in clients:
            client.request("POST", "/v1/chat/completions", chat(slow, "lab/m", stream=True), key=secret)
            assert client.read_head().status == 200
        for _ in range(5):
            assert gateway.chat(chat("Hi", "lab/m")).status == 200
        gateway.kill_all()
        for client in clients:
            client.close()
        assert encke(gateway, "ledger", "verify").returncode == 0
    with Gateway(tmp_path / "g", configured) as gateway:
        gateway.wait_for(lambda: entries(gateway) == 11, 30, "the orphans are not settled")
        assert encke(gateway, "ledger", "verify").returncode == 0
    checked = encke(gateway, "ledger", "verify", "--integrity")
    assert checked.returncode == 0, checked


def entries(gateway: Gateway) -> int:
    """How many the ledger has."""
    return int(json.loads(encke(gateway, "ledger", "verify", "--json").stdout)["entries"])
