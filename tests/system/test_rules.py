"""What keys may do, against real processes: every level's rules hold, on every worker, and changes hold at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.support.client import Client, Response, chat
from tests.support.gateway import Gateway, lab
from tests.system.test_authorisation import polite, spellings
from tests.system.test_keys import encke, on_every_worker, soon

MODELS = ["m1", "m2", "dear"]
SETTINGS: dict[str, Any] = {
    "local": {"enabled": False},
    "server": {"workers": 2, "trusted_proxies": ["127.0.0.0/8"]},
    "models": {"fast": {"targets": [{"provider": "lab", "model": "m1"}], "fallback": ["lab/dear"]}},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers behind a proxy that is this machine, one provider with three models, and an alias."""
    with FakeUpstream(polite) as upstream:
        settings = {**lab(upstream.url, models=MODELS), **SETTINGS}
        with Gateway(tmp_path_factory.mktemp("rules"), settings) as running:
            encke(running, "orgs", "create", "acme", "--models", "lab/*,m*,fast,dear")
            encke(running, "projects", "create", "web", "--org", "acme", "--routes", "chat,completions,moderations")
            yield running


def made(gateway: Gateway, *options: str, project: str = "web") -> str:
    """A new key."""
    key: str = encke(gateway, "keys", "create", "--project", project, *options)["key"]
    return key


def ask(client: Client, key: str, model: str = "m1", route: str = "chat/completions", **headers: str) -> Response:
    """A call; the answer."""
    body = {**chat("Hello", model), "prompt": "Hello", "input": "Hello"}
    return client.call("POST", f"/v1/{route}", body, key=key, headers=headers)


def verdict(answer: Response) -> tuple[int, str | None]:
    """Status and code."""
    return answer.status, answer.json()["error"]["code"] if answer.status != 200 else None


FORBIDDEN = {name: (403, f"{name}_not_allowed") for name in ("model", "route", "address")}
FINE = (200, None)


def test_models(gateway: Gateway) -> None:
    """What the key's own globs allow and every level above too; its lists show these and no others."""
    key = made(gateway, "--models", "m1,fast,secret*")
    with gateway.client() as client:
        for model, expected in (
            ("m1", FINE), ("lab/m1", FINE), ("fast", FINE), ("m2", FORBIDDEN["model"]), ("lab/m2", FORBIDDEN["model"]),
            ("dear", FORBIDDEN["model"]), ("secret-1", FORBIDDEN["model"]), ("nothing", FORBIDDEN["model"]),
        ):  # fmt: skip
            answer = ask(client, key, model)
            assert verdict(answer) == expected, model
            if expected != FINE:
                error = answer.json()["error"]
                assert error["type"] == "permission_error" and error["param"] == "model"
                assert answer.header("x-should-retry") == "false"
        listed = client.call("GET", "/v1/models", key=key).json()["data"]
        assert [each["id"] for each in listed] == ["fast", "lab/m1"]
        for model, expected in (("fast", FINE), ("lab/m1", FINE), ("m1", FINE), ("lab/m2", FORBIDDEN["model"])):
            assert verdict(client.call("GET", f"/v1/models/{model}", key=key)) == expected
        free = made(gateway, project="default")
        assert len(client.call("GET", "/v1/models", key=free).json()["data"]) == 4
        assert verdict(ask(client, free, "nothing")) == (404, "model_not_found")


def test_routes(gateway: Gateway) -> None:
    """What the project's list and the key's own both hold; lists of models are always answered."""
    key = made(gateway, "--routes", "chat,embeddings")
    with gateway.client() as client:
        for route, expected in (
            ("chat/completions", FINE), ("embeddings", FORBIDDEN["route"]), ("completions", FORBIDDEN["route"]),
            ("moderations", FORBIDDEN["route"]),
        ):  # fmt: skip
            for _ in range(3):  # the head is known by then
                assert verdict(ask(client, key, route=route)) == expected, route
        assert client.call("GET", "/v1/models", key=key).status == 200
        answer = ask(client, key, route="embeddings")
        assert "route embeddings" in answer.json()["error"]["message"]


def test_addresses(gateway: Gateway) -> None:
    """Whom the proxy names counts, not what the caller wrote before that; the same for every way to write the key, and
    again and again on one connection."""
    key = made(gateway, "--addresses", "10.0.0.0/8,2001:db8::/32")
    with gateway.client() as client:
        for forwarded, expected in (
            ("10.1.2.3", FINE), ("::ffff:10.1.2.3", FINE), ("2001:db8::5", FINE), ("6.6.6.6, 10.1.2.3", FINE),
            ("10.1.2.3, 6.6.6.6", FORBIDDEN["address"]), ("6.6.6.6", FORBIDDEN["address"]),
            ("unknown", FORBIDDEN["address"]), ("", FORBIDDEN["address"]), ("6.6.6.6, 127.0.0.9", FORBIDDEN["address"]),
        ):  # fmt: skip
            headers = {"x-forwarded-for": forwarded}
            for _ in range(2):
                assert verdict(ask(client, key, **headers)) == expected, forwarded
            for spelling in spellings(key).values():
                answer = client.call("GET", "/v1/models", headers={**headers, **spelling})
                assert verdict(answer) == expected, (forwarded, spelling)
        assert verdict(ask(client, key)) == FORBIDDEN["address"]
        assert (
            "may not be used from 6.6.6.6"
            in ask(client, key, **{"x-forwarded-for": "6.6.6.6"}).json()["error"]["message"]
        )


