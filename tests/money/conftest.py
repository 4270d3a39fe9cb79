"""One upstream and one gateway with four workers for a whole file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing.process import UpstreamProcess
from tests.money.house import LARGE, House
from tests.support.gateway import lab


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpstreamProcess]:
    """Its statement is of one gateway only."""
    with UpstreamProcess(tmp_path_factory.mktemp("upstream")) as running:
        yield running


@pytest.fixture(scope="module")
def house(upstream: UpstreamProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Four workers; it must stop in order at the end, with books that agree."""
    with House(tmp_path_factory.mktemp("house"), upstream.log, lab(upstream.url, prices=LARGE)) as made:
        yield made


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[House]:
    """The same for one test alone, which may break it, with an upstream of its own."""
    with (
        UpstreamProcess(tmp_path / "upstream") as upstream,
        House(tmp_path / "house", upstream.log, lab(upstream.url, prices=LARGE)) as made,
    ):
        yield made
