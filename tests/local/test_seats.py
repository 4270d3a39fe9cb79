from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from encke.local.seats import Seats

_OTHER = """
import sys
from pathlib import Path
from encke.local.seats import Seats
seats = Seats(Path(sys.argv[1]), 3)
print(sum(seats.take() is not None for _ in range(int(sys.argv[2]))), flush=True)
sys.stdin.read()
"""


def other(path: Path, takes: int) -> subprocess.Popen[str]:
    """Another process that takes seats and keeps them until it is killed."""
    command = [sys.executable, "-c", _OTHER, str(path), str(takes)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_each_seat_is_taken_once(tmp_path: Path) -> None:
    """As many takes as seats succeed, all different; one more gets None; a freed one can be taken again."""
    seats = Seats(tmp_path / "seats", 3)
    taken = [seats.take() for _ in range(3)]
    assert sorted(seat for seat in taken if seat is not None) == [0, 1, 2]
    assert seats.take() is None
    seats.free(1)
    assert seats.take() == 1
    seats.close()


def test_processes_share_the_bound_and_a_killed_one_gives_back(tmp_path: Path) -> None:
    """Two seats of another process are not ours, until it is killed."""
    seats = Seats(tmp_path / "seats", 3)
    with other(tmp_path / "seats", 2) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "2\n"
        mine = seats.take()
        assert mine is not None
        assert seats.take() is None
        child.kill()
    assert {seats.take(), seats.take(), mine} == {0, 1, 2}
    seats.close()


def test_another_process_sees_our_seats(tmp_path: Path) -> None:
    """With all but one taken here, another process gets exactly one."""
    seats = Seats(tmp_path / "seats", 3)
    seats.take()
    seats.take()
    with other(tmp_path / "seats", 3) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        child.kill()
    seats.close()


def test_a_seat_that_is_not_held_cannot_be_freed(tmp_path: Path) -> None:
    """Freeing twice, or never taken, is a mistake that is told."""
    seats = Seats(tmp_path / "seats", 2)
    seat = seats.take()
    assert seat is not None
    seats.free(seat)
    with pytest.raises(ValueError, match="not held"):
        seats.free(seat)
    seats.close()


def test_no_seats_at_all(tmp_path: Path) -> None:
    """A bound of zero lets nobody in."""
    seats = Seats(tmp_path / "seats", 0)
    assert seats.take() is None
    seats.close()
