"""Targets: one for each credential, with its share, its heads, its rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encke.calls.upstream import Upstream
from encke.catalogue.prices import PriceBook
from encke.compose import Place, Trust, compose, make_upstream, price_file
from encke.core.faults import Fault
from encke.core.paths import DataPaths
from encke.http.sweep import Sweeper
from tests.support.gateway import to_toml

THREE = [{"name": name, "api_key": f"key-{name}", "weight": weight} for name, weight in (("a", 5), ("b", 3), ("c", 2))]
PROVIDERS: dict[str, Any] = {
    "groq": {"credentials": THREE},
    "openai": {"api_key": "key-o"},
    "azure-deployments": {"credentials": THREE[:2], "values": {"host": "h.example"}},
}


@pytest.fixture
def upstreams(tmp_path: Path) -> Iterator[dict[str, Upstream]]:
    """Made as a worker makes them."""
    file = tmp_path / "encke.toml"
    file.write_text(to_toml({"providers": PROVIDERS, "local": {"enabled": False}}), "utf-8")
    made = compose(str(file), {"ENCKE_DATA": str(tmp_path)})
    loop = asyncio.new_event_loop()
    place = Place(DataPaths(tmp_path), loop, Sweeper(loop), Trust(), PriceBook(price_file))
    found = {name: make_upstream(made.config, provider, place) for name, provider in made.providers.items()}
    yield found
    for upstream in found.values():
        upstream.pool.close()
    loop.close()


def test_a_single_key_is_a_target_of_its_own(upstreams: dict[str, Upstream]) -> None:
    """No group, so that nothing is asked of it that only matters among several."""
    (target,) = upstreams["openai"].targets("m", 7)
    assert (target.weight, target.group, target.upstream.credential) == (7, "", "")
    target.end(Fault("upstream_rate_limited", "x", retry_after=30.0))
    assert not target.resting


def test_every_credential_is_a_target(upstreams: dict[str, Upstream]) -> None:
    """Their shares add up to the model's weight; they have one pool, and each its own key in the head."""
    targets = upstreams["groq"].targets("m", 4)
    assert [target.weight for target in targets] == pytest.approx([2.0, 1.2, 0.8])
    assert {target.group for target in targets} == {"groq/m"}
    assert len({id(target.upstream.pool) for target in targets}) == 1
    for target in targets:
        name = target.upstream.credential.encode()
        assert b"authorization: Bearer key-" + name + b"\r\n" in target.heads["chat"]


def test_the_model_is_in_the_path_of_every_credential(upstreams: dict[str, Upstream]) -> None:
    """Where the preset wants it there, with the query behind."""
    heads = [target.heads["chat"] for target in upstreams["azure-deployments"].targets("gpt-4o", 1)]
    wanted = b"POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21 HTTP/1.1\r\nhost: h.example\r\n"
    assert all(head.startswith(wanted) for head in heads)
    assert [b"\r\napi-key: key-" + name + b"\r\n" in head for name, head in zip((b"a", b"b"), heads, strict=True)]
    with pytest.raises(Fault, match="has the model's name in its address"):
        upstreams["azure-deployments"].targets("../x", 1)


def test_who_is_refused_rests(upstreams: dict[str, Upstream]) -> None:
    """For that model and credential alone; other failures are no reason."""
    targets = upstreams["groq"].targets("m", 1)
    targets[0].end(Fault("overloaded", "x"))
    assert [target.resting for target in targets] == [False, False, False]
    for code in ("upstream_rate_limited", "upstream_auth"):
        targets[0].end(Fault(code, "x"))
        assert [target.resting for target in targets] == [True, False, False]
    assert not upstreams["groq"].targets("other", 1)[0].resting
