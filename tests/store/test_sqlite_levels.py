"""Organisations, projects, keys and limits in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.store.port import Store
from encke.store.sqlite import SqliteStore
from tests.store.level_contract import LevelContract


class TestLevelContract(LevelContract):
    """The contract holds for SQLite."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        store = SqliteStore.open(tmp_path / "encke.db")
        yield store
        store.close()
