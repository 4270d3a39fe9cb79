"""The list of models: what is configured, what providers say, and what happens when they say nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.catalogue.catalogue import Catalogue
from encke.testing import wire
from encke.testing.request import Request
from encke.testing.script import Script, Send, Sleep
from encke.testing.upstream import FakeUpstream
from encke.worker.listing import Listed
from encke.worker.models import Discovery
from tests.support.client import chat
from tests.support.gateway import KEY, Gateway, lab
from tests.support.weights import share_weights

BARE = [{"id": "m1", "created": 5}, {"name": "no id"}, {"id": 7}, {"id": ""}, {"id": "org/m2"}]
LISTED = {"object": "list", "data": [{"id": "m1", "created": 5, "owned_by": "x"}, {"id": "org/m2"}]}


class Provider:
    """An upstream whose list of models can be changed."""

    def __init__(self) -> None:
        self.status, self.delay = 200, 0.0
        self.list: object = LISTED
        self.body: bytes | None = None  # instead of the list
        self.upstream = FakeUpstream(self.behave)

    def behave(self, request: Request) -> Script:
        """The list, or a short answer."""
        if request.path.endswith("/models"):
            answer = wire.json_response(self.status, self.list)
            if self.body is not None:
                answer = wire.http_response(200, [wire.JSON], self.body)
            return Script([*([Sleep(self.delay)] if self.delay else []), Send(answer)])
        message = {"role": "assistant", "content": "hi"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return Script([Send(wire.json_response(200, {"choices": [choice], "model": request.model}))])


@pytest.fixture
def provider() -> Iterator[Provider]:
    """See the class."""
    made = Provider()
    yield made
    made.upstream.stop()


def gateway(folder: Path, provider: Provider, **more: object) -> Gateway:
    """One worker, the provider, and an alias."""
    settings = {
        **lab(provider.upstream.url, **more), "local": {"enabled": False}, "server": {"workers": 1},
        "models": {"fast": {"targets": [{"provider": "lab", "model": "m1"}]}},
    }  # fmt: skip
    return Gateway(folder, settings)


def test_lists_of_other_dialects(tmp_path: Path, provider: Provider) -> None:
    """Anthropic's and Gemini's shapes, pages and errors, by the headers and paths of their clients; one by one too;
    what a model can do in OpenAI's."""
    provider.list = {"data": [{"id": f"m{at}", "max_model_len": 77} for at in range(3)]}
    version = {"anthropic-version": "2023-06-01", "x-api-key": KEY}
    with gateway(tmp_path, provider, capabilities={"images": False}) as running, running.client() as client:
        first = client.call("GET", "/v1/models?limit=2", headers=version).json()
        assert [one["id"] for one in first["data"]] == ["fast", "lab/m0"] and first["has_more"] is True
        behind = client.call("GET", f"/v1/models?after_id={first['last_id']}", headers=version).json()
        assert [one["id"] for one in behind["data"]] == ["lab/m1", "lab/m2"] and behind["has_more"] is False
        one = client.call("GET", "/v1/models/lab/m1", headers=version).json()
        assert (one["type"], one["id"], one["max_input_tokens"]) == ("model", "lab/m1", 77)
        wrong = client.call("GET", "/v1/models/lab/nope", headers=version)
        assert wrong.status == 404 and wrong.json()["type"] == "error"
        listed = client.call("GET", f"/v1beta/models?pageSize=3&key={KEY}").json()
        assert [one["name"] for one in listed["models"]] == ["models/fast", "models/lab/m0", "models/lab/m1"]
        token = listed["nextPageToken"]
        rest = client.call("GET", f"/v1beta/models?pageToken={token}", headers={"x-goog-api-key": KEY}).json()
        assert [one["name"] for one in rest["models"]] == ["models/lab/m2"] and "nextPageToken" not in rest
        one = client.call("GET", "/v1beta/models/lab/m1", headers={"x-goog-api-key": KEY}).json()
        assert (one["name"], one["inputTokenLimit"]) == ("models/lab/m1", 77)
        wrong = client.call("GET", "/v1beta/models?pageToken=x", headers={"x-goog-api-key": KEY})
        assert wrong.status == 400 and wrong.json()["error"]["status"] == "INVALID_ARGUMENT"
        denied = client.call("GET", "/v1beta/models")
        assert denied.status == 401 and denied.json()["error"]["status"] == "UNAUTHENTICATED"
        said = client.call("GET", "/v1/models/lab/m1", key=KEY).json()["capabilities"]
        assert (said["images"], said["tools"], said["context"]) == (False, True, 77)


