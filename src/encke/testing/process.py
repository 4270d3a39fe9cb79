"""The fake upstream as a process: it survives the death of the gateway and shares no interpreter lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import msgspec

from encke.testing.statement import Statement


class UpstreamProcess:
    """Starts `python -m encke.testing.upstream` and reads its statement from the log file in `folder`.

    `rules` is what `rules.py` describes; change them later with `set_rules`. The process also ends when its
    parent dies. Raises RuntimeError when it does not come up.
    """

    def __init__(
        self, folder: Path, rules: list[dict[str, object]] | None = None, *, port: int = 0, keep_body: int = 0
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "upstream.jsonl"
        self._rules = folder / "upstream-rules.json"
        self.set_rules(rules or [])
        self.statement = Statement(self.log, write=False)
        command = [sys.executable, "-m", "encke.testing.upstream", "--watch-stdin", "--port", str(port)]
        command += ["--log", str(self.log), "--script", str(self._rules), "--keep-body", str(keep_body)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self._pipe(self._process.stdout).readline().split()
        if len(line) != 2:
            self.stop()
            raise RuntimeError(f"the fake upstream did not start: exit status {self._process.returncode}")
        self.port = int(line[1])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def set_rules(self, rules: list[dict[str, object]]) -> None:
        """Replace the rules; the next request sees the new ones."""
        new = self._rules.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(rules))
        new.replace(self._rules)

    def stop(self) -> None:
        """End the process and wait for it. Calling it twice does nothing."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe(self._process.stdin).close()
        self._pipe(self._process.stdout).close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
