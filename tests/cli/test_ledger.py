"""`encke ledger`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from encke.core.usage import Usage
from encke.store.sqlite import SqliteStore
from tests.cli.conftest import Run
from tests.store.contract import accounts, entry


@pytest.fixture
def filled(data: Path) -> Path:
    """A store with a call of two attempts and a few others."""
    data.mkdir()
    store = SqliteStore.open(data / "encke.db")
    both = accounts((1, 0), (2, 1_798_761_600_000))
    refused = entry("c", 1, final=False, status="refused", usage=Usage(), cost=0, http_status=429, accounts=both)
    last = entry("c", 2, cost=1_500_000_000, usage=Usage(1000, 20, output=7, estimated=True), accounts=both)
    store.append([refused, last, entry(asked="\x1b[2Jevil", cost=None)])
    store.close()
    return data


def test_verify(encke: Run, filled: Path) -> None:
    """A ledger that adds up is told with its figures and exit status 0."""
    done = encke("ledger", "verify", "--integrity")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and lines[0] == "3 entries, $1.50; 0 older ones were removed"
    assert lines[-1] == "the ledger adds up" and "accounts: ok" in lines and "the file: ok" in lines
    facts = json.loads(encke("ledger", "verify", "--json").stdout)
    assert facts["ok"] and facts["entries"] == 3 and {check["found"] for check in facts["checks"]} == {0}


def test_verify_finds(encke: Run, filled: Path) -> None:
    """What differs is told with its figures and exit status 1, also as JSON; names that callers chose are harmless."""
    store = SqliteStore.open(filled / "encke.db")
    store._db.execute("UPDATE accounts SET posted = posted + 1 WHERE limit_id = 1")
    store._db.execute("UPDATE hours SET calls = 9")
    store.close()
    done = encke("ledger", "verify")
    assert done.exit_code == 1 and "THE LEDGER DOES NOT ADD UP" in done.stdout and "\x1b" not in done.stdout
    assert "limit 1, window 0: entries cost 1500000000 nUSD, posted are 1500000001 (+1)" in done.stdout
    done = encke("ledger", "verify", "--json")
    verdict = json.loads(done.stdout)
    assert done.exit_code == 1 and not verdict["ok"] and verdict["cost"] == "1.500000000"


def test_verify_of_what_is_no_database(encke: Run, tmp_path: Path) -> None:
    """It says what to name instead, and not to move the file away."""
    (tmp_path / "encke.toml").write_text("[server]\n")
    for name, text in (("encke.toml", "is not a database; name"), ("nope", "there is no file"), (".", "no file")):
        done = encke("ledger", "verify", "--file", str(tmp_path / name))
        assert done.exit_code == 1 and text in done.stderr and "move it away" not in done.stderr


def test_show(encke: Run, filled: Path) -> None:
    """A call's attempts stand below each other, estimated tokens marked, with what budgets were charged."""
    done = encke("ledger", "show", "c")
    head, received, title, first, second, *budgets = done.stdout.splitlines()
    assert head == "call c, the caller's own id my-id" and received.endswith("key KEY000000001, asked for fast")
    assert title.split()[:3] == ["ATTEMPT", "END", "REASON"]
    assert first.split()[:4] == ["1", "refused", "stop", "429"] and first.split()[-1] == "unused"
    assert second.split()[-5:] == ["~1,020", "~20", "~7", "1.500000000", "2026-10-01"]
    assert budgets == [
        "budget 1 (removed): $1.50",
        "budget 2 (removed) since 2027-01-01T00:00:00Z: $1.50",
    ]
    facts = json.loads(encke("ledger", "show", "c", "--json").stdout)
    assert [one["cost"] for one in facts["attempts"]] == ["0.000000000", "1.500000000"]
    done = encke("ledger", "show", "d")
    assert done.exit_code == 1 and 'no entry of the call "d"' in done.stderr


def test_backup_and_restore(encke: Run, filled: Path, tmp_path: Path) -> None:
    """The steps of the documentation: a copy, checked where it lies, is a data folder's database together with the
    pepper, and its keys work."""
    made = encke("keys", "create", "--name", "app").stdout.strip()
    copy = tmp_path / "copy.db"
    done = encke("ledger", "backup", str(copy))
    assert done.exit_code == 0 and "bytes, checked" in done.stdout and "pepper" in done.stdout
    assert encke("ledger", "verify", "--file", str(copy), "--integrity").exit_code == 0
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    os.rename(copy, new / "encke.db")
    (new / "pepper").write_bytes((filled / "pepper").read_bytes())
    (new / "pepper").chmod(0o600)
    assert encke("ledger", "verify", ENCKE_DATA=str(new)).exit_code == 0
    assert [key["name"] for key in json.loads(encke("keys", "list", "--json", ENCKE_DATA=str(new)).stdout)] == ["app"]
    assert made.startswith("sk-")


def test_refusals(encke: Run, filled: Path, tmp_path: Path) -> None:
    """What is there is not overwritten; files and folders that are not there are named."""
    (tmp_path / "there").write_text("mine")
    done = encke("ledger", "backup", str(tmp_path / "there"))
    assert done.exit_code == 1 and "is there already" in done.stderr
    assert (tmp_path / "there").read_text() == "mine"
    done = encke("ledger", "backup", str(tmp_path / "no" / "where"))
    assert done.exit_code == 1 and f"cannot make {tmp_path / 'no' / 'where'}: No such file" in done.stderr
    done = encke("ledger", "verify", "--file", str(tmp_path / "nothing"))
    assert done.exit_code == 1 and "there is no file" in done.stderr
    done = encke("ledger", "verify", "--file", str(tmp_path / "there"))
    assert done.exit_code == 1 and "is not a database" in done.stderr
