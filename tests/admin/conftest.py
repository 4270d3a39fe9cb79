"""A store and a context for use cases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.admin.context import Context
from encke.store.sqlite import SqliteStore

NOW = 1_798_761_600_000  # 2027-01-01T00:00:00Z


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    """An empty store, a pepper, and a clock that stands still."""
    store = SqliteStore.open(tmp_path / "encke.db")
    yield Context(store, bytes(range(32)), lambda: NOW)
    store.close()
