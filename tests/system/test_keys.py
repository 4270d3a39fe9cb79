"""Keys against real processes: at once everywhere, refused in words, and never seen anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.support.client import Client, chat
from tests.support.evidence import EVIDENCE
from tests.support.gateway import KEY, Gateway, lab

UPSTREAM_SECRET = "sk-upstream-canary-5b1f0e7a9c2d4863"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Four workers, one provider whose key is in the environment."""
    folder = tmp_path_factory.mktemp("keys")
    with FakeUpstream() as upstream:
        settings = {
            **lab(upstream.url, api_key="${LAB_KEY}"), "local": {"enabled": False}, "server": {"workers": 4},
        }  # fmt: skip
        with Gateway(folder, settings, env={"LAB_KEY": UPSTREAM_SECRET}) as running:
            yield running


def encke(gateway: Gateway, *arguments: str) -> Any:
    """The command line, on that gateway's folder; its JSON."""
    env = {"PATH": os.environ["PATH"], "ENCKE_DATA": str(gateway.data)}
    command = [sys.executable, "-m", "encke", *arguments, "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    EVIDENCE.terminal(done.stdout.encode())
    return json.loads(done.stdout)


def on_every_worker(gateway: Gateway, request: pytest.FixtureRequest) -> list[Client]:
    """Enough connections that every worker has some: the kernel spreads them by a hash. Closed with the test."""
    clients = [gateway.client() for _ in range(48)]
    for client in clients:
        request.addfinalizer(client.close)
    return clients


def status(client: Client, key: str) -> int:
    """What a list of models answers with that key."""
    return client.call("GET", "/v1/models", key=key).status


def soon(expected: object, seen: Callable[[], object]) -> None:
    """What is asked of every worker becomes `expected`. A change is on its way to all of them when its command ends,
    so that what counts is how often they were asked meanwhile (each time, they look at what has come), not how fast
    this machine is."""
    for _ in range(25):
        if (found := seen()) == expected:
            return
    raise AssertionError(f"{found}, not {expected}")


def test_created_is_usable_and_revoked_is_refused_everywhere(gateway: Gateway, request: pytest.FixtureRequest) -> None:
    """A new key serves on every worker at once; revoked it is refused, also on open connections."""
    made = encke(gateway, "keys", "create", "--name", "everywhere")
    clients = on_every_worker(gateway, request)
    assert {status(client, made["key"]) for client in clients} == {200}
    encke(gateway, "keys", "revoke", "everywhere", "--yes")
    soon({401}, lambda: {status(client, made["key"]) for client in clients})
    assert {status(client, KEY) for client in clients} == {200}


def test_expired(gateway: Gateway) -> None:
    """A key that has expired says so, also on the connection it was used on."""
    with gateway.client() as client:
        for seconds in (2, 10, 50):  # on a busy machine the first may have expired before it can be used
            key = encke(gateway, "keys", "create", "--name", f"brief-{seconds}", "--expires", f"{seconds}s")["key"]
            if status(client, key) == 200:
                break
        gateway.wait_for(lambda: status(client, key) != 200, seconds + 30, "it does not expire")
        answer = client.call("GET", "/v1/models", key=key)
        assert (answer.status, answer.json()["error"]["code"]) == (401, "expired_api_key")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer   {KEY}"},
        {"Authorization": KEY},
        {"x-api-key": KEY},
        {"X-Api-Key": KEY},
        {"api-key": KEY},
        {"x-goog-api-key": KEY},
        {"authorization": f"Bearer {KEY}", "x-api-key": KEY},
    ],
)
def test_where_a_key_may_stand(gateway: Gateway, headers: dict[str, str]) -> None:
    """Every spelling that a client of the known APIs uses is read."""
    with gateway.client() as client:
        assert client.call("GET", "/v1/models", headers=headers).status == 200


