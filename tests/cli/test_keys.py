"""`encke keys`."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from encke.keys import secret
from encke.store.sqlite import SqliteStore
from tests.cli.conftest import Program, Run


def test_create_prints_only_the_key(program: Program, data: Path) -> None:
    """On an empty folder a key is made; standard output is the key alone, and it is in the store by its digest."""
    done = program("keys", "create", "--name", "app")
    key = done.stdout.strip()
    assert done.returncode == 0 and secret.minted(key) and done.stdout == key + "\n"
    assert 'Made the key "app"' in done.stderr and key not in done.stderr
    assert os.stat(data).st_mode & 0o777 == 0o700 and os.stat(data / "pepper").st_mode & 0o777 == 0o600
    store = SqliteStore.open_read_only(data / "encke.db")
    assert list(store.live_keys().grants) == [secret.digest((data / "pepper").read_bytes(), key)]
    store.close()


def test_json(encke: Run) -> None:
    """With --json every command prints JSON with times in UTC; only `create` shows the key."""
    made = json.loads(encke("keys", "create", "--name", "app", "--expires", "30d", "--json").stdout)
    assert secret.minted(made["key"]) and made["id"] == made["key"][7:19]
    expires = datetime.fromisoformat(made["expires"])
    assert timedelta(days=29, hours=23) < expires - datetime.now(UTC) <= timedelta(days=30)
    shown = json.loads(encke("keys", "show", "app", "--json").stdout)
    times = {"created": made["created"], "expires": made["expires"], "revoked": None}
    assert {name: shown[name] for name in ("id", "name", "state", *times)} == {
        "id": made["id"], "name": "app", "state": "live", **times,
    }  # fmt: skip
    assert json.loads(encke("keys", "list", "--json").stdout) == [shown]
    revoked = json.loads(encke("keys", "revoke", "app", "--yes", "--json").stdout)
    assert revoked["state"] == "revoked" and revoked["revoked"] >= revoked["created"]


def test_list_and_show(encke: Run) -> None:
    """Lists are tables in line, with what each key's state is."""
    encke("keys", "create", "--name", "first app")
    encke("keys", "create", "--name", "b", "--expires", "2999-01-01")
    encke("keys", "revoke", "b", "--yes")
    lines = encke("keys", "list").stdout.splitlines()
    assert lines[0].startswith("ID ") and len(lines) == 3
    assert lines[0].index("STATE") == lines[1].index("live") == lines[2].index("revoked")
    assert lines[1].split()[-2] == "never" and lines[2].split()[-2] == "2999-01-01T00:00:00Z"
    shown = encke("keys", "show", "first app").stdout
    facts = dict(line.split(None, 1) for line in shown.splitlines())
    assert facts["state"] == "live" and facts["expires"] == "-" and "sk-" not in shown


def test_revoke_asks(encke: Run) -> None:
    """Without --yes revoking asks; no answer, or no, leaves the key."""
    encke("keys", "create", "--name", "app")
    for answer in ("n\n", ""):
        done = encke("keys", "revoke", "app", stdin=answer)
        assert done.exit_code == 1 and 'Revoke the key "app"' in done.stderr
    assert "live" in encke("keys", "list").stdout
    done = encke("keys", "revoke", "app", stdin="y\n")
    assert done.exit_code == 0 and 'Revoked the key "app"' in done.stdout
    assert "revoked" in encke("keys", "list").stdout


def test_refusals(encke: Run) -> None:
    """What cannot be done is told in a sentence, and nothing is made."""
    encke("keys", "create", "--name", "app")
    for args, message in (
        (("create", "--name", "app"), 'the name "app" is taken'),
        (("create", "--name", ""), 'the name "" is empty'),
        (("create", "--expires", "1999-01-01"), "is not in the future"),
        (("create", "--expires", "soon"), 'expires "soon" is not a time'),
        (("show", "ap"), 'nearest: "app"'),
        (("revoke", "other", "--yes"), 'no key has the id or name "other"'),
    ):
        done = encke("keys", *args)
        assert done.exit_code == 1 and message in done.stderr and done.stdout == "", args
    assert len(json.loads(encke("keys", "list", "--json").stdout)) == 1


def test_many_at_once(program: Program, data: Path) -> None:
    """Eight processes make keys on an empty folder at once: all succeed, under one pepper, with eight names."""
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: program("keys", "create"), range(8)))
    assert [d.returncode for d in done] == [0] * 8, [d.stderr for d in done]
    pepper = (data / "pepper").read_bytes()
    store = SqliteStore.open(data / "encke.db")
    assert set(store.live_keys().grants) == {secret.digest(pepper, d.stdout.strip()) for d in done}
    assert {key.name for key in store.list_keys()} == {f"key-{number}" for number in range(1, 9)}
    store.close()


def test_a_change_of_nothing(encke: Run) -> None:
    """Is told as wrong usage: whoever mistypes an option's value in a script should not think that it was done."""
    encke("keys", "create", "--name", "app")
    for command in (("keys", "update", "app"), ("projects", "update", "default"), ("orgs", "update", "default")):
        done = encke(*command)
        assert done.exit_code == 2 and "nothing to change" in done.stderr
