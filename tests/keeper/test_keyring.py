"""What the keeper knows of keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from encke.admin.frames import FrameDecoder
from encke.keeper.keyring import Keyring
from encke.keys.grant import Limit, Rules
from encke.keys.snapshot import Part, Received
from encke.store.levels import LimitEdit, StoredLevel
from encke.store.sqlite import SqliteStore
from tests.store.contract import key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    made = SqliteStore.open(tmp_path / "encke.db")
    yield made
    made.close()


def take(received: Received, frames: list[bytes]) -> int:
    """A worker reads the messages; how many keys it was told of."""
    told = 0
    for frame in FrameDecoder().feed(b"".join(frames)):
        part = msgspec.convert(frame.payload, Part)
        told += len(part.keys)
        received.take(part)
    return told


def test_workers_know_what_the_store_knows(store: SqliteStore) -> None:
    """After every change of keys, projects and limits the Grants of a worker are those of the store; one that was there
    before is told what has changed and no more, a new one is told everything."""
    ring = Keyring(store, b"pepper")
    ring.refresh()
    old = Received()
    take(old, ring.frames(-1))
    project = StoredLevel(0, "web", 5, organisation=1, rules=Rules(models=("a*",)))
    steps = (
        lambda: store.add_key(*key(1), [Limit(0, "budget", 5, "")]),
        lambda: store.add_key(*key(2)),
        lambda: store.add_level("project", project, [Limit(0, "requests", 60, "")]),
        lambda: store.add_key(*key(3, project=2)),
        lambda: store.rotate_key("KEY000000003", b"3" * 32, 9_999),
        lambda: store.put_level("project", msgspec.structs.replace(project, id=2, name="site")),
        lambda: store.put_key(key(1, name="other")[0], LimitEdit(remove=[1])),
        lambda: store.revoke_key("KEY000000002", 7),
        lambda: store.archive_level("project", 2, 8),
    )
    for step in steps:
        step()
        ring.refresh()
        assert take(old, ring.frames(old.version)) <= 2
        new = Received()
        take(new, ring.frames(-1))
        truth = store.live_keys()
        assert old.version == new.version == truth.version
        assert old.grants.everything() == new.grants.everything() == truth.grants
        assert ring.frames(truth.version) == []


def test_one_that_is_further_behind_is_told_everything(store: SqliteStore) -> None:
    """Changes lead on from the last version only."""
    ring = Keyring(store, b"pepper")
    ring.refresh()
    behind = Received()
    take(behind, ring.frames(-1))
    for number in (1, 2):
        store.add_key(*key(number))
        ring.refresh()
    assert take(behind, ring.frames(behind.version)) == 2 and len(behind.grants) == 2


def test_limits_by_id(store: SqliteStore) -> None:
    """All limits of all levels; those that have changed are named, removed ones go, and ids are never used again."""
    ring = Keyring(store, b"pepper")
    store.add_key(*key(1), [Limit(0, "budget", 5, "", "month", "Europe/Berlin", 31, True), Limit(0, "tokens", 9, "")])
    ring.refresh()
    assert ring.limits == {
        1: Limit(1, "budget", 5, "", "month", "Europe/Berlin", 31, True),
        2: Limit(2, "tokens", 9, ""),
    }
    assert ring.changed == [1, 2]
    put = msgspec.structs.replace(ring.limits[1], amount=3)
    store.put_key(key(1)[0], LimitEdit([Limit(0, "budget", 7, "", "credit")], [put], [2]))
    ring.refresh()
    assert ring.changed == [1, 2, 3] and sorted(ring.limits) == [1, 3] and ring.limits[1].amount == 3
    ring.refresh()
    assert ring.changed == []