def test_a_list_in_two_fields(gateway: Gateway) -> None:
    """X-Forwarded-For sent twice is one list: what the caller sent does not hide what the proxy added."""
    key = made(gateway, "--addresses", "10.0.0.0/8")
    for first, second, status in (("10.1.1.1", "6.6.6.6", 403), ("6.6.6.6", "10.1.1.1", 200)):
        with gateway.client() as client:
            client.send(
                f"GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n"
                f"x-forwarded-for: {first}\r\nX-Forwarded-For: {second}\r\n\r\n".encode()
            )
            assert client.read("GET").status == status


def until(clients: list[Client], key: str, expected: tuple[int, str | None], **more: Any) -> None:
    """On every connection, see `soon`."""
    soon({expected}, lambda: {verdict(ask(client, key, **more)) for client in clients})


def test_changes_reach_every_worker(gateway: Gateway, request: pytest.FixtureRequest) -> None:
    """What a key, its project or its organisation may do holds within a second on open connections, both ways."""
    encke(gateway, "orgs", "create", "changing")
    encke(gateway, "projects", "create", "site", "--org", "changing")
    key = made(gateway, "--name", "changing", project="site")
    clients = on_every_worker(gateway, request)[:16]
    until(clients, key, FINE)
    for owner in (("keys", "update", "changing"), ("projects", "update", "site"), ("orgs", "update", "changing")):
        encke(gateway, *owner, "--models", "m2")
        until(clients, key, FORBIDDEN["model"])
        encke(gateway, *owner, "--models", "any", "--routes", "embeddings")
        until(clients, key, FORBIDDEN["route"])
        encke(gateway, *owner, "--routes", "any", "--addresses", "10.0.0.0/8")
        until(clients, key, FORBIDDEN["address"])
        encke(gateway, *owner, "--addresses", "any")
        until(clients, key, FINE)
    encke(gateway, "orgs", "update", "changing", "--expires", "1s")
    time.sleep(1.0)
    until(clients, key, (401, "expired_api_key"))
    encke(gateway, "orgs", "update", "changing", "--expires", "never")
    until(clients, key, FINE)
    encke(gateway, "orgs", "archive", "changing", "--yes")
    until(clients, key, (401, "invalid_api_key"))


def test_rotation(gateway: Gateway, request: pytest.FixtureRequest) -> None:
    """In the time of grace both secrets are good, as one key; after it, or with the next rotation, the older is not."""
    first = made(gateway, "--name", "turning")
    clients = on_every_worker(gateway, request)[:16]
    second = encke(gateway, "keys", "rotate", "turning", "--grace", "1h")["key"]
    assert first != second and first[:19] == second[:19]
    for key in (first, second):
        until(clients, key, FINE)
    third = encke(gateway, "keys", "rotate", "turning", "--grace", "2s")["key"]
    until(clients, first, (401, "invalid_api_key"))
    for key in (second, third):
        until(clients, key, FINE)
    time.sleep(2.0)
    until(clients, second, (401, "expired_api_key"))
    until(clients, third, FINE)
    encke(gateway, "keys", "revoke", "turning", "--yes")
    for key in (first, second, third):
        until(clients, key, (401, "invalid_api_key"))


def test_limits_of_every_level(gateway: Gateway, request: pytest.FixtureRequest) -> None:
    """A limit given to a key, its project or its organisation holds on every worker within a second, and no more once
    it is taken away; another key of the same project shares the project's and has not the first one's."""
    encke(gateway, "orgs", "create", "limited")
    encke(gateway, "projects", "create", "small", "--org", "limited")
    key = made(gateway, "--name", "limited", project="small")
    other = made(gateway, project="small")
    clients = on_every_worker(gateway, request)[:8]
    until(clients, key, FINE)
    full = (429, "rate_limit_exceeded")
    for owner, shared in (
        (("keys", "update", "limited"), FINE), (("projects", "update", "small"), full),
        (("orgs", "update", "limited"), full),
    ):  # fmt: skip
        encke(gateway, *owner, "--rpm", "1")
        ask(clients[0], key)  # the one there is, if the first of these was not
        until(clients, key, full)
        assert {verdict(ask(client, other)) for client in clients} == {shared}
        message = ask(clients[0], key).json()["error"]["message"]
        assert f'of {"organisation" if owner[0] == "orgs" else owner[0][:-1]} "' in message
        encke(gateway, *owner, "--rpm", "off")
        until(clients, key, FINE)
        until(clients, other, FINE)


def test_a_budget_of_every_level(gateway: Gateway, request: pytest.FixtureRequest) -> None:
    """A budget makes a model without a price one that is refused, within a second; without it the model serves."""
    encke(gateway, "projects", "create", "poor")
    key = made(gateway, "--name", "poor", project="poor")
    clients = on_every_worker(gateway, request)[:8]
    for owner in (("--key", "poor"), ("--project", "poor")):
        until(clients, key, FINE)
        encke(gateway, "budgets", "set", "5/day", *owner)
        until(clients, key, (400, "unpriced_model"))
        encke(gateway, "budgets", "remove", "day", *owner)
    until(clients, key, FINE)
