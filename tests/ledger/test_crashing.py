"""A writer that dies inside the journal: what it had told of is there, nothing is half there, the rest is open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from encke.core.crash import STATUS
from encke.ledger.entry import Entry, Intent
from encke.ledger.journal import SegmentReader, make_segment, make_slots, segment_path

WRITER = """
import sys
from pathlib import Path
from encke.core.crash import CrashPoint, crash_at
from encke.ledger.crashing import CrashingJournal
from tests.ledger.test_journal import entry, intent
folder, place, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
later = []
journal = CrashingJournal(folder / f"{1:016x}.slots", crash_at(CrashPoint(place, nth)), later.append)
for path in sorted(folder.glob("*.seg")):
    journal.add_segment(path)
for number in range(1000):
    slot = journal.take_slot()
    journal.intend(intent(number, slot))
    print("sent", number, flush=True)
    later.pop()()
    journal.progress(slot, 100, 50)
    journal.settle(entry(number), slot)
    print("settled", number, flush=True)
"""


@pytest.mark.parametrize("nth", [1, 2, 7])
@pytest.mark.parametrize(
    ("place", "entry_is_there"),
    [
        ("worker.intending", False),
        ("worker.intended", False),
        ("worker.sent", False),
        ("worker.first_byte", False),
        ("worker.progress", False),
        ("worker.settling", False),
        ("worker.torn", False),
        ("worker.settled", True),
        ("worker.segment", False),
        ("worker.segment_begun", False),
    ],
)
def test_dies_at(tmp_path: Path, place: str, nth: int, entry_is_there: bool) -> None:
    """Every entry that was told of is read, and at most the one call that it died in is open."""
    make_slots(tmp_path, 1)
    paths = [make_segment(tmp_path, 1, number, 4096) for number in range(1, 20)]
    command = [sys.executable, "-c", WRITER, str(tmp_path), place, str(nth)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == STATUS, run.stderr
    told = [line.split() for line in run.stdout.splitlines()]
    settled = [int(number) for what, number in told if what == "settled"]
    sent = [int(number) for what, number in told if what == "sent"]
    opened: list[str] = []
    found: list[str] = []
    for number in range(1, len(paths) + 1):
        reader = SegmentReader(segment_path(tmp_path, 1, number))
        for record in reader.records():
            value = record.value
            if isinstance(value, Intent):
                opened.append(value.call)
            else:
                assert isinstance(value, Entry) and value.call == opened[-1]
                found.append(value.call)
        assert not reader.damaged
    names = [f"call-{number:06d}" for number in range(len(sent) + 1)]
    assert found == names[: len(settled) + entry_is_there]
    assert opened[: len(sent)] == names[: len(sent)] and len(opened) - len(found) <= 1
    assert (len(opened) == len(sent) + 1) == (place == "worker.intended")
