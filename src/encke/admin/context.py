"""What every use case is given, and how it says no."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from encke.core.clock import now_ms
from encke.store.port import Store


class AdminError(Exception):
    """The command cannot be done; the message is a sentence for people: which value, what is wrong, what to do."""


class Context(NamedTuple):
    """`pepper` is b"" where the store was opened only for reading. `now` gives UTC milliseconds."""

    store: Store
    pepper: bytes = b""
    now: Callable[[], int] = now_ms
