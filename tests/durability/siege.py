"""A gateway under load that may be killed in any way, and must be whole again after each."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from encke.testing.process import UpstreamProcess
from tests.durability.checker import Accounts, Verdict, check, read
from tests.support.accountant import at_rest, audit, read_books, read_lines, read_statement
from tests.support.gateway import KEY, Gateway, lab, session_processes
from tests.support.operate import encke

ROOT = Path(__file__).parents[2]


# Wide enough that nobody is refused, so that every call is held, leased and charged on three levels.
LIMITS = ("--rpm", "10000000", "--tpm", "1000000000000", "--concurrency", "1000", "--budget")
PRICES = {"m": {"input": "15", "output": "75"}}


class Siege:
    """Upstream, gateway and a crowd of callers on one folder; `finish` gives the checker's verdict, and with `money`
    the accountant's: then there are four keys, with limits of every kind on every level. `named`: a quarter of the
    callers send an Idempotency-Key, which needs the keeper.
    """

    def __init__(
        self,
        folder: Path,
        streams: int,
        workers: int,
        env: dict[str, str] | None = None,
        *,
        money: bool = False,
        named: bool = True,
        **more: Any,
    ) -> None:
        self._folder = folder
        self._money = money
        self._named = named
        self._settings: dict[str, Any] = {"local": {"enabled": False}, "log": {"access": "off"}, **more}
        self._workers = workers
        self.kills: Counter[str] = Counter()
        self.account = ""
        self.upstream = UpstreamProcess(folder / "upstream")
        self._sessions: list[int] = []
        self._listen = "127.0.0.1:0"
        try:
            self.gateway = self.start(env)
        except BaseException:
            self.upstream.stop()
            raise
        self.crowd_log = folder / "crowd.jsonl"
        try:
            keys = self._found() if money else [KEY]
        except BaseException:
            self.gateway.kill_all()
            self.upstream.stop()
            raise
        self._crowd = self._gather(streams, keys)

    def start(self, env: dict[str, str] | None = None) -> Gateway:
        """A gateway on the folder; where an earlier one's workers are only just leaving, a moment later."""
        server = {"workers": self._workers, "listen": self._listen, "grace": 5}
        prices = {"prices": PRICES} if self._money else {}
        settings = {**lab(self.upstream.url, **prices), **self._settings, "server": server}
        deadline = time.monotonic() + 30
        while True:
            try:
                gateway = Gateway(self._folder, settings, env=env)
                break
            except AssertionError as error:
                if "is taken" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self._sessions.append(gateway.process.pid)
        self._listen = f"127.0.0.1:{gateway.port}"
        return gateway

    def _found(self) -> list[str]:
        """Two projects with two keys each; one key has no limits of its own."""
        self._command("orgs", "create", "acme", *LIMITS, "100000/month")
        keys = []
        for project, period in (("web", "/day"), ("lab", "")):
            self._command("projects", "create", project, "--org", "acme", *LIMITS, f"90000{period}")
            for name, limits in (("a", (*LIMITS, "80000/week")), ("b", ())):
                made = self._command("keys", "create", "--name", f"{project}-{name}", "--project", project, *limits)
                keys.append(json.loads(made)["key"])
        return keys

    def _command(self, *words: str) -> str:
        done = encke(self.gateway, *words, "--json")
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def _gather(self, streams: int, keys: list[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.durability.crowd", str(self.gateway.port), str(self.crowd_log)]
        command += [str(streams), ",".join(keys), "named" if self._named else ""]
        return subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)

    @property
    def store(self) -> Path:
        """The database, wherever `store.url` has it."""
        url = str(self._settings.get("store", {}).get("url", "sqlite:encke.db"))
        return self.gateway.data / url.partition(":")[2]

    def wait_for_calls(self, more: int = 1, seconds: float = 90.0) -> None:
        """Until so many calls more have come to a good end."""
        aim = self._whole() + more
        self.wait(lambda: self._whole() >= aim, seconds, f"{more} more calls did not come to their end")

    def _whole(self) -> int:
        return self.crowd_log.read_bytes().count(b'"end": "whole"') if self.crowd_log.exists() else 0

    def wait(self, condition: Callable[[], object], seconds: float, problem: str) -> None:
        """Return once it holds; AssertionError with the gateway's log otherwise."""
        self.gateway.wait_for(condition, seconds, problem)

    # Deaths.

    def kill(self, what: str, rng: random.Random) -> None:
        """`worker`, `keeper`, `both`, `supervisor` or `all`; the last two are started again here."""
        self.kills[what] += 1
        if what in ("worker", "both"):
            self._kill_one("worker", rng)
        if what in ("keeper", "both"):
            self._kill_one("keeper", rng)
        if what == "supervisor":
            self.gateway.kill("supervisor")
            self.gateway.process.wait()
            self.gateway = self.start()
        if what == "all":
            self.gateway.kill_all()
            self.gateway = self.start()

    def _kill_one(self, role: str, rng: random.Random) -> None:
        def living() -> list[int]:
            return [pid for pid in self.gateway.pids(role) if pid]

        self.wait(living, 30, f"no {role}")
        index = rng.choice([at for at, pid in enumerate(self.gateway.pids(role)) if pid])
        try:
            self.gateway.kill(role, index)
        except ProcessLookupError:
            pass  # it has just died of something else

    # The end.

    def finish(self, seconds: float = 60.0) -> Verdict:
        """Let callers finish, then compare the accounts until they agree or the time is over; then stop."""
        assert self._crowd.stdin is not None
        self._crowd.stdin.close()
        assert self._crowd.wait(90) == 0
        deadline = time.monotonic() + seconds
        while (verdict := check(self._read())).problems and time.monotonic() < deadline:
            time.sleep(0.25)
        self.gateway.stop()
        after = check(self._read())
        assert after.problems == verdict.problems, "stopping in order has changed the accounts"
        deadline = time.monotonic() + 30
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        if left:
            after.problems.append(f"processes are left: {left}")
        if self._money:
            self._account(after)
        return after

    def _account(self, verdict: Verdict) -> None:
        """What the accountant finds, and the program's own check of its ledger."""
        books = read_books(self.store)
        found = audit(read_statement(self.upstream.log), books, PRICES, read_lines(self.crowd_log))
        own = encke(self.gateway, "ledger", "verify")
        verdict.problems += found.problems + at_rest(books)
        if own.returncode != 0:
            verdict.problems.append(f"encke ledger verify: {own.stdout}{own.stderr}")
        self.account = f"{found}; {' '.join(own.stdout.split())[:300]}"

    def _left(self) -> dict[int, str]:
        """Processes of any of the gateways."""
        return {pid: name for session in self._sessions for pid, name in session_processes(session).items()}

    def _read(self) -> Accounts:
        return read(self.crowd_log, self.upstream.log, self.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._crowd.kill()
        self._crowd.wait()
        if self._crowd.stdin is not None and not self._crowd.stdin.closed:
            self._crowd.stdin.close()
        if self.gateway.process.returncode is None:
            self.gateway.kill_all()
        self.upstream.stop()
