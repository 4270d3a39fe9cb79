"""The SQLite store: the contract, and what only a file can do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from encke.store.port import Store, StoreError
from encke.store.sqlite import SqliteStore
from tests.store.contract import StoreContract, entry, key
from tests.support.unprivileged import folder_of_nobody, unprivileged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "encke.db"


class TestContract(StoreContract):
    """The contract holds for SQLite."""

    @pytest.fixture
    def store(self, path: Path) -> Iterator[Store]:
        """An empty store."""
        store = SqliteStore.open(path)
        yield store
        store.close()


def test_survives_closing(path: Path) -> None:
    """What was stored is there after closing and opening, and in one file that only its owner can read."""
    store = SqliteStore.open(path)
    store.add_key(*key(1))
    one = entry()
    store.append([one])
    store.close()
    assert os.listdir(path.parent) == ["encke.db"] and os.stat(path).st_mode & 0o777 == 0o600
    store = SqliteStore.open(path)
    assert store.list_keys() == [key(1)[0]] and store.entries(one.call) == [one]
    store.close()


def test_reader_beside_the_writer(path: Path) -> None:
    """A reader sees each commit of a live writer, cannot write, and does not keep the writer from housekeeping."""
    writer = SqliteStore.open(path)
    reader = SqliteStore.open_read_only(path)
    writer.add_key(*key(1))
    writer.append([entry()])
    assert len(reader.live_keys().grants) == reader.usage(0, 2**60)[0].calls == 1
    with pytest.raises(StoreError, match="cannot be written"):
        reader.add_key(*key(2))
    with pytest.raises(StoreError, match="cannot be written"):
        reader.append([entry()])
    writer.checkpoint_idle()
    assert reader.list_keys() == writer.list_keys()
    reader.close()
    writer.close()


def test_idle_checkpoint_gives_the_log_back(path: Path) -> None:
    """The write-ahead log is only emptied by us: it grows over commits, and the idle checkpoint truncates it, unless a
    reader is in the middle, which is no error and is not waited for."""
    store = SqliteStore.open(path)
    for _ in range(90):
        store.append([entry() for _ in range(100)])
    log = path.with_name("encke.db-wal")
    assert log.stat().st_size > 1000 * 4096  # past SQLite's own threshold: it did not act
    other = apsw.Connection(str(path))
    other.execute("BEGIN; SELECT count(*) FROM entries").fetchall()
    store.append([entry()])
    store.checkpoint_idle()
    assert log.stat().st_size > 0
    other.close()
    store.checkpoint_idle()
    assert log.stat().st_size == 0
    store.close()


def test_full_disk(path: Path) -> None:
    """A full disk is a StoreError that says so, and loses nothing that was there."""
    store = SqliteStore.open(path)
    one = entry()
    store.append([one])
    store._db.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreError, match="is full; free some space"):
        store.append([entry() for _ in range(2000)])
    assert store.entries(one.call) == [one]
    store._db.execute("PRAGMA max_page_count = 100000")
    assert store.append([entry() for _ in range(2000)]).count == 2000
    store.close()


def test_locked(path: Path) -> None:
    """Another process in the middle of writing is a StoreError once the patience is over."""
    store = SqliteStore.open(path)
    store._db.set_busy_timeout(20)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another process"):
        store.add_key(*key(1))
    other.execute("ROLLBACK")
    store.add_key(*key(1))
    other.close()
    store.close()


def test_closed(path: Path) -> None:
    """A closed store says so."""
    store = SqliteStore.open(path)
    store.close()
    with pytest.raises(StoreError, match="failed"):
        store.list_keys()


def test_read_only_folder() -> None:
    """In a folder that cannot be written, opening fails with a sentence; and so does a folder that is not there."""
    with folder_of_nobody() as folder, unprivileged():
        SqliteStore.open(folder / "encke.db").close()
        (folder / "encke.db").chmod(0o400)
        folder.chmod(0o500)
        with pytest.raises(StoreError, match="check"):
            SqliteStore.open(folder / "encke.db")
        with pytest.raises(StoreError, match="cannot be opened"):
            SqliteStore.open(folder / "new.db")
        with pytest.raises(StoreError, match="cannot be opened"):
            SqliteStore.open(folder / "none" / "encke.db")


APPENDS_FOR_EVER = """
import sys
from pathlib import Path
from encke.store.sqlite import SqliteStore
from tests.store.contract import entry
store = SqliteStore.open(Path(sys.argv[1]))
done = 0
while True:
    store.append([entry() for _ in range(50)])
    done += 50
    print(done, flush=True)
    if done % 1000 == 0:
        store.checkpoint()
"""


@pytest.mark.parametrize("commits", [1, 7, 23, 61])
def test_killed_while_appending(path: Path, commits: int) -> None:
    """SIGKILL while appending: every acknowledged batch is there, none in part, the file is whole."""
    root = Path(__file__).parents[2]
    run = subprocess.Popen([sys.executable, "-c", APPENDS_FOR_EVER, path], stdout=subprocess.PIPE, text=True, cwd=root)
    assert run.stdout is not None
    acknowledged = 0
    for _ in range(commits):
        acknowledged = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    acknowledged = int((run.stdout.read().splitlines() or [str(acknowledged)])[-1])
    run.stdout.close()
    run.wait(10)
    store = SqliteStore.open(path)
    found = store.usage(0, 2**60)[0].calls
    assert found >= acknowledged and found % 50 == 0
    assert store._db.execute("PRAGMA integrity_check").get == "ok"
    store.close()


def test_renewed(path: Path) -> None:
    """A new connection to the same file, which keeps what was there; one that cannot be had can be tried for again."""
    store = SqliteStore.open(path)
    store.append([entry()])
    store.renew()
    store.append([entry()])
    moved = path.with_name("moved.db")
    path.rename(moved)
    path.mkdir()
    with pytest.raises(StoreError):
        store.renew()
    with pytest.raises(StoreError):
        store.append([entry()])
    path.rmdir()
    moved.rename(path)
    store.renew()
    assert store.usage(0, 2**60)[0].calls == 2
    store.close()
    assert os.listdir(path.parent) == ["encke.db"]
