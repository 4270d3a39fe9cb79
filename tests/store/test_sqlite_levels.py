"""Organisations, projects, keys and limits in SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.store.port import Store
from encke.store.sqlite import SqliteStore
from tests.store.contract import key
from tests.store.level_contract import LevelContract


class TestLevelContract(LevelContract):
    """The contract holds for SQLite."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        store = SqliteStore.open(tmp_path / "encke.db")
        yield store
        store.close()


KILLED = """
import json, os, sys
from itertools import count
from pathlib import Path
from encke.store.sqlite import SqliteStore

path, public_id = Path(sys.argv[1]), sys.argv[2]


def rotate(moment):
    store, seen = SqliteStore.open(path, check=False), count(1)
    store._db.set_progress_handler(lambda: os._exit(9) if next(seen) == moment else False, 1)
    store._db.set_commit_hook(lambda: os._exit(9) if next(seen) == moment else False)
    store.rotate_key(public_id, b"2" * 32, 9_000)
    os._exit(0)


for moment in count(1):
    child = os.fork()
    if not child:
        rotate(moment)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    store = SqliteStore.open(path)
    ends = {digest.hex(): grant.expires for digest, grant in store.live_keys().grants.items()}
    print(json.dumps([status, ends, len(store.old_secrets())]), flush=True)
    store.close()
    if len(ends) == 2:
        break
"""


def test_killed_while_rotating(tmp_path: Path) -> None:
    """Whenever the process dies, after any single step of the database's engine: the old secret by itself is good, or
    the new one and the old one in its grace, and nothing is half done."""
    path = tmp_path / "encke.db"
    store = SqliteStore.open(path)
    stored, first = key(1)
    store.add_key(stored, first)
    store.close()
    command = [sys.executable, "-c", KILLED, str(path), stored.public_id]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    moments = [json.loads(line) for line in ran.stdout.splitlines()]
    before, after = {first.hex(): None}, {first.hex(): 9_000, (b"2" * 32).hex(): None}
    assert len(moments) > 50 and all(moment == [9, before, 0] for moment in moments[:-1])
    assert moments[-1] in ([0, after, 1], [9, after, 1])  # it died when all was done
