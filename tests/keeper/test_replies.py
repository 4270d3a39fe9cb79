"""The keeper's side of Idempotency-Keys: rows in a real store, files in a real folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from encke.keeper.replies import AT_ONCE, ReplyDesk, ReplyRules
from encke.store.sqlite import SqliteStore
from tests.store.contract import entry

DAY = 86_400_000
RULES = ReplyRules(DAY, 3 * 4096)
ASKED, OTHER = b"a" * 32, b"o" * 32


def name(number: int) -> bytes:
    """A digest."""
    return number.to_bytes(32, "big")


class Site:
    """A desk on a store, and a clock that one sets."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.store = SqliteStore.open(folder / "encke.db")
        self.now = 10 * DAY
        self.told: list[str] = []
        self.desk = self.again()

    def again(self, *journals: int) -> ReplyDesk:
        """The desk of another keeper, which finds these journals."""
        self.desk = ReplyDesk(
            self.store,
            self.root / "replies",
            RULES,
            lambda event, more: self.told.append(event),
            clock=lambda: self.now,
        )
        self.desk.recover(journals)
        return self.desk

    @property
    def files(self) -> set[str]:
        """What lies in the folder."""
        return set(os.listdir(self.root / "replies"))

    def write(self, call: str, size: int = 100) -> None:
        """What a worker does before it tells that the call is over."""
        (self.root / "replies" / call).write_bytes(bytes(size))

    def begin(self, number: int, call: str, asked: bytes = ASKED, epoch: int = 7) -> tuple[str, str]:
        """A worker asks for a name."""
        answer = self.desk.take(epoch, "reply_begin", {"name": name(number), "asked": asked, "call": call})
        return answer["state"], answer["call"]

    def done(self, number: int, call: str, state: str = "kept", size: int = 100) -> None:
        """It is over."""
        if state == "kept":
            self.write(call, size)
        told = {"name": name(number), "call": call, "state": state, "size": size}
        assert self.desk.take(7, "reply_done", told) == {"state": "done"}

    def free(self, number: int, call: str) -> None:
        """It came to nothing."""
        assert self.desk.take(7, "reply_free", {"name": name(number), "call": call}) == {"state": "done"}

    def settle(self, call: str, status: str = "complete") -> None:
        """Its entry comes into the store."""
        self.store.append([entry(call, status=status)])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The site."""
    made = Site(tmp_path)
    yield made
    made.store.close()


def test_the_first_has_the_name(site: Site) -> None:
    """Others are told whose it is; the same call may ask again, as after a lost answer."""
    assert site.begin(1, "c1") == ("begun", "c1") == site.begin(1, "c1")
    assert site.begin(1, "c2") == ("running", "c1")
    assert site.begin(1, "c2", OTHER) == ("conflict", "c1")
    assert site.begin(2, "c2") == ("begun", "c2")
    site.done(1, "c1")
    assert site.begin(1, "c3") == ("kept", "c1") and site.begin(1, "c3", OTHER) == ("conflict", "c1")


@pytest.mark.parametrize("state", ["large", "lost"])
def test_over_without_an_answer(site: Site, state: str) -> None:
    """Whoever comes next is told why, and the name is not free."""
    site.begin(1, "c1")
    site.done(1, "c1", state)
    assert site.begin(1, "c2") == (state, "c1") and site.desk.total == 0


def test_a_name_is_freed_by_its_call_only(site: Site) -> None:
    """A message that comes late, for a call that is over or for another's name, changes nothing."""
    site.begin(1, "c1")
    site.free(1, "other")
    assert site.begin(1, "c2") == ("running", "c1")
    site.write("c1")
    site.free(1, "c1")
    assert site.files == set() and site.begin(1, "c2") == ("begun", "c2")
    site.done(1, "c2")
    site.free(1, "c2")
    site.done(1, "c2", "lost")
    assert site.begin(1, "c3") == ("kept", "c2") and site.files == {"c2"}


def test_old_ones_are_forgotten(site: Site) -> None:
    """After its time a name is free, whether it was tidied away yet or not; one that still runs is not."""
    site.begin(1, "c1")
    site.done(1, "c1")
    site.begin(2, "c2")
    site.done(2, "c2")
    site.begin(3, "c3")
    site.now += DAY + 1
    assert site.begin(1, "c4") == ("begun", "c4") and site.files == {"c2"}
    assert site.begin(3, "c5") == ("running", "c3")
    site.desk.tidy(())
    assert site.files == set() and site.desk.total == 0 and site.begin(2, "c6") == ("begun", "c6")


