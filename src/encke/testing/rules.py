"""A file of rules that choose behaviours, for an upstream in a process of its own.

The file holds a JSON list, first match wins, and is read again whenever it changes:

    [{"model": "m1", "times": 20, "behave": {"name": "503"}},
     {"path": "/v1/chat/completions", "contains": "slow", "behave": {"name": "slow_chunks", "interval": 0.2}}]

`path`, `model` and `contains` (text of the last user message) all have to match, as far as given; `times` is how often
a rule may be used. A request that no rule matches is treated as if there were no file: polite, unless it names a
behaviour.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from encke.testing.behaviours import Options, by_request, named
from encke.testing.request import Request
from encke.testing.script import Script


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One rule; see the module."""

    behave: Options
    path: str | None = None
    model: str | None = None
    contains: str = ""
    times: int | None = None

    def matches(self, request: Request) -> bool:
        """Whether this rule is to be used for `request`."""
        return (
            self.times != 0
            and self.path in (None, request.path)
            and self.model in (None, request.model)
            and self.contains in request.last_user
        )


class Rules:
    """The rules of one file. Raises msgspec.ValidationError or OSError when it cannot be read at first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0)
        self._rules: list[Rule] = []
        self._refresh()

    def behave(self, request: Request) -> Script:
        """The script of the first rule that matches."""
        self._refresh()
        rule = next((one for one in self._rules if one.matches(request)), None)
        if rule is None:
            return by_request(request)
        if rule.times is not None:
            rule.times -= 1
        return named(request, rule.behave)

    def _refresh(self) -> None:
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._rules = msgspec.json.decode(self._path.read_bytes(), type=list[Rule])
            self._stamp = stamp