def test_lists(tmp_path: Path, provider: Provider) -> None:
    """Aliases and what the provider lists, in OpenAI's shape; one by one too; bare ids are resolved."""
    with gateway(tmp_path, provider) as running, running.client() as client:
        listed = client.call("GET", "/v1/models", key=KEY).json()
        assert listed["object"] == "list"
        assert [one["id"] for one in listed["data"]] == ["fast", "lab/m1", "lab/org/m2"]
        assert listed["data"][1] == {"id": "lab/m1", "object": "model", "created": 5, "owned_by": "lab"}
        for path in ("lab/m1", "lab%2Forg%2Fm2", "fast", "m1"):
            assert client.call("GET", f"/v1/models/{path}", key=KEY).status == 200
        unknown = client.call("GET", "/v1/models/lab/nope", key=KEY)
        assert (unknown.status, unknown.json()["error"]["code"]) == (404, "model_not_found")
        for name, upstream_model in (("m1", "m1"), ("org/m2", "org/m2"), ("fast", "m1"), ("lab/unlisted", "unlisted")):
            answer = client.call("POST", "/v1/chat/completions", chat("hi", name), key=KEY)
            assert (answer.status, answer.json()["model"]) == (200, upstream_model)
        assert client.call("GET", "/v1/models").status == 401


def test_a_bare_list(tmp_path: Path, provider: Provider) -> None:
    """Some providers give a list without an object round it; items without an id are passed over."""
    provider.list = BARE
    with gateway(tmp_path, provider) as running, running.client() as client:
        listed = client.call("GET", "/v1/models", key=KEY).json()
        assert [one["id"] for one in listed["data"]] == ["fast", "lab/m1", "lab/org/m2"]


@pytest.mark.parametrize("how", ["error", "garbage", "bytes", "slow"])
def test_provider_without_a_list(tmp_path: Path, provider: Provider, how: str) -> None:
    """A provider that fails, babbles or is silent costs its names in the list, and nothing else."""
    provider.status = 500 if how == "error" else 200
    provider.list = {"data": "none"} if how == "garbage" else LISTED
    provider.body = b'{"data":[{"id":"m\xff"}]}' if how == "bytes" else None
    provider.delay = 10.0 if how == "slow" else 0.0
    with gateway(tmp_path, provider) as running, running.client() as client:
        listed = client.call("GET", "/v1/models", key=KEY)
        assert listed.status == 200 and [one["id"] for one in listed.json()["data"]] == ["fast"]
        assert listed.header("x-encke-models-missing") == "lab"
        assert client.call("POST", "/v1/chat/completions", chat("hi", "lab/m1"), key=KEY).status == 200


