"""`encke usage`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from encke.core.usage import Usage
from encke.store.sqlite import SqliteStore
from tests.cli.conftest import Run
from tests.store.contract import DAY, entry

NOW = time.time_ns() // 1_000_000


@pytest.fixture
def filled(data: Path) -> Path:
    """A store with three calls of today and one of two days ago, one of them unpriced and hostile."""
    data.mkdir()
    store = SqliteStore.open(data / "encke.db")
    hostile = entry(started=NOW - 1000, asked="\x1b[2Jevil\nname", cost=None, status="failed")
    store.append([entry(started=NOW - 1000), entry(started=NOW - 2000, usage=Usage(input=10**6), cost=10**9), hostile])
    store.append([entry(started=NOW - 2 * DAY)])
    store.close()
    return data


def test_totals(encke: Run, filled: Path) -> None:
    """Without grouping there is one line of sums over the last 24 hours, money to the last nano-dollar."""
    period, header, line = encke("usage").stdout.splitlines()
    assert " to " in period and header.split()[:3] == ["CALLS", "FAILED", "ATTEMPTS"]
    assert line.split() == ["3", "1", "3", "1", "1,000,264", "40", "126", "1.000001234", "1", "0"]
    assert len(header) == len(line)


def test_groups(encke: Run, filled: Path) -> None:
    """Grouped there is a line for each, and a total; hostile names stay on their line and harmless."""
    output = encke("usage", "--since", "7d", "--by", "model").stdout
    assert "\x1b" not in output
    _, header, *lines = output.splitlines()
    assert header.startswith("MODEL") and len(lines) == 3
    assert lines[0].split()[:2] == ["fast", "3"] and lines[-1].split()[:2] == ["total", "4"]
    assert lines[1].startswith("\\x1b[2Jevil\\nname") and lines[1].split()[-3:] == ["-", "1", "0"]
    assert len({len(line) for line in (header, *lines)}) == 1


def test_json(encke: Run, filled: Path) -> None:
    """JSON has exact decimal strings for money, null where nothing has a price."""
    report = json.loads(encke("usage", "--since", "7d", "--by", "model", "--json").stdout)
    assert report["by"] == "model" and report["until"] > report["since"]
    assert [row["cost"] for row in report["rows"]] == ["1.000002468", None]
    assert report["total"]["cost"] == "1.000002468" and report["total"]["unpriced"] == 1
    assert json.loads(encke("usage", "--json").stdout)["rows"] == []


def test_by_key_has_the_name(encke: Run, filled: Path) -> None:
    """By key the line shows id and name, and the id alone for a key that the store does not know."""
    made = json.loads(encke("keys", "create", "--name", "my app", "--json").stdout)
    store = SqliteStore.open(filled / "encke.db")
    store.append([entry(started=NOW - 500, key=made["id"])])
    store.close()
    lines = encke("usage", "--by", "key").stdout.splitlines()
    assert lines[2].startswith("KEY000000001  ") and lines[3].startswith(f"{made['id']} my app  ")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--since", "foo"), 1, 'since "foo" is not a time'),
        (("--until", "1h", "--since", "1m"), 1, "is not after since"),
        (("--by", "colour"), 2, "'colour' is not one of"),
    ],
)
def test_refusals(encke: Run, filled: Path, args: tuple[str, ...], code: int, message: str) -> None:
    """Ranges and groups that make no sense are refused."""
    done = encke("usage", *args)
    assert done.exit_code == code and message in done.stderr
