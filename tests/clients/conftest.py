"""Gateways for real clients: one in front of a fake upstream, one with the embedded model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from encke.testing.upstream import FakeUpstream
from tests.clients.site import Site
from tests.clients.wires import providers
from tests.support.gateway import Gateway, lab
from tests.support.weights import share_weights

ALONE = {"local": {"enabled": False}, "routing": {"retries": 0, "breaker": "off"}}


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway whose provider `lab` is a fake upstream; the alias `fast` leads there too."""
    alias = {"models": {"fast": {"targets": [{"provider": "lab", "model": "fake"}]}}}
    with FakeUpstream() as upstream:
        settings = {**lab(upstream.url), **ALONE, **alias}
        with Gateway(tmp_path_factory.mktemp("clients"), settings) as gateway:
            yield Site(gateway.base_url, gateway.key, "lab/fake", upstream)


@pytest.fixture(scope="package")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway with a provider for each wire (`wires.WIRES`), all at one fake upstream."""
    with FakeUpstream() as upstream:
        settings = {"providers": providers(upstream.url), **ALONE}
        with Gateway(tmp_path_factory.mktemp("wires"), settings) as gateway:
            yield Site(gateway.base_url, gateway.key, "chat/fake", upstream)


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway with nothing but the embedded model."""
    folder = tmp_path_factory.mktemp("home")
    share_weights(folder / "data")
    with Gateway(folder, {}, ready_within=60) as gateway:
        gateway.wait_for(lambda: "engine" in gateway.run and gateway.run["engine"], 120, "the engine did not start")
        yield Site(gateway.base_url, gateway.key, "local", None)
