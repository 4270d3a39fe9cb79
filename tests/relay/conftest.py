"""One gateway and one upstream for a whole file of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.relay.addresses import OTHER
from tests.relay.traffic import OWN, Stage
from tests.support.canaries import canary
from tests.support.gateway import Gateway
from tests.support.presets import PRESETS, address

Start = Callable[[dict[str, Any]], Gateway]


def provider(url: str, **more: Any) -> dict[str, Any]:
    """A provider's table that points at a fake upstream."""
    key = f"sk-upstream-{canary('relay_key')}"
    return {"base_url": f"{url}/v1", "api_key": key, "allow_private": True, **more}


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    """An upstream in a thread of its own; polite unless a request says otherwise."""
    with FakeUpstream(keep_body=1 << 16) as running:
        yield running


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start gateways without the embedded model; they are stopped at the end of the file, and must stop in order."""
    running: list[Gateway] = []

    def make(settings: dict[str, Any]) -> Gateway:
        server = {"workers": 1, **settings.get("server", {})}
        whole = {"local": {"enabled": False}, **settings, "server": server}
        running.append(Gateway(tmp_path_factory.mktemp("gateway"), whole))
        return running[-1]

    yield make
    for gateway in running:
        gateway.stop()


@pytest.fixture(scope="module")
def stage(upstream: FakeUpstream) -> Stage:
    """The upstream as a player of recorded exchanges."""
    made = Stage()
    upstream.behave = made.behave
    return made


@pytest.fixture(scope="module")
def all_providers(upstream: FakeUpstream, start: Start) -> Gateway:
    """A gateway with every known provider, and two that are not, all played by the one upstream.

    What the presets say holds, but for the host: so paths, queries and headers are those that the provider would see.
    """
    tables = {name: provider(upstream.url, dialect="openai_chat") for name in (OWN, OTHER)}
    for name, preset in PRESETS.items():
        tables[name] = {**provider(upstream.url), "base_url": f"{upstream.url}{address(preset).prefix}"}
    # Its dialect is nearly OpenAI's, and is relayed as if it were.
    tables["mistral"]["ops"] = ["chat", "embeddings", "models"]
    return start({"providers": tables, "routing": {"breaker": "off", "retries": 0}})
