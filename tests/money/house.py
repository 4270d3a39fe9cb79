"""A gateway whose models have prices and whose keys have limits, and its books."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.durability.crowd import Seen
from tests.support.accountant import Audit, Row, audit, read_books, read_statement, repeated
from tests.support.gateway import Gateway
from tests.support.operate import encke

# As a large model's, in dollars per million tokens: a token read costs 15,000 nano-dollars, one written 75,000.
LARGE = {"m": {"input": "15", "output": "75"}}
READ, WRITTEN = 15_000, 75_000
DOLLAR = 10**9


class House:
    """Organisations, projects and keys are made with the program's own commands. `log` is the upstream's statement,
    which may have nobody else's calls; `settings` are the gateway's.
    """

    def __init__(self, folder: Path, log: Path, settings: dict[str, Any], *, workers: int = 4) -> None:
        self.log = log
        server = {"workers": workers, "grace": 5, **settings.get("server", {})}
        quiet = {"local": {"enabled": False}, "log": {"access": "off"}}
        self.gateway = Gateway(folder, {**quiet, **settings, "server": server})
        self.keys: dict[str, str] = {}

    # who there is

    def command(self, *words: str) -> Any:
        """A command of the program; what it prints, as JSON. Raises AssertionError with its words."""
        done = encke(self.gateway, *words, "--json")
        assert done.returncode == 0, f"encke {' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout)

    def organisation(self, name: str, *limits: str) -> None:
        """`limits` are options of the command, such as `--budget 25/month`."""
        self.command("orgs", "create", name, *limits)

    def project(self, name: str, organisation: str, *limits: str) -> None:
        """The same for a project."""
        self.command("projects", "create", name, "--org", organisation, *limits)

    def key(self, name: str, project: str, *limits: str) -> str:
        """The same for a key; its secret."""
        made = self.command("keys", "create", "--name", name, "--project", project, *limits)
        self.keys[name] = made["key"]
        return self.keys[name]

    # its books

    def rows_of(self, nonces: Collection[str], seconds: float = 30.0) -> dict[str, list[Row]]:
        """The rows of calls by their nonces, once each has its final one."""
        found: dict[str, list[Row]] = {}

        def settled() -> bool:
            found.clear()
            db = sqlite3.connect(f"file:{self.gateway.store}?mode=ro", uri=True)
            db.row_factory = sqlite3.Row
            try:
                for row in db.execute("SELECT * FROM entries ORDER BY call, attempt"):
                    found.setdefault(row["client_request_id"], []).append(dict(row))
            finally:
                db.close()
            return all(nonce in found and found[nonce][-1]["final"] for nonce in nonces)

        self.gateway.wait_for(settled, seconds, "a call has no final entry")
        return {nonce: found[nonce] for nonce in nonces}

    def audit(
        self,
        seen: Sequence[Seen],
        content_of: Callable[[str, int], int] = repeated,
        prices: Mapping[str, Mapping[str, str]] = LARGE,
        seconds: float = 20.0,
    ) -> Audit:
        """The accountant's, as soon as he finds nothing, or when the time is over."""
        lines = [vars(one) for one in seen]
        deadline = time.monotonic() + seconds
        while True:
            found = audit(read_statement(self.log), read_books(self.gateway.store), prices, lines, content_of)
            if not found.problems or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def posted(self) -> dict[int, int]:
        """What each limit has been charged, over all its windows."""
        db = sqlite3.connect(f"file:{self.gateway.store}?mode=ro", uri=True)
        try:
            return dict(db.execute("SELECT limit_id, sum(posted) FROM accounts GROUP BY limit_id"))
        finally:
            db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self.gateway.__exit__(kind, *rest)