def test_many_old_ones(site: Site) -> None:
    """They are forgotten some at a time, and it is told when there are more."""
    for number in range(AT_ONCE + 1):
        site.begin(number, f"c{number}")
        site.done(number, f"c{number}", "large")
    assert not site.desk.tidy(())
    site.now += DAY + 1
    assert site.desk.tidy(()) and len(site.store.replies.older(site.now, 999)) == 1
    assert not site.desk.tidy(()) and site.store.replies.older(site.now, 999) == []


def test_room_is_made(site: Site) -> None:
    """The oldest answers go first; what they were is still known. A small file takes a block."""
    for number in range(1, 6):
        site.now += 1
        site.begin(number, f"c{number}")
        site.done(number, f"c{number}", size=10 if number < 5 else 5000)
    assert site.files == {"c4", "c5"} and site.desk.total == RULES.max_total
    assert [site.begin(number, "new")[0] for number in range(1, 6)] == ["dropped"] * 3 + ["kept"] * 2


def test_a_dead_worker(site: Site) -> None:
    """What was settled as complete keeps its name, with its answer if that is in place; everything else is free."""
    for number in range(1, 6):
        site.begin(number, f"c{number}", epoch=8 if number == 5 else 7)
    for call, status in (("c1", "complete"), ("c2", "complete"), ("c3", "orphan")):
        site.settle(call, status)
    for call in ("c1", "c3", "c4.new"):
        site.write(call, 5000)
    assert site.desk.bury(7)
    assert [site.begin(number, "new")[0] for number in range(1, 6)] == ["kept", "lost", "begun", "begun", "running"]
    assert site.files == {"c1"} and site.desk.total == 2 * 4096


def test_a_worker_that_was_without_a_keeper(site: Site) -> None:
    """It says which calls it has: a name that was given and never heard of is free."""
    for number in (1, 2):
        site.begin(number, f"c{number}")
    site.begin(3, "c3", epoch=8)
    site.desk.take(7, "replies", {"calls": ["c2"]})
    assert [site.begin(number, "new")[0] for number in (1, 2, 3)] == ["begun", "running", "running"]


def test_the_next_keeper(site: Site) -> None:
    """Knows everything; workers without a journal are dead; files that nobody knows are removed."""
    for number in range(1, 4):
        site.begin(number, f"c{number}", epoch=number)
    site.done(1, "c1", size=9000)
    site.settle("c3")
    for call in ("c2.new", "c3", "stray", "stray.new"):
        site.write(call, 100)
    site.again(2)
    assert site.files == {"c1", "c2.new", "c3"} and site.desk.total == 4 * 4096
    assert [site.begin(number, "new") for number in (1, 2, 3)] == [("kept", "c1"), ("running", "c2"), ("kept", "c3")]


def test_a_store_that_is_away(site: Site) -> None:
    """Nothing is promised while nothing can be written down; then everything goes on."""
    site.begin(1, "c1")
    other = apsw.Connection(str(site.root / "encke.db"))
    other.execute("BEGIN IMMEDIATE")
    wanted: dict[str, Any] = {"name": name(2), "asked": ASKED, "call": "c2", "state": "kept", "size": 1}
    for kind in ("reply_begin", "reply_done", "reply_free"):
        assert site.desk.take(7, kind, wanted)["state"] == "unavailable"
    assert not site.desk.bury(7)
    site.desk.tidy(())
    site.desk.take(7, "replies", {"calls": []})
    desk = site.again()  # finds nothing out, and tries again
    site.write("stray")
    other.execute("ROLLBACK")
    other.close()
    desk.tidy(())
    assert site.files == set() and site.begin(1, "c2") == ("begun", "c2")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("reply_begin", {}),
        ("reply_done", {"name": b"", "call": "c", "state": "running", "size": 1}),
        ("replying", {}),
    ],
)
def test_messages_that_are_none(site: Site, kind: str, payload: dict[str, Any]) -> None:
    """They are errors, upon which the connection is closed."""
    with pytest.raises((KeyError, ValueError)):
        site.desk.take(7, kind, payload)