@pytest.mark.parametrize(
    ("path", "headers", "expected", "says"),
    [
        ("/v1/models", {}, (401, "missing_api_key"), "did not provide a key"),
        ("/v1/models", {"authorization": "Bearer "}, (401, "missing_api_key"), "did not provide"),
        ("/v1/models", {"authorization": f"Bearer {KEY}", "x-api-key": "sk-" + "x" * 9}, (400, "invalid_value"), "two"),
        ("/v1/models?key=" + KEY, {}, (400, "invalid_value"), "query"),
        ("/v1/models?a=1&api_key=" + KEY, {"authorization": f"Bearer {KEY}"}, (400, "invalid_value"), "query"),
        ("/v1/models", {"authorization": "Basic dXNlcjpwYXNz"}, (401, "invalid_api_key"), "begins with sk-"),
        ("/v1/models", {"authorization": "Bearer sk-unknown-" + "u" * 40}, (401, "invalid_api_key"), "unknown here"),
        ("/v1/models", {"authorization": f"Bearer {KEY}x"}, (401, "invalid_api_key"), "unknown here"),
        ("/v1/models", {"authorization": f"Bearer {KEY[:-1]}"}, (401, "invalid_api_key"), ""),
    ],
)  # fmt: skip
def test_refusals(gateway: Gateway, path: str, headers: dict[str, str], expected: tuple[int, str], says: str) -> None:
    """Each way to be wrong has its status, its code and a sentence, which quotes nothing of the key."""
    with gateway.client() as client:
        answer = client.call("GET", path, headers=headers)
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == expected
    assert says in error["message"]
    assert KEY[8:] not in answer.body.decode()


def test_typing_error_is_told_as_one(gateway: Gateway) -> None:
    """The checksum tells a typing error from a stranger's key."""
    made = encke(gateway, "keys", "create", "--name", "typed")["key"]
    wrong = made[:30] + ("a" if made[30] != "a" else "b") + made[31:]
    with gateway.client() as client:
        error = client.call("GET", "/v1/models", key=wrong).json()["error"]
    assert error["code"] == "invalid_api_key"
    assert "unknown here" not in error["message"] and wrong[20:] not in error["message"]


def test_restart_keeps_keys(tmp_path: Path) -> None:
    """A key made by one gateway serves the next one on the same folder; a revoked one stays revoked."""
    settings = {"local": {"enabled": False}, "server": {"workers": 1}}
    with Gateway(tmp_path, settings) as first:
        kept = encke(first, "keys", "create", "--name", "kept")["key"]
        gone = encke(first, "keys", "create", "--name", "gone")["key"]
        encke(first, "keys", "revoke", "gone", "--yes")
    with Gateway(tmp_path, settings) as second, second.client() as client:
        assert [status(client, key) for key in (kept, gone, KEY)] == [200, 401, 200]


def test_secrets_are_seen_nowhere(gateway: Gateway) -> None:
    """Neither a caller's key nor a provider's is in any log, answer, argument, environment or file."""
    made = encke(gateway, "keys", "create", "--name", "canary")["key"]
    bodies = []
    for key in (made, KEY, made[:-1], UPSTREAM_SECRET):
        with gateway.client() as client:
            for model in ("lab/m", "lab/fault-401", "lab/fault-500", "nope"):
                answer = client.call("POST", "/v1/chat/completions", chat("hi", model), key=key)
                bodies.append(answer.body + repr(answer.headers).encode())
            bodies.append(client.call("GET", f"/v1/models?key={key}", key=key).body)
    time.sleep(0.3)  # so that what is written late is looked through too
    seen: dict[str, bytes] = {"answers": b"".join(bodies), "log": gateway.log.encode()}
    for pid in gateway.processes():
        seen[f"argv of {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes()
        if pid != gateway.process.pid:  # the supervisor's own environment is what its operator gave it
            seen[f"environment of {pid}"] = Path(f"/proc/{pid}/environ").read_bytes()
    for path in gateway.data.rglob("*"):
        with suppress(FileNotFoundError):  # journals come and go
            if path.is_file():
                seen[str(path)] = path.read_bytes()
    assert any(name.startswith("environment") for name in seen) and any(name.endswith("encke.db") for name in seen)
    for secret in (made, KEY, UPSTREAM_SECRET):
        for part in (secret[-30:].encode(), secret.encode().hex().encode()):
            assert [name for name, content in seen.items() if part in content] == []
