"""What the gateways of a run of the tests have left, looked through for secrets when the run ends.

Files are found where they lie, below pytest's temporary folder: databases with their logs, journals, output, access
logs. What has no file is handed in: errors that callers got, command lines and environments of processes, terminals.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from tests.support.canaries import VALUES
from tests.support.scanner import Scanner

# Files that may hold secrets, and why.
ALLOWED = {
    "pepper": "the pepper's own place: 0600, beside the database and not in it",
    "*.toml": "settings, which the operator writes",
    "upstream*.jsonl": "the fake upstream's account of what it was sent, kept by the test",
    "log.jsonl": "the same, where the fake upstream itself is tested",
    "trace": "curl's own account of what it sent",
    "upstream-rules.json": "the fake upstream's orders, given by the test",
    "models/*": "weights",
    "*.gguf": "weights",
}
_LARGEST = 256 << 20
_MINTED = re.compile(rb"sk-enc-[0-9A-Za-z]{12}-([0-9A-Za-z]{49})")


class Leak(NamedTuple):
    """A secret where none may be."""

    where: str
    secret: str
    disguise: str
    excerpt: str


class Evidence:
    """Hand things in while tests run; `leaks` at the end."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("files", "bytes", "errors", "processes", "terminals", "skipped"), 0)
        self._pieces: dict[bytes, str] = {}
        self._minted: set[bytes] = set()

    def take(self, where: str, data: bytes) -> None:
        """Something that was seen. The same bytes are looked at once."""
        self._pieces.setdefault(data, where)

    def error(self, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
        """An error that a caller got."""
        self.counts["errors"] += 1
        lines = "\n".join(f"{name}: {value}" for name, value in headers if name.lower() != "x-client-request-id")
        self.take("an error that a caller got", lines.encode("latin-1", "replace") + b"\n\n" + body[: 1 << 20])

    def processes(self, pids: Iterable[int], first: int) -> None:
        """Command lines of a gateway's processes, and the environments of all but the `first`, who was given it."""
        for pid in pids:
            for name in ("cmdline", "environ") if pid != first else ("cmdline",):
                try:
                    data = Path(f"/proc/{pid}/{name}").read_bytes()
                except OSError:
                    continue
                self.counts["processes"] += 1
                self.take(f"the {name} of a process", data)

    def terminal(self, output: bytes) -> None:
        """What a person saw. A new key may be shown there, and from then on nowhere."""
        self.counts["terminals"] += 1
        self._minted.update(_MINTED.findall(output))
        self.take("a terminal", _MINTED.sub(b"", output))

    def leaks(self, root: Path | None) -> list[Leak]:
        """Look through everything handed in, and every file below `root`."""
        files = list(_files(root)) if root is not None else []
        scanner = self._scanner(files)
        found = [leak for data, where in self._pieces.items() for leak in _look(scanner, where, data)]
        for file in files:
            if _allowed(file):
                continue
            try:
                if file.stat().st_size > _LARGEST:
                    self.counts["skipped"] += 1
                    continue
                data = file.read_bytes().rstrip(b"\0")  # a journal's segment is mostly room
            except FileNotFoundError:
                continue  # of a running gateway, which has removed it meanwhile
            self.counts["files"] += 1
            self.counts["bytes"] += len(data)
            found += _look(scanner, str(file), data)
        return found

    def _scanner(self, files: list[Path]) -> Scanner:
        scanner = Scanner()
        for name, value in VALUES.items():
            scanner.add(name, value)
        for number, key in enumerate(sorted(self._minted)):
            scanner.add(f"a new key ({number})", key)
        for file in files:
            if file.name == "pepper" and file.stat().st_size == 32 and len(set(pepper := file.read_bytes())) > 16:
                scanner.add(f"the pepper of {file.parent}", pepper)
        return scanner


def _allowed(file: Path) -> bool:
    names = (file.name, f"{file.parent.name}/{file.name}")
    return any(fnmatch(name, pattern) for name in names for pattern in ALLOWED)


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _look(scanner: Scanner, where: str, data: bytes) -> Iterator[Leak]:
    for hit in scanner.find(data):
        around = data[max(hit.offset - 60, 0) : hit.offset + hit.length + 20]
        yield Leak(where, hit.name, hit.disguise, repr(around))


EVIDENCE = Evidence()
