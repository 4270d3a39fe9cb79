"""What a connection of the fake upstream needs of the server it belongs to."""

from __future__ import annotations

import asyncio
from typing import Protocol

from encke.testing.request import Request
from encke.testing.script import Script
from encke.testing.statement import Statement


class Stoppable(Protocol):
    """A connection as its server sees it; `gone` is set when it is closed."""

    gone: asyncio.Event

    def stop(self) -> None:
        """End whatever is going on, at once."""


class Host(Protocol):
    """What a connection needs of its server."""

    statement: Statement
    keep_body: int
    connections: set[Stoppable]

    def choose(self, request: Request) -> Script:
        """The script for a complete request."""

    def choose_early(self, request: Request) -> Script | None:
        """The script for a request whose body is still on its way, or None to wait for it."""

    def next_connection(self) -> int:
        """A number for a new connection, from 1."""

    def next_call(self) -> int:
        """A number for a new call, from 1."""
