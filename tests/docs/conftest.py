"""A gateway for the examples, and the same with the embedded model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from encke.testing.upstream import FakeUpstream
from tests.support.gateway import Gateway, lab
from tests.support.weights import share_weights


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose provider `lab` is a fake upstream."""
    with FakeUpstream() as upstream:
        settings = {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path_factory.mktemp("docs"), settings) as made:
            yield made


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as `encke serve` makes it without any settings: with nothing but the embedded model."""
    folder = tmp_path_factory.mktemp("home")
    share_weights(folder / "data")
    with Gateway(folder, {"server": {"workers": 1}}, ready_within=60) as made:
        made.wait_for(lambda: made.run.get("engine"), 120, "the engine did not start")
        yield made
