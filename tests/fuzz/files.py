"""Files: a worker's journal as the keeper reads it, and the settings."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import zlib
from functools import cache
from pathlib import Path

import msgspec

from encke.config.lines import Lines
from encke.config.load import load
from encke.config.problems import ConfigError
from encke.ledger.entry import Entry, Intent
from encke.ledger.journal import HEADER, MAGIC, RECORD, Journal, Record, SegmentReader, make_segment, make_slots
from tests.fuzz.bits import Bits

SIZE = 4096
WRITTEN = 12
SECRET = "sk-canary-7hT2kQ9xL4mN8vB3"


@cache
def scratch() -> Path:
    """A folder for this process, in memory where there is such a place."""
    shared = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="fuzz", dir=shared if os.access(shared, os.W_OK) else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def _segment() -> bytes:
    """A segment as a worker writes it: intents, each with its entry."""
    folder = scratch()
    journal = Journal(make_slots(folder, 1))
    journal.add_segment(path := make_segment(folder, 1, 1, 64 * 1024))
    for number in range(WRITTEN // 2):
        slot = journal.take_slot()
        journal.intend(Intent(f"call-{number}", 1, "0123456789AB", "chat", "m", "lab", "m", False, 1, 1, 3, slot))
        journal.settle(
            Entry(
                f"call-{number}",
                1,
                "0123456789AB",
                "chat",
                "m",
                "lab",
                "m",
                "complete",
                "stop",
                200,
                False,
                True,
                1,
                1,
                1,
                1,
            ),
            slot,
        )
    journal.close()
    return path.read_bytes()[:SIZE]


def _read(data: bytes) -> list[Record]:
    """The records of a segment; each is checked by hand: where it stands, its length, its checksum."""
    path = scratch() / f"{os.getpid()}.seg"
    path.write_bytes(data)
    try:
        reader = SegmentReader(path)
    except ValueError:
        assert data[: len(MAGIC)] != MAGIC or len(data) < HEADER.size + RECORD.size
        return []
    records = list(reader.records())
    assert list(reader.records()) == [], "a second look reads what the first has read"
    at = HEADER.size
    for record in records:
        checksum, length = RECORD.unpack_from(data, at)
        end = at + RECORD.size + 16 + length
        assert 0 < length == len(record.body) and end <= len(data)
        assert zlib.crc32(data[at + RECORD.size : end]) == checksum
        at = (end + 7) & ~7
        assert record.end == at
    assert reader.offset == at and isinstance(reader.begun, bool)
    reader.close()
    return records


def journal(data: bytes) -> None:
    """Whatever stands in the file, only whole records are read; of a damaged one those before the damage."""
    bits = Bits(data)
    if bits.number(2):
        _values(_read(HEADER.pack(MAGIC, 1, 1) + bits.rest))
        _read(bits.rest)
        return
    good = bytearray(_segment())
    first = len(good)
    for _ in range(1 + bits.number(4)):
        at = (bits.number(256) << 8 | bits.number(256)) % len(good)
        value = bits.number(256)
        if good[at] != value:
            good[at] = value
            first = min(first, at)
    keep = len(good) - (bits.number(256) * 16 if bits.number(2) else 0)
    records, written = _read(bytes(good[:keep])), _read(_segment())
    assert len(written) == WRITTEN
    whole = [record for record in written if record.end <= min(first, keep)]
    if first >= HEADER.size:
        assert records[: len(whole)] == whole, "a record before the damage is lost"
    if first >= len(MAGIC):
        assert records == written[: len(records)], "a record that nobody wrote"


def _values(records: list[Record]) -> None:
    for record in records:
        try:
            assert isinstance(record.value, Intent | Entry)
        except msgspec.DecodeError:
            continue


def settings(data: bytes) -> None:
    """A file gives settings or a ConfigError that can be printed; the places of its lines never get in the way."""
    text = data.decode("utf-8", "replace")
    lines = Lines(text)
    assert all(line is None or 1 <= line <= text.count("\n") + 1 for line in (lines.of(("server",)), lines.of(("a",))))
    path = scratch() / f"{os.getpid()}.toml"
    path.write_bytes(data)
    environ = {"ENCKE_DATA": str(scratch()), "OPENAI_API_KEY": SECRET}
    try:
        config = load(str(path), environ)
    except ConfigError as error:
        said = str(error)
        assert said and SECRET not in said
        said.encode("utf-8")
    else:
        assert SECRET not in repr(config)