def test_a_slow_provider_is_waited_for_once(tmp_path: Path, provider: Provider) -> None:
    """Nobody waits for it again, the others' models are there meanwhile, and it is heard in the end."""
    quick = Provider()
    provider.delay = 6.0
    settings = lab(provider.upstream.url)
    settings["providers"]["quick"] = lab(quick.upstream.url)["providers"]["lab"]
    try:
        both = {**settings, "local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path, both) as running, running.client() as client:
            for _ in range(5):
                listed = client.call("GET", "/v1/models", key=KEY)
                assert [one["id"] for one in listed.json()["data"]] == ["quick/m1", "quick/org/m2"]
                assert listed.header("x-encke-models-missing") == "lab"
            command = [sys.executable, "-m", "encke", "models", "--config", str(running.config)]
            environ = {**os.environ, "ENCKE_DATA": str(running.data), "ENCKE_API_KEY": KEY}
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
            assert "quick/m1" in done.stdout and done.stderr == "not listed, for want of an answer: lab\n"
            asked = [one for one in provider.upstream.statement.calls() if one.target.endswith("/models")]
            assert len(asked) == 1

            def all_there() -> bool:
                listed = client.call("GET", "/v1/models", key=KEY)
                return len(listed.json()["data"]) == 4 and listed.header("x-encke-models-missing") is None

            running.wait_for(all_there, 30, "the slow provider's models did not come")
    finally:
        quick.upstream.stop()


def test_configured_models_are_not_asked_for(tmp_path: Path, provider: Provider) -> None:
    """A provider whose models stand in the settings is believed without a question."""
    with gateway(tmp_path, provider, models=["only"]) as running, running.client() as client:
        listed = client.call("GET", "/v1/models", key=KEY).json()
        assert [one["id"] for one in listed["data"]] == ["fast", "lab/only"]
        assert client.call("POST", "/v1/chat/completions", chat("hi", "only"), key=KEY).status == 200
    assert all(not call.target.endswith("/models") for call in provider.upstream.statement.calls())


def test_what_a_provider_lists_no_more_is_forgotten() -> None:
    """Who lists other names each time, or puts half a megabyte where a date belongs, does not fill the memory."""
    discovery = Discovery(Catalogue(frozenset({"lab"}), {}), {}, {"lab": ()})
    for turn in range(5):
        discovery._take("lab", [Listed(f"m{turn}-{number}") for number in range(10)])
    assert [item.created for item in discovery._details.values()] == [0] * 10


def test_prices_are_told_when_asked_for(tmp_path: Path, provider: Provider) -> None:
    """With each model, for each of its targets: where the price comes from and what it is; null where there is none."""
    own = {"input": "0.5", "output": "2", "cache_read": "0.05"}
    asking = {"x-encke-include-prices": "true"}
    with gateway(tmp_path, provider, prices={"m1": own}) as running, running.client() as client:
        plain = client.call("GET", "/v1/models", key=KEY).json()
        asked = client.call("GET", "/v1/models", key=KEY, headers=asking).json()
        one = client.call("GET", "/v1/models/fast", key=KEY, headers=asking).json()
    assert all("prices" not in model for model in plain["data"])
    by_id = {model["id"]: model["prices"] for model in asked["data"]}
    (price,) = by_id["lab/m1"]
    version = price["price"].pop("version")
    assert version.startswith("set-") and price == {"provider": "lab", "model": "m1", "price": own}
    assert by_id["lab/org/m2"] == [{"provider": "lab", "model": "org/m2", "price": None}]
    assert one["prices"] == by_id["fast"] == [{**price, "price": {"version": version, **own}}]


@pytest.mark.model
def test_an_engine_that_is_busy_is_listed(tmp_path: Path) -> None:
    """The embedded model is in the list while its engine has no time to answer, and not while there is no engine."""
    share_weights(tmp_path / "data")
    with Gateway(tmp_path, {"server": {"workers": 1}}, ready_within=60) as running, running.client() as client:

        def listed() -> list[str]:
            return [one["id"] for one in client.call("GET", "/v1/models", key=running.key).json()["data"]]

        running.wait_for(lambda: running.run.get("engine"), 120, "the engine did not start")
        os.kill(running.pids("engine")[0], signal.SIGSTOP)
        assert listed() == ["local"]
        os.kill(running.pids("engine")[0], signal.SIGKILL)
        running.wait_for(lambda: listed() == [], 90, "it is listed although it is gone")
        running.wait_for(lambda: listed() == ["local"], 120, "it is not listed although it is back")
