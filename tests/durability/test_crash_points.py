"""Processes that die at named places, one after the other, under load: the accounts agree afterwards."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encke.core.crash import PLACES, STATUS
from encke.store.migrations import STEPS
from tests.conftest import Count, Size
from tests.durability.siege import Siege
from tests.support.client import chat
from tests.support.gateway import KEY, Gateway, lab, session_processes, to_toml

# The first to be reached: these need a worker to die or to start, or to ask for allowance because it has none yet, and
# workers die until their own places are through.
NEED_A_DEATH = (
    "keeper.journal_made",
    "keeper.orphans",
    "keeper.removing",
    "keeper.forgetting",
    "keeper.granting",
    "keeper.granted",
)
# Not the first time, where the first says little.
NTH = {
    "keeper.reading": 40,
    "keeper.committing": 5,
    "keeper.committed": 7,
    "keeper.flushing": 10,
    "keeper.flushed": 15,
    "keeper.granted": 2,
    "keeper.reply_begun": 6,
    "keeper.reply_done": 4,
    "worker.reply_kept": 2,
    "worker.intending": 4,
    "worker.intended": 7,
    "worker.sent": 5,
    "worker.first_byte": 3,
    "worker.progress": 60,
    "worker.settling": 3,
    "worker.torn": 4,
    "worker.settled": 5,
    "worker.syncing": 9,
    "worker.synced": 8,
}
CHILDREN = [place for place in PLACES if place.startswith(("worker.", "keeper."))]
# In the order in which a first start comes to them. The commits are the steps of the schema, then the key; each start
# that dies at its second has made the first.
STARTS = [
    "serve.locked",
    "serve.listening",
    "serve.committing:1",
    *["serve.committing:2"] * len(STEPS),
    "serve.key_made",
    "supervisor.keeper_started",
    "supervisor.worker_started:1",
    "supervisor.worker_started:2",
]


def reached(log: str) -> list[str]:
    """The places at which processes died, in that order."""
    return re.findall(r'"event":"crash_point","place":"([a-z_.]+)"', log)


def test_every_place_in_worker_and_keeper(tmp_path: Path, size: Size, count: Count) -> None:
    """Each place once (20 times with --soak), under load, in strict durability, which has places of its own, and with
    keys that have limits of every kind: what was granted agrees with what was spent, too."""
    times = size(1, soak=20)
    early = [place for place in CHILDREN if place in NEED_A_DEATH]
    places = [*early, *(place for place in CHILDREN if place not in NEED_A_DEATH)] * times
    points = ",".join(f"{place}:{NTH.get(place, 1)}" for place in places)
    rng = random.Random(3)
    began = time.monotonic()
    with Siege(tmp_path, 60, 4, {"ENCKE_CRASHPOINT": points}, money=True, store={"durability": "strict"}) as siege:
        deadline = time.monotonic() + size(600, soak=3000)
        while len(left := missing(places, reached(siege.gateway.log))) > 0:
            assert time.monotonic() < deadline, f"never reached: {left}\n{siege.gateway.log[-3000:]}"
            if not any(place.startswith("worker.") for place in left) and any(place in NEED_A_DEATH for place in left):
                # Calls first: a keeper comes to its places only while workers live long enough to have some.
                siege.wait_for_calls(20)
                siege.kill("worker", rng)
            time.sleep(0.5)
        siege.wait_for_calls(20)
        verdict = siege.finish()
    count(
        f"crash points: {len(places)} deaths at {len(set(places))} places, {time.monotonic() - began:.0f} s: {verdict}"
    )
    assert verdict.problems == []


def missing(wanted: list[str], found: list[str]) -> list[str]:
    """Places that were not reached as often as wanted."""
    left = list(wanted)
    for place in found:
        if place in left:
            left.remove(place)
    return left


def doomed(folder: Path, point: str) -> None:
    """`encke serve` on the folder dies at that place, and its children follow it."""
    config = folder / "encke.toml"
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR") if name in os.environ}
    env = {**kept, "ENCKE_DATA": str(folder / "data"), "ENCKE_BOOTSTRAP_KEY": KEY, "ENCKE_CRASHPOINT": point}
    command = [sys.executable, "-m", "encke", "serve", "--config", str(config)]
    with (folder / "doomed.log").open("ab") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        assert process.wait(90) == STATUS, (folder / "doomed.log").read_text()[-2000:]
    finally:
        process.kill()
        process.wait()
    assert reached((folder / "doomed.log").read_text())[-1] == point.partition(":")[0]
    deadline = time.monotonic() + 30
    while session_processes(process.pid):
        assert time.monotonic() < deadline, "children outlive their supervisor"
        time.sleep(0.02)


def test_a_start_that_dies_anywhere(tmp_path: Path, count: Count) -> None:
    """Wherever the first start dies, the next one goes on from there, and the gateway works with its key."""
    settings = {**lab("http://127.0.0.1:9"), "local": {"enabled": False}}
    settings["server"] = {"workers": 2, "listen": "127.0.0.1:0"}
    (tmp_path / "encke.toml").write_text(to_toml(settings))
    for point in STARTS:
        doomed(tmp_path, point)
        store = tmp_path / "data" / "encke.db"
        if store.exists():
            db = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.close()
    with Gateway(tmp_path, settings) as gateway:
        assert gateway.chat(chat("hello", "lab/m")).status == 502  # admitted, sent, and nobody there
        gateway.stop()
    count(f"crash points: {len(STARTS)} starts that died, at {len({p.partition(':')[0] for p in STARTS})} places")


def test_the_supervisor_dies_while_starting_a_child_again(tmp_path: Path, count: Count) -> None:
    """Then everything else ends by itself, and a new gateway settles what they left."""
    with Siege(tmp_path, 30, 2, {"ENCKE_CRASHPOINT": "supervisor.restarting"}) as siege:
        siege.wait_for_calls(5)
        siege.kill("worker", random.Random(4))
        assert siege.gateway.process.wait(90) == STATUS
        siege.gateway = siege.start()
        siege.wait_for_calls(5)
        verdict = siege.finish()
    count(f"crash points: the supervisor while restarting: {verdict}")
    assert verdict.problems == [] and verdict.counts["entries orphan"] > 0


def test_every_place_is_tried() -> None:
    """No place is left out above."""
    tried = {*CHILDREN, *(point.partition(":")[0] for point in STARTS), "supervisor.restarting"}
    assert tried == set(PLACES)


@pytest.mark.parametrize("text", ["worker.nothing", "worker.sent:0", "worker.sent:x", ":3", "worker.sent,keeper"])
def test_a_place_that_is_none(tmp_path: Path, text: str) -> None:
    """It is an error that names it."""
    env = {"PATH": os.environ["PATH"], "ENCKE_DATA": str(tmp_path), "ENCKE_CRASHPOINT": text}
    run = subprocess.run([sys.executable, "-m", "encke", "config", "check"], env=env, capture_output=True, check=False)
    assert run.returncode != 0 and b"ENCKE_CRASHPOINT" in run.stderr + run.stdout
