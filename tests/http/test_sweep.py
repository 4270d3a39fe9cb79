"""The one timer."""

from __future__ import annotations

import threading
import time

import pytest

from encke.core.clock import monotonic
from encke.http.sweep import INTERVAL
from tests.http.support import LoopThread


class Member:
    """Counts how often it expired; `expire` may leave or set a later deadline."""

    def __init__(self, thread: LoopThread, after: float) -> None:
        self.deadline = monotonic() + after
        self.expired = threading.Event()
        self.times = 0
        self._thread = thread
        self.leave = True

    def expire(self, now: float) -> None:
        self.times += 1
        if self.leave:
            self._thread.sweeper.discard(self)
        else:
            self.deadline = float("inf")
        self.expired.set()


def test_only_what_is_due_expires(thread: LoopThread) -> None:
    """A deadline that has passed is told within a sweep or two, one that has not is left alone."""
    due, later = Member(thread, 0.0), Member(thread, 3600)
    for member in (due, later):
        thread.sweeper.add(member)
    assert due.expired.wait(20 * INTERVAL)
    assert (due.times, later.times) == (1, 0)
    assert len(thread.sweeper) == 1


def test_members_may_leave_each_other_in_a_sweep(thread: LoopThread) -> None:
    """Leaving during a sweep disturbs nothing, and a postponed deadline is not told again."""
    members = [Member(thread, 0.0) for _ in range(50)]
    for number, member in enumerate(members):
        member.leave = number % 2 == 0
        thread.sweeper.add(member)
    assert all(member.expired.wait(20 * INTERVAL) for member in members)
    time.sleep(2 * INTERVAL)
    assert {member.times for member in members} == {1}
    assert len(thread.sweeper) == 25


def test_now_moves(thread: LoopThread) -> None:
    """`now` is the time of the last sweep, so it is never in the future."""
    before = thread.sweeper.now
    time.sleep(3 * INTERVAL)
    assert before < thread.sweeper.now <= monotonic()


def test_a_crash_in_one_does_not_keep_others_from_their_deadlines(
    thread: LoopThread, capfd: pytest.CaptureFixture[str]
) -> None:
    """The one that failed is reported once and not asked again; the rest expire as ever."""

    class Broken(Member):
        def expire(self, now: float) -> None:
            super().expire(now)
            raise RuntimeError("boom")

    members = [Broken(thread, 0.0), *(Member(thread, 0.0) for _ in range(20)), Broken(thread, 0.0)]
    for member in members:
        member.leave = False
        thread.sweeper.add(member)
    assert all(member.expired.wait(20 * INTERVAL) for member in members)
    time.sleep(3 * INTERVAL)
    assert {member.times for member in members} == {1}
    said = capfd.readouterr().err
    assert said.count('"event":"crash"') == 2 and "boom" not in said


def test_very_many_deadlines_take_turns(thread: LoopThread) -> None:
    """A thousand that expire at once all do, each once, with others' turns between them."""
    members = [Member(thread, 0.0) for _ in range(1000)]
    for member in members:
        thread.sweeper.add(member)
    assert all(member.expired.wait(20 * INTERVAL) for member in members)
    time.sleep(2 * INTERVAL)
    assert {member.times for member in members} == {1}
    assert len(thread.sweeper) == 0
